import Formats
import Foundation
import Metrics
import TestSupport
import Testing

@testable import Training

/// Scoring files of predictions without a model, in every form that is recognised.
@Suite struct PredictionScoringTests {
  private let folder: TemporaryFolder
  private let references: String
  /// Two queries, of which the first is answered at once and the second at the second place.
  private static let rows = """
    {"desc_id": 1, "desc": "one", "vid_name": "a", "ts": [0, 4], "type": "v"}
    {"desc_id": 2, "desc": "two", "vid_name": "b", "ts": [6, 12], "type": "t"}

    """

  private static let silent = RunLog(console: Console(isTerminal: false, width: { 80 }, write: { _ in }))

  init() throws {
    folder = try TemporaryFolder()
    references = try Self.write(Self.rows, to: "truth.jsonl", in: folder)
  }

  private static func write(_ text: String, to name: String, in folder: TemporaryFolder) throws -> String {
    try Data(text.utf8).write(to: URL(fileURLWithPath: folder.path(name)))
    return folder.path(name)
  }

  private func score(
    _ predictions: String, against references: String? = nil, task: RunTask? = nil, durations: String? = nil
  ) throws -> [String: Double] {
    let file = try Self.write(predictions, to: "predictions.json", in: folder)
    var scoring = PredictionScoring(predictions: file, references: references ?? self.references)
    scoring.task = task
    scoring.vid2durIdx = try durations.map { try Self.write($0, to: "durations.json", in: folder) }
    let figures = try scoring.run(log: Self.silent).figures
    return Dictionary(uniqueKeysWithValues: figures.map { ($0.name, $0.value) })
  }

  @Test func resultsWithNamesAndScores() throws {
    let figures = try score(
      """
      {"video2idx": {"a": 3, "b": 5}, "VCMR": [
        {"desc_id": 1, "desc": "", "predictions": [[3, 0, 4, 0.9], [5, 6, 12, 0.1]]},
        {"desc_id": 2, "desc": "", "predictions": [[3, 0, 4, 0.9], [5, 6, 12, 0.1]]}],
       "VR": [{"desc_id": 1, "predictions": [[3, 0, 0, 1.5]]}]}
      """)
    #expect(figures["valid_val_VCMR/VCMR_0.7-r1"] == 50)
    #expect(figures["valid_val_VCMR/VCMR_0.7-r5"] == 100)
    // The second query has no prediction.
    #expect(figures["valid_val_VR/VR_r100"] == 50)
    #expect(figures["valid_val_VCMR_by_type/VCMR_by_type_t-0.5-r1"] == 0)
  }

  @Test func flatIdsNeedTheListOfVideos() throws {
    let flat = #"{"VR": [{"desc_id": "1", "predictions": [7, 9]}, {"desc_id": "2", "predictions": [7, 9]}]}"#
    #expect(throws: DataError.self) { try score(flat) }
    let figures = try score(flat, durations: #"{"val": {"a": [9.5, 7], "b": [20, 9]}}"#)
    #expect(figures["valid_val_VR/VR_r1"] == 50)
    #expect(figures["valid_val_VR/VR_r5"] == 100)
    #expect(throws: DataError.self) { try score(flat, durations: #"{"train": {"a": [9.5, 7]}}"#) }
  }

  @Test func answersOfQuestionsAndStatements() throws {
    let questions = try Self.write(
      """
      {"qid": 1, "q": "who", "answer_idx": 2, "vid_name": "a"}
      {"qid": 2, "q": "what", "answer_idx": "0", "vid_name": "a"}
      {"qid": 3, "q": "why", "vid_name": "a"}

      """, to: "questions.jsonl", in: folder)
    #expect(try score(#"{"1": 2, "2": 1}"#, against: questions)["valid/acc"] == 0.5)
    #expect(try score(#"{"1": 2}"#, against: questions)["valid/acc"] == 0.5)
    // An answer to a question that nobody knows.
    #expect(throws: DataError.self) { try score(#"{"1": 2, "9": 1}"#, against: questions) }
    #expect(throws: DataError.self) { try score(#"{"1": 0.5}"#, against: questions) }
    let statements = try Self.write(
      """
      {"desc_id": "s-1", "desc": "x", "label": true, "vid_name": "a"}
      {"desc_id": "s-0", "desc": "y", "label": false, "vid_name": "a"}

      """, to: "statements.jsonl", in: folder)
    #expect(
      try score(#"{"s-1": 1, "s-0": true}"#, against: statements, task: .violin)["valid/val_acc"] == 0.5)
  }

  @Test func windowsAndCaptions() throws {
    let windows = try PredictionScoring(
      predictions: Fixtures.path("Windows/predictions.jsonl"),
      references: Fixtures.path("Windows/truth.jsonl")
    ).run(log: Self.silent)
    #expect(windows.figures.contains { $0.name == "MR-full-mAP" })
    #expect(windows.table.rows.count == 21)
    let captions = #"{"vid_name": "a", "clip_id": 1, "descs": [{"desc": "a man opens a red door"}]}"#
    let references = try Self.write(captions + "\n", to: "captions.jsonl", in: folder)
    #expect(try score(captions, against: references)["ROUGE_L"] == 100)
  }

  @Test func whatIsNoFileOfPredictionsIsRefused() throws {
    for text in ["[]", "[1, 2]", "{}\n{}\n", "7", #"{"desc_id": [1]}"#] {
      #expect(throws: DataError.self, "\(text)") { try score(text) }
    }
  }
}
