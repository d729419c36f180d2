import Corpus
import Engine
import Formats
import Model

/// Batches of questions or statements, each with its video (Docs/Computation.md §1, §2 "VideoQA",
/// "VIOLIN"; the reference's `VideoQaDataset` and `ViolinDataset`).
public struct QuestionLoader<Store: AskingStore>: BatchLoader {
  /// What a loader is for.
  public enum Purpose: Sendable {
    /// Nothing is left out, and statements come one by one.
    case evaluation
    /// Texts with more than `maxTextLength` tokens are left out, though not as another's opposite;
    /// none are if it is not positive. Statements come with their opposites.
    case training(maxTextLength: Int)
  }

  /// What the entries are read from.
  public let store: Store
  /// Where the frames and subtitles of the entries' videos come from.
  public let videos: VideoReader
  /// The entries to use.
  public let ids: [String]
  /// Decides which entries are left out and whether opposites come along.
  public let purpose: Purpose
  /// Seconds between frames.
  public let frameInterval: Double
  /// What the batches are for.
  public let model: ModelConfiguration
  /// Which entries went unused, and why.
  public let skips: SkipReport

  /// - Parameter skips: reports every entry that cannot be used.
  /// - Throws: `DataError` where the stores lack the videos of more than half of the entries.
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

  /// Entries after those that ``purpose`` leaves out.
  public var itemCount: Int { ids.count }
  /// Of the entry's video.
  public func frames(of item: Int) -> Int {
    store.video(of: ids[item]).flatMap { videos.frameCount(of: $0) } ?? 0
  }

  private var isTraining: Bool { if case .training = purpose { true } else { false } }

  /// The batch of these entries; nothing is drawn at random.
  ///
  /// - Returns: nil where no entry can be used.
  public func batch(of items: [Int], random: RandomStream) throws -> QuestionBatch? {
    try load(items)?.batch
  }

  /// Checks whether most entries can be used, before any work is done.
  /// - Throws: `DataError` where more than half cannot.
  public func requireUsable() throws {
    var readable = ReadableVideos(videos, for: model)
    try Tasks.requireMost(of: ids, "\(Store.entryName)s", file: store.path) { id in
      let entry = try store.asked(id)
      guard let video = entry.video else { throw DataError("its video is not known") }
      for text in entry.texts { try checkText(text, model, "\(Store.entryName) \(id)") }
      _ = try readable.frames(of: video)
    }
  }

  /// Checks whether there is something to learn; reads up to the first entry whose truth is known.
  /// - Throws: `DataError` where no entry's is.
  public func requireTruth() throws {
    guard !ids.isEmpty, !ids.contains(where: { (try? store.asked($0))?.target != nil }) else { return }
    throw DataError(
      "no \(Store.entryName) tells what is right: the truth is hidden", file: store.path,
      cure: "Train on a split whose truth is published")
  }

  /// A batch and the ids of its entries; those that cannot be used are left out of both.
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
          // Where a moment is not annotated ("nan-nan"), the answer alone teaches.
          let video = read.items[place]
          // An evaluation looks at answers only.
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
