import Corpus
import Engine
import Formats
import Model

/// A loader of batches of questions or statements, each with its video.
///
/// Docs/Computation.md §1, §2 "VideoQA", "VIOLIN"; the reference's `VideoQaDataset`,
/// `ViolinDataset`.
public struct QuestionLoader<Store: AskingStore>: BatchLoader {
  /// The purpose of a loader.
  public enum Purpose: Sendable {
    /// Every entry is read, and statements come one by one.
    case evaluation
    /// Skips texts with more than `maxTextLength` tokens, or none if that is not positive.
    /// Statements come with their opposites, of any length.
    case training(maxTextLength: Int)
  }

  /// The store of the entries.
  public let store: Store
  /// The frames and subtitles of the entries' videos.
  public let videos: VideoReader
  /// The entries to use.
  public let ids: [String]
  /// The purpose, which decides what is skipped and whether statements come with opposites.
  public let purpose: Purpose
  /// Seconds between frames.
  public let frameInterval: Double
  /// The shape of the model that reads the batches.
  public let model: ModelConfiguration
  /// The report of the entries that cannot be used.
  public let skips: SkipReport

  /// - Parameter skips: reports every entry that cannot be used.
  /// - Throws: `DataError` if the stores lack the videos of more than half of the entries.
  public init(
    _ store: Store, videos: VideoReader, purpose: Purpose, frameInterval: Double,
    model: ModelConfiguration, skips: SkipReport = SkipReport()
  ) throws {
    self.store = store
    self.videos = videos
    self.purpose = purpose
    self.frameInterval = frameInterval
    self.model = model
    self.skips = skips
    switch purpose {
    case .evaluation: ids = store.ids
    case .training(let maxTextLength): ids = store.ids(maxTextLength: maxTextLength)
    }
    if isTraining { try videos.require(store.meta, for: model) } else { videos.compare(store.meta) }
    try videos.requireMost(ids.lazy.map { store.video(of: $0) }, "\(Store.entryName)s", file: store.path)
  }

  /// The number of entries, without those that ``purpose`` skips.
  public var itemCount: Int { ids.count }
  /// Returns the number of frames of the entry's video.
  public func frames(of item: Int) -> Int {
    store.video(of: ids[item]).flatMap { videos.frameCount(of: $0) } ?? 0
  }

  private var isTraining: Bool { if case .training = purpose { true } else { false } }

  /// Returns the batch of these entries; nothing is random.
  ///
  /// - Returns: nil if no entry can be used.
  public func batch(of items: [Int], random: RandomStream) throws -> QuestionBatch? {
    try load(items)?.batch
  }

  /// Checks, before any work, whether most entries can be used.
  /// - Throws: `DataError` if more than half cannot.
  public func requireUsable() throws {
    var readable = ReadableVideos(videos, for: model)
    try Tasks.requireMost(of: ids, "\(Store.entryName)s", file: store.path) { id in
      let entry = try store.asked(id)
      guard let video = entry.video else { throw DataError("its video is not known") }
      for text in entry.texts { try checkText(text, model, "\(Store.entryName) \(id)") }
      _ = try readable.frames(of: video)
    }
  }

  /// Checks whether there is something to learn; reads up to the first entry with a known answer.
  /// - Throws: `DataError` if no entry has one.
  public func requireTruth() throws {
    guard !ids.isEmpty, !ids.contains(where: { (try? store.asked($0))?.target != nil }) else { return }
    throw DataError(
      "no \(Store.entryName) tells what is right: the truth is hidden", file: store.path,
      cure: "Train on a split whose truth is published")
  }

  /// Returns a batch and the ids of its entries, without the entries that cannot be used.
  func load(_ items: [Int]) throws -> (ids: [String], batch: QuestionBatch)? {
    var read = BatchVideos(videos, model: model)
    var passes: [(video: Int, text: [Int32])] = []
    var used: [String] = []
    var (counts, targets): ([Int], [Int]) = ([], [])
    var spans: [FrameSpan] = []
    for id in items.flatMap({ isTraining ? store.group(of: ids[$0]) : [ids[$0]] }) {
      let name = "\(Store.entryName) \(id)"
      do {
        let entry = try store.asked(id)
        guard let video = entry.video else { throw DataError("its video is not known") }
        for text in entry.texts { try checkText(text, model, name) }
        let place = try read.place(of: video)
        passes += entry.texts.map { (place, $0) }
        used.append(id)
        counts.append(entry.texts.count)
        targets.append(entry.target ?? -1)
        if Store.hasMoments {
          // Where no moment is annotated ("nan-nan"), only the answer trains.
          let video = read.items[place]
          // An evaluation uses only the answers, so it gives no notices.
          let span = entry.span.map {
            isTraining
              ? $0.target(of: name, in: store.path, within: video, interval: frameInterval)
              : $0.target(frames: video.frameCount, interval: frameInterval)
          }
          spans.append(span ?? .unknown)
        }
      } catch let error as DataError {
        skips.skip(name, file: store.path, error)
      }
    }
    guard !used.isEmpty else { return nil }
    let batch = QuestionBatch(
      videos: try VideoBatch(read.items, passes: passes, model: model), texts: passes.map(\.text),
      pairsPerQuestion: counts, targets: targets, spans: spans)
    return (used, batch)
  }
}
