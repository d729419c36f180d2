import Corpus
import Formats

/// The split of `vid2dur_idx.json` that the queries of a store search.
struct SplitChoice {
  let name: String

  /// - Parameters:
  ///   - usual: the name that the reference takes, `val` or `test`.
  ///   - named: the name that the option gives; nil to find it.
  ///   - option: the option's name.
  ///   - subtitles: the store with the splits; without any, the search covers the queries' own
  ///     videos.
  /// - Throws: `DataError` if there is no such split, if no split holds the videos, or if the
  ///   choice is not clear.
  init(
    usual: String, named: String?, option: String, queries: QueryStore, subtitles: SubtitleStore?
  ) throws {
    guard let subtitles, let splits = subtitles.splits else {
      guard named == nil else {
        throw DataError(
          "\(option) names a split, and there is no vid2dur_idx.json with splits", file: subtitles?.path,
          cure: "Leave \(option) out: the videos of the queries' store are searched")
      }
      name = usual
      return
    }
    let file = subtitles.path + "/vid2dur_idx.json"
    let names = splits.map(\.name).joined(separator: ", ")
    if let named {
      guard splits.contains(where: { $0.name == named }) else {
        throw DataError(
          "there is no split \"\(named)\"", file: file, cure: "Give \(option) one of: \(names)")
      }
      name = named
      return
    }
    let wanted = Set(queries.videos.map { Array($0.utf8) })
    let holding = splits.filter { wanted.isSubset(of: $0.videos.map { Array($0.name.utf8) }) }
    // Without names of videos, the reference's choice is as good as any.
    if let split = holding.first(where: { $0.name == usual }) ?? (holding.count == 1 ? holding[0] : nil) {
      name = split.name
      return
    }
    // The look-up of the videos reports the missing ones.
    if splits.contains(where: { $0.name == usual }) {
      name = usual
      return
    }
    let found =
      wanted.isEmpty
      ? "the store names no videos"
      : holding.isEmpty ? "none holds its videos" : "\(holding.count) of them hold its videos"
    throw DataError(
      "there is no split \"\(usual)\" for \(queries.path), only \(names), and \(found)", file: file,
      cure: "Name the split by \(RunOptions.named(option)?.flag ?? option)")
  }
}
