import Formats
import Foundation
import Metrics
import Synchronization
import TestSupport
import Testing

@testable import Training

/// Predictions in every recognised format are scored without a model.
@Suite struct PredictionScoringTests {
  private let folder: TemporaryFolder
  private let references: String
  /// Two queries: the first is answered at rank 1, the second at rank 2.
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
    // No question has the id 9.
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

  /// Returns the warnings of `run`.
  private func warnings(_ predictions: String, against references: String) throws -> String {
    let told = Mutex("")
    let console = Console(isTerminal: false, width: { 400 }, write: { text in told.withLock { $0 += text } })
    let file = try Self.write(predictions, to: "predictions.json", in: folder)
    _ = try PredictionScoring(predictions: file, references: references).run(log: RunLog(console: console))
    return told.withLock { $0 }
  }

  /// Rows that repeat an id count once, and malformed predictions are reported as wrong.
  @Test func oddRowsAreTold() throws {
    let twice = try Self.write(
      Self.rows + #"{"desc_id": "1", "desc": "again", "vid_name": "b", "ts": [0, 4]}"#, to: "twice.jsonl",
      in: folder)
    let moments = """
      {"video2idx": {"a": 3, "b": 5}, "VCMR": [{"desc_id": 1, "predictions": [[3, 4, 0, 0.9]]},
        {"desc_id": 2, "predictions": [[5, 6, 12, 0.1]]}]}
      """
    let said = try warnings(moments, against: twice)
    #expect(said.contains("1 rows repeat an id, the first 1. The first row of each counts"))
    #expect(said.contains("1 moments of VCMR end before they begin. They count as wrong"))
    #expect(try score(moments, against: twice)["valid_val_VCMR/VCMR_0.5-r1"] == 50)
    let none = moments.replacing("[[3, 4, 0, 0.9]]", with: "[]")
    #expect(try warnings(none, against: twice).contains("queries have no prediction of VCMR"))
    let questions = try Self.write(
      #"{"qid": 1, "answer_idx": 2}"# + "\n" + #"{"qid": 1, "answer_idx": 0}"#, to: "q.jsonl", in: folder)
    #expect(try warnings(#"{"1": 2}"#, against: questions).contains("1 rows repeat an id"))
    #expect(try score(#"{"1": 2}"#, against: questions)["valid/acc"] == 1)
    let windows = try Self.write(
      #"{"qid": 1, "relevant_windows": [[0, 4]]}"#, to: "w.jsonl", in: folder)
    #expect(
      try warnings(#"{"qid": 1, "pred_relevant_windows": [[4, 0, 1]]}"#, against: windows).contains(
        "1 windows end before they begin"))
    let captions = try Self.write(
      #"{"clip_id": 1, "descs": [{"desc": "a man"}]}"#, to: "c.jsonl", in: folder)
    let given = """
      {"clip_id": 1, "descs": [{"desc": "a man"}, {"desc": "a dog"}]}
      {"clip_id": 2, "descs": [{"desc": "a dog"}]}
      """
    let words = try warnings(given, against: captions)
    #expect(words.contains("1 captions are of clips that") && words.contains("1 clips have several captions"))
  }

  /// A name or an answer of a wrong type is refused, not taken for a hidden truth.
  @Test(arguments: [
    (#"{"desc_id": 1.5, "vid_name": "a"}"#, #"{"VR": [], "video2idx": {}}"#, "\"desc_id\" is 1.5, not an id"),
    (
      #"{"desc_id": 1, "vid_name": 7}"#, #"{"VR": [], "video2idx": {}}"#,
      "\"vid_name\" is an integer, not text"
    ),
    (#"{"qid": 1, "answer_idx": 2.5}"#, #"{"1": 2}"#, "the answer is 2.5, not a whole number"),
    (#"{"qid": 1, "answer_idx": "B"}"#, #"{"1": 2}"#, "the answer is \"B\", not a whole number"),
    (
      #"{"desc_id": 1, "vid_name": "a", "ts": ["0", "4"]}"#, #"{"VR": [], "video2idx": {}}"#,
      "\"ts\" is neither"
    ),
    (
      #"{"desc_id": 1, "vid_name": "a"}"#, #"{"VR": [], "video2idx": {"a": 1, "b": 1}}"#,
      "gives \"a\" and \"b\" one number, 1"
    ),
    (
      #"{"clip_id": 1, "descs": ["a"]}"#, #"{"clip_id": 1, "ts": "0-4", "descs": ["a"]}"#,
      "\"ts\" is \"0-4\", not [start, end] in seconds"
    ),
    (
      #"{"qid": 1, "relevant_windows": [[4, 0]]}"#, #"{"qid": 1, "pred_relevant_windows": []}"#,
      "relevant_windows"
    ),
  ])
  func wrongTypesAreRefused(references: String, predictions: String, says: String) throws {
    let file = try Self.write(references, to: "odd.jsonl", in: folder)
    let error = try #require(throws: DataError.self) { try score(predictions, against: file) }
    #expect("\(error)".contains(says), "\(error)")
  }

  /// Scoring two lists of 20,000 windows compares only the first few of an answer.
  @Test func longAnswersTakeTimeInProportion() throws {
    let windows = (0..<20_000).map { "[\($0),\($0 + 1)]" }.joined(separator: ",")
    let truth = try Self.write(
      "{\"qid\": 1, \"relevant_windows\": [\(windows)]}", to: "long.jsonl", in: folder)
    let figures = try score("{\"qid\": 1, \"pred_relevant_windows\": [\(windows)]}", against: truth)
    #expect(figures["R1@0.7"] == 100)
  }

  @Test func whatIsNoFileOfPredictionsIsRefused() throws {
    for text in [
      #"[{"video2idx": {"a": 3}, "VCMR": []}]"#, "[]", "[1, 2]", "{}\n{}\n", "7", #"{"desc_id": [1]}"#,
    ] {
      #expect(throws: DataError.self, "\(text)") { try score(text) }
    }
  }
}
