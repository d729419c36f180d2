import Formats
import Foundation

extension TextStoreTask {
  /// Calls `body` with every row of an annotation in the reference's form, whatever form the file
  /// has.
  ///
  /// - Parameters:
  ///   - path: an annotation as its authors publish it, JSON lines, or a text store, whose rows are
  ///     read.
  ///   - split: the split to take of a file that holds several.
  ///   - onSkip: called with one line for every row that cannot be used.
  /// - Throws: `DataError` naming the line that is not JSON, and what `body` throws, with its
  ///   place.
  public func forEachRow(
    of path: String, split: String? = nil, onSkip: (String) -> Void, _ body: (JSONObject) throws -> Void
  ) throws {
    let rows = path + "/query_data.jsonl"
    var builder = TextStoreBuilder(
      task: self, annotation: FileManager.default.fileExists(atPath: rows) ? rows : path, output: "",
      tokenizer: "")
    builder.split = split
    try AnnotationFile(builder: builder).forEachRow { place, row in
      switch row {
      case .success(let row): try DataError.locating(file: path, place: place) { try body(row) }
      case .failure(let problem): onSkip("\(path), \(place): \(problem.reason). It is skipped.")
      }
    }
  }
}
