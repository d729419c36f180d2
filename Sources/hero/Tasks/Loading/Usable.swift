import Corpus
import Formats
import Model

/// What may be left out of a run's items, and when so much is that the run ends.
///
/// - Parameters:
///   - usable: items that can be used, of `all`.
///   - what: such as `candidate videos`.
///   - first: what is wrong with the first of the others, where that is known.
/// - Throws: `DataError` where more than half cannot be used: the run would measure or learn something else than it
///   was asked to.
public func requireMost(
  _ usable: Int, of all: Int, _ what: String, file: String, first: DataError? = nil
) throws {
  guard 2 * (all - usable) > all else { return }
  throw DataError(
    "\(all - usable) of \(all) \(what) cannot be used; "
      + (first.map { "the first: \($0)" } ?? "the log names the first of them"),
    file: file,
    cure: "Make the stores from one corpus and for the task, or name the split that they belong to")
}

extension VideoReader {
  /// A video for a model; nil where it cannot be used, of which `skips` is told.
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

  /// Looks whether the stores have the videos of most items, by their side files only; the other items are left out when
  /// they are read.
  /// - Parameters:
  ///   - items: the video of each item; nil where it is not known.
  ///   - what: the items, such as `queries`.
  /// - Throws: `DataError` naming the first missing video, where more than half of the items lack theirs.
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
  /// Ends a measurement of which more than half of the items turned out not to be usable, on all ranks.
  /// - Parameter used: items that were measured, on all ranks.
  func requireMost(used: Int, _ what: String, file: String) throws {
    try Tasks.requireMost(used, of: itemCount, what, file: file)
  }
}
