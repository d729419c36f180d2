import Corpus
import Formats
import Model

/// Ends the run if more than half of its items cannot be used.
///
/// - Parameters:
///   - usable: the number of items, of `all`, that can be used.
///   - what: names the items, such as `candidate videos`.
///   - first: what is wrong with the first unusable item, if known.
/// - Throws: `DataError` if more than half cannot be used: the run would measure or learn something
///   other than asked.
public func requireMost(
  _ usable: Int, of all: Int, _ what: String, file: String, first: DataError? = nil
) throws {
  guard 2 * (all - usable) > all else { return }
  throw DataError(
    "\(all - usable) of \(all) \(what) cannot be used; "
      + (first.map { "the first: \($0.description.dropLast())" } ?? "the log names the first of them"),
    file: file,
    cure: "Make the stores from one corpus and for the task, or name the split that they belong to")
}

/// Checks, before any work, whether most items can be used; stops as soon as half of them can.
///
/// - Parameter use: throws `DataError` where an item cannot be used.
/// - Throws: `DataError` naming the first unusable item, if more than half cannot be used.
func requireMost<Items: Collection>(
  of items: Items, _ what: String, file: String, use: (Items.Element) throws -> Void
) throws {
  var usable = 0
  var first: DataError?
  for item in items where 2 * usable < items.count {
    do {
      try use(item)
      usable += 1
    } catch let error as DataError {
      first = first ?? error
    }
  }
  try requireMost(usable, of: items.count, what, file: file, first: first)
}

/// The videos that a model can read, each read once however many items are about it.
struct ReadableVideos {
  private let reader: VideoReader
  private let model: ModelConfiguration
  private var known: [Name: Result<Int, DataError>] = [:]

  init(_ reader: VideoReader, for model: ModelConfiguration) { (self.reader, self.model) = (reader, model) }

  /// Returns the number of frames read from a video.
  /// - Throws: `DataError` naming the video, if it cannot be used.
  mutating func frames(of video: String) throws -> Int {
    if let known = known[Name(video)] { return try known.get() }
    do {
      let item = try reader.read(video)
      try item.check(model)
      known[Name(video)] = .success(item.frameCount)
      return item.frameCount
    } catch let error as DataError {
      let error = error.located(file: reader.features.path, place: "video \"\(video)\"")
      known[Name(video)] = .failure(error)
      throw error
    }
  }
}

extension VideoReader {
  /// Reads a video for a model; if it cannot be used, reports it to `skips` and returns nil.
  func read(_ video: String, for model: ModelConfiguration, _ skips: SkipReport) throws -> VideoItem? {
    do {
      let item = try read(video)
      try item.check(model)
      return item
    } catch let error as DataError {
      skips.skip("video \"\(video)\"", file: features.path, error)
      return nil
    }
  }

  /// Gives a notice if different tokenizers made the subtitles and a store of texts.
  public func compare(_ meta: StoreMeta) { subtitles?.meta.compare(meta) }

  /// Does the same for training stores.
  /// - Throws: `DataError` if a store's tokenizer has more tokens than the model knows: even the
  ///   ids that the model has would then stand for other words.
  func require(_ meta: StoreMeta, for model: ModelConfiguration) throws {
    compare(meta)
    for meta in [meta, subtitles?.meta].compactMap({ $0 }) {
      let last = max(meta.mask, meta.vRange.upperBound - 1)
      guard last >= model.vocabularyRows else { continue }
      throw DataError(
        "its tokenizer has \(last + 1) tokens at least, the model knows \(model.vocabularyRows)",
        file: meta.path, cure: "Use the stores and the model of one tokenizer")
    }
  }

  /// Checks, from the side files alone, whether the stores have the videos of most items.
  ///
  /// Reading skips the other items.
  /// - Parameters:
  ///   - items: the video of each item; nil where it is not known.
  ///   - what: names the items, such as `queries`.
  /// - Throws: `DataError` naming the first missing video, if more than half of the items lack
  ///   theirs.
  func requireMost(_ items: some Sequence<String?>, _ what: String, file: String) throws {
    var (all, usable) = (0, 0)
    var first: DataError?
    for video in items {
      all += 1
      do {
        if let video { try check(CollectionOfOne(video)) }
        usable += 1
      } catch let error as DataError {
        first = first ?? error
      }
    }
    try Tasks.requireMost(usable, of: all, what, file: file, first: first)
  }
}

extension BatchLoader {
  /// Ends a measurement on all ranks if more than half of its items could not be used.
  /// - Parameter used: the number of items measured, on all ranks.
  func requireMost(used: Int, _ what: String, file: String) throws {
    try Tasks.requireMost(used, of: itemCount, what, file: file)
  }
}
