import Corpus
import Formats
import Foundation
import Metrics
import Tasks
import Training

/// A query with its known answer.
public struct SplitQuery: Sendable {
  /// The sentence as people read it.
  public var text: String
  /// The token ids, with the leading special token.
  public var tokens: [Int32]
  /// The annotated video and its moments.
  public var truth: RetrievalTruth
  /// The true video's number in the index.
  public var video: Int
}

/// The queries of a split that are about videos of an index.
public struct SplitQueries: Sendable {
  /// The queries in the order of the file.
  public var queries: [SplitQuery] = []
  /// The number of unusable rows: without a video or a sentence, about a video that the index
  /// lacks, or with a sentence that the model cannot read.
  public var skipped = 0

  /// Reads the queries of a split.
  ///
  /// - Parameters:
  ///   - path: JSON lines (`desc_id`, `desc`, `vid_name`, `ts`), or a query store.
  ///   - model: tokenizes sentences if there is no store.
  ///   - log: reports the rows that the model cannot read.
  /// - Throws: `DataError` for a file that cannot be read or has no usable row.
  public init(
    path: String, index: IndexFile, model: SearchModel, log: RunLog? = nil
  ) throws {
    var places: [Name: Int] = [:]
    for video in 0..<index.count { places[try index.name(of: video)] = video }
    let store = FileManager.default.isFolder(path) ? try QueryStore(path: path) : nil
    let file = store?.annotationPath ?? path
    let skips = log.map { SkipReport(log: $0) }
    try JSONLines.read(path: file) { line, row in
      do {
        guard let truth = try RetrievalTruth(annotation: row), let video = places[truth.video],
          let text = row["desc"]?.string
        else {
          skipped += 1
          return
        }
        let tokens =
          try store.map { [$0.meta.cls] + (try $0.query(truth.id.text)).tokens }
          ?? ([model.tokenizer.cls] + model.tokenizer.encodeQuery(text))
        try checkQuery(tokens, model.model.configuration, "query \(truth.id.text)")
        queries.append(SplitQuery(text: text, tokens: tokens, truth: truth, video: video))
      } catch let error as DataError {
        skipped += 1
        skips?.skip("line \(line)", file: file, error)
      }
    }
    guard !queries.isEmpty else {
      throw DataError(
        "none of its \(skipped) rows can be asked about a video of the index", file: path,
        cure: "Give the annotations of the videos that were indexed")
    }
  }
}
