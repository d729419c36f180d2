import Corpus
import Formats
import Model

/// What may be left out of a run's items, and when so much is that the run ends.
///
/// - Parameters:
///   - usable: items that can be used, of `all`.
///   - what: such as `candidate videos`.
///   - first: what is wrong with the first of the others, where that is known.
/// - Throws: `DataError` where more than half cannot be used: the run would measure or learn
///   something else than it was asked to.
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

/// Checks whether most items can be used, before any work is done; ends as soon as that is sure.
///
/// - Parameter use: throws `DataError` where an item cannot be used.
/// - Throws: `DataError` naming the first such item, where more than half of them cannot be used.
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

/// Which videos a model can read. Each is read once, however many items are about it.
struct ReadableVideos {
  private let reader: VideoReader
  private let model: ModelConfiguration
  private var known: [Name: Result<Int, DataError>] = [:]

  init(_ reader: VideoReader, for model: ModelConfiguration) { (self.reader, self.model) = (reader, model) }

  /// The frames that are read of a video.
  /// - Throws: `DataError` naming the video, where it cannot be used.
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
  /// A video for a model; nil where it cannot be used; `skips` reports it.
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

  /// Tells where the subtitles and a store of texts were made by different tokenizers.
  public func compare(_ meta: StoreMeta) { subtitles?.meta.compare(meta) }

  /// The same of stores to learn from.
  /// - Throws: `DataError` where one was made by a tokenizer with more tokens than a model knows:
  ///   also the ids that the model has would be other words to it.
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

  /// Checks whether the stores have the videos of most items, by their side files only; the other
  /// items are left out when they are read.
  /// - Parameters:
  ///   - items: the video of each item; nil where it is not known.
  ///   - what: the items, such as `queries`.
  /// - Throws: `DataError` naming the first missing video, where more than half of the items lack
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
  /// Ends a measurement of which more than half of the items turned out not to be usable, on all
  /// ranks.
  /// - Parameter used: items that were measured, on all ranks.
  func requireMost(used: Int, _ what: String, file: String) throws {
    try Tasks.requireMost(used, of: itemCount, what, file: file)
  }
}
