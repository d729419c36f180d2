import Engine
import Formats
import Foundation
import Search
import Training

/// CLIP's features of queries, as moment_detr and lighthouse read them:
/// `clip_text_features/qidN.npz`.
///
/// `last_hidden_state` [tokens, hidden] holds the states after the last norm of all tokens,
/// including the two that begin and end a text. `pooler_output` [width] is the projected state of
/// the last token.
struct QueryFeatures {
  private struct Query {
    var id: String
    var text: String
  }

  let model: CLIPModel
  /// Whether values are float16 instead of float32.
  let isHalf: Bool
  private let folder: String
  private let queries: [Query]

  private static let batch = 64
  private static let longestID = 200

  /// Reads the queries of a file.
  ///
  /// - Parameters:
  ///   - annotations: JSON lines with `qid` and `query`.
  ///   - output: the folder that gets `clip_text_features`.
  ///   - tell: called with a line for each row that is skipped.
  /// - Throws: `DataError` where no query is left.
  init(
    model: CLIPModel, annotations path: String, output: String, isHalf: Bool, tell: (String) -> Void
  ) throws {
    (self.model, self.isHalf) = (model, isHalf)
    folder = "\(output)/clip_text_features"
    var queries: [Query] = []
    var known: [Name: String] = [:]
    try JSONLines.read(path: path) { line, value in
      let place = "\(path), line \(line)"
      guard let id = value["qid"]?.int.map(String.init) ?? value["qid"]?.string, Self.isName(id) else {
        return tell("\(place): has no \"qid\" that can name a file")
      }
      guard let text = value["query"]?.string, !text.allSatisfy(\.isWhitespace) else {
        return tell("\(place): has no \"query\"")
      }
      if let other = known[Name(id)] {
        if !other.hasSameBytes(as: text) {
          tell("\(place): qid \(id) is of another query before. Give it another number")
        }
        return
      }
      known[Name(id)] = text
      queries.append(Query(id: id, text: text))
    }
    guard !queries.isEmpty else {
      throw DataError("no row of it has a qid and a query", file: path, cure: "See the lines above")
    }
    self.queries = queries
  }

  private static func isName(_ id: String) -> Bool {
    !id.isEmpty && id.utf8.count <= longestID && id.utf8.allSatisfy { $0 > 0x1F && $0 != 0x2F && $0 != 0x7F }
  }

  private func file(_ query: Query) -> String { "\(folder)/qid\(query.id).npz" }

  /// Writes the missing files.
  /// - Parameter overwrites: whether to compute existing files too.
  /// - Returns: the numbers of files written, of existing files, and of truncated queries.
  func write(overwrites: Bool) throws -> (written: Int, known: Int, cut: Int) {
    try OutputFolder.make(folder)
    let missing = overwrites ? queries : queries.filter { !FileManager.default.fileExists(atPath: file($0)) }
    let reporter = ProgressReporter("Queries", total: missing.count, unit: "queries")
    var cut = 0
    for start in stride(from: 0, to: missing.count, by: Self.batch) {
      let part = missing[start..<min(missing.count, start + Self.batch)]
      let texts = part.map { model.tokenizer.encode($0.text, most: model.text.context) }
      cut += texts.count { $0.isCut }
      let (tokens, pooled) = model.text.states(texts.map(\.ids))
      let (hidden, width) = (model.text.hidden, model.text.width)
      var token = 0
      for (number, query) in part.enumerated() {
        let count = texts[number].ids.count
        try NPZ.write(
          path: file(query),
          [
            (
              name: "last_hidden_state",
              array: try array(tokens[token * hidden..<(token + count) * hidden], [count, hidden])
            ),
            (name: "pooler_output", array: try array(pooled[number * width..<(number + 1) * width], [width])),
          ])
        token += count
      }
      reporter.advance(by: part.count)
      try InterruptHandler.check()
    }
    reporter.finish()
    return (missing.count, queries.count - missing.count, cut)
  }

  private func array(_ values: ArraySlice<Float>, _ shape: [Int]) throws -> NDArray {
    let array = NDArray(floats: Array(values), shape: shape)
    return isHalf ? array.asFloat16() : array
  }
}
