import Formats
import Metrics

/// A file of predictions, recognized by its content.
///
/// It comes from `hero eval`, `hero caption`, the reference, VALUE or moment_detr.
enum PredictionFile {
  /// `{"video2idx": …, "VCMR": […]}`, with or without names and scores.
  case retrieval(JSON)
  /// `{question: answer}`.
  case answers(JSON)
  /// JSON lines with `pred_relevant_windows` or `pred_saliency_scores`.
  case windows([JSON])
  /// JSON lines with `descs`.
  case captions([JSON])

  /// - Throws: `DataError` for a file that is none of these.
  static func read(path: String) throws -> PredictionFile {
    let rows: [JSON]
    var isList = false
    if let document = try? JSON.read(path: path) {
      if RetrievalResults.recognizes(document) { return .retrieval(document) }
      rows = document.array ?? [document]
      isList = document.array != nil
    } else {
      var lines: [JSON] = []
      try JSONLines.read(path: path) { _, row in lines.append(row) }
      rows = lines
    }
    guard let first = rows.first, rows.count > 1 || first.object?.isEmpty != true else {
      throw DataError("holds no predictions", file: path, cure: "Give what 'hero eval' writes")
    }
    if first["pred_relevant_windows"] != nil || first["pred_saliency_scores"] != nil {
      return .windows(rows)
    }
    if first["descs"] != nil || first["clip_id"] != nil { return .captions(rows) }
    guard rows.count == 1, !isList, let members = first.object,
      members.contains(where: { !isCollection($0.value) })
    else {
      throw DataError(
        "holds no predictions of a known form", file: path,
        cure: "Give a result file of retrieval, answers, captions or windows (Docs/Formats.md)")
    }
    return .answers(first)
  }

  private static func isCollection(_ value: JSON) -> Bool { value.array != nil || value.object != nil }
}
