import Formats
import Foundation
import Synchronization
import TestSupport
import Testing

@testable import Training

/// Predictions and references whose numbers do not mean what they seem to mean.
///
/// Each case is reported, or refused with the cause.
@Suite struct OddPredictionTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func score(
    _ predictions: String, _ references: String, task: RunTask? = nil
  ) throws -> (figures: [String: Double], said: String) {
    let told = Mutex("")
    let console = Console(isTerminal: false, width: { 900 }, write: { text in told.withLock { $0 += text } })
    var scoring = PredictionScoring(
      predictions: try folder.file("predictions.json", predictions),
      references: try folder.file("truth.jsonl", references))
    scoring.task = task
    let figures = try scoring.run(log: RunLog(console: console)).figures
    return (Dictionary(uniqueKeysWithValues: figures.map { ($0.name, $0.value) }), told.withLock { $0 })
  }

  private func refused(_ predictions: String, _ references: String, task: RunTask? = nil) throws -> String {
    let error = try #require(throws: DataError.self) { try score(predictions, references, task: task) }
    return "\(error)"
  }

  private static let moment =
    #"{"desc_id": 1, "desc": "one", "vid_name": "a", "duration": 20.0, "ts": [0, 4]}"#

  @Test func momentsOfUnknownVideosAndWithoutOrder() throws {
    let (figures, said) = try score(
      #"{"video2idx": {"a": 3}, "VCMR": [{"desc_id": 1, "predictions": [[9, 0, 4, 0.1], [3.0, 0, 4, 0.9]]}]}"#,
      Self.moment)
    #expect(said.contains("1 predictions of VCMR are of videos without a name"), "\(said)")
    #expect(said.contains("predictions of 1 queries of VCMR do not come by falling score"), "\(said)")
    // 3.0 is the video number 3.
    #expect(figures["valid_val_VCMR/VCMR_0.5-r1"] == 0 && figures["valid_val_VCMR/VCMR_0.5-r5"] == 100)
  }

  @Test func momentsInAnotherUnit() throws {
    let right = #"{"video2idx": {"a": 3}, "VCMR": [{"desc_id": 1, "predictions": [[3, 0, 4, 0.9]]}]}"#
    let late = Self.moment.replacing("[0, 4]", with: "[4000, 9000]")
    #expect(try score(right, late).said.contains("1 true moments begin after their video ends"))
    #expect(try !score(right, Self.moment).said.contains("after their video"))
    let none = Self.moment.replacing(#", "ts": [0, 4]"#, with: "")
    #expect(try score(right, none).said.contains("so VCMR is not measured"))
  }

  private static func questions(_ answers: [Int]) -> String {
    let choices = (0..<5).map { #""a\#($0)": "answer \#($0)""# }.joined(separator: ", ")
    return answers.enumerated().map { number, answer in
      #"{"qid": \#(number), "q": "q", \#(choices), "answer_idx": \#(answer), "vid_name": "v", "ts": "0-3"}"#
    }.joined(separator: "\n")
  }

  private static func answers(_ answers: [Any]) -> String {
    "{" + answers.enumerated().map { #""\#($0)": \#($1)"# }.joined(separator: ", ") + "}"
  }

  @Test func answersThatAreNone() throws {
    let truth = Self.questions([0, 1, 2, 3, 4, 0])
    let (figures, said) = try score(Self.answers([0, 7, 2.0, "\"3\"", 4, 0]), truth, task: .tvqa)
    let accuracy = try #require(figures["valid/acc"])
    #expect(abs(accuracy - 5.0 / 6) < 1e-4)
    #expect(said.contains("1 answers are no place from 0 to 4, the first 7. They count as wrong"), "\(said)")
    let shifted = try refused(Self.answers([1, 2, 3, 4, 5, 1]), truth, task: .tvqa)
    #expect(shifted.contains("predictions.json: counts answers from 1"), "\(shifted)")
    let other = try refused(
      Self.answers([0, 1, 2, 3, 4, 0]), Self.questions([1, 2, 3, 4, 5, 1]), task: .tvqa)
    #expect(other.contains("truth.jsonl: counts answers from 1"), "\(other)")
    let error = try refused(Self.answers([0, true, 2, 3, 4, 0]), truth, task: .tvqa)
    #expect(
      error.contains("question 1: the answer is true or false, and the questions have 5 answers"), "\(error)")
  }

  @Test func idsInAnotherNormalization() throws {
    let truth = Self.questions([0]).replacing("\"qid\": 0", with: "\"qid\": \"caf\u{E9}\"")
    let error = try refused("{\"cafe\u{301}\": 0}", truth, task: .tvqa)
    #expect(error.contains("1 of these differ in Unicode normalization only"), "\(error)")
  }

  /// Predictions in another task's format, or in none, are refused.
  @Test func formsOfOtherTasks() throws {
    let captions = #"{"clip_id": 1, "descs": [{"desc": "a man"}]}"#
    #expect(try refused(#"{"1": "a man"}"#, captions, task: .tvc).contains("not predictions of tvc"))
    let plain = try refused(#"{"clip_id": 1, "caption": "a man"}"#, captions, task: .tvc)
    #expect(plain.contains("predictions.json: no row has a caption under \"descs\""), "\(plain)")
    #expect(
      try refused(#"{"video2idx": {"a": 1}, "XYZ": []}"#, Self.moment).contains(
        "predictions.json: holds no predictions of a known form"))
    let missing = try refused(
      captions, captions + "\n" + captions.replacing("\"clip_id\": 1", with: "\"clip_id\": 2"))
    #expect(
      missing.contains("predictions.json, clip 2: 1 clips have references but no prediction"), "\(missing)")
    let empty = captions.replacing("a man", with: "")
    #expect(try score(empty, captions).said.contains("1 captions are empty. They count as wrong"))
  }

  /// Figures of moments count only queries with a moment; figures of videos count all.
  @Test func aQueryWithoutAMomentAmongOthers() throws {
    func row(_ id: Int, _ more: String) -> String {
      #"{"desc_id": \#(id), "desc": "a", "vid_name": "v"\#(more)}"#
    }
    let truth = row(1, #", "ts": [0, 4]"#) + "\n" + row(2, "")
    let found = (1...2).map { #"{"desc_id": \#($0), "predictions": [[3, 0, 4, 1]]}"# }.joined(separator: ",")
    let (figures, said) = try score(
      #"{"video2idx": {"v": 3}, "SVMR": [\#(found)], "VR": [\#(found)]}"#, truth, task: .tvr)
    #expect(figures["valid_val_SVMR/SVMR_0.5-r1"] == 100 && figures["valid_val_VR/VR_r1"] == 100)
    #expect(said.contains("1 of 2 queries, the first 2, have no moment"), "\(said)")
  }

  @Test func windowsOfOtherVideos() throws {
    let truth = """
      {"qid": 1, "query": "q", "vid": "a", "duration": 20, "relevant_windows": [[2, 6]], \
      "relevant_clip_ids": [1.0, 2], "saliency_scores": [[1, 1, 2], [4, 4, 4]]}
      """
    let answer = """
      {"qid": 1.0, "vid": "a", "pred_relevant_windows": [[2, 6, 0.9]], \
      "pred_saliency_scores": [0, 0, 1, 0, 0, 0, 0, 0, 0, 0]}
      """
    let plain = try score(answer, truth)
    #expect(plain.figures["HL-min-VeryGood-Hit1"] == 100 && !plain.said.contains("warning"), "\(plain.said)")
    let other = try score(answer.replacing("\"vid\": \"a\"", with: "\"vid\": \"b\""), truth).said
    #expect(other.contains("1 queries, the first 1, name another video"), "\(other)")
    let few = try score(answer.replacing("[0, 0, 1, 0, 0, 0, 0, 0, 0, 0]", with: "[0, 0, 1]"), truth).said
    #expect(few.contains("have not one of \"pred_saliency_scores\" for each clip"), "\(few)")
    let late = try score(answer, truth.replacing("[[2, 6]]", with: "[[2000, 6000]]")).said
    #expect(late.contains("begin after their video ends"), "\(late)")
    #expect(
      try refused(answer, truth.replacing("[1, 1, 2]", with: "[NaN, 1, 2]")).contains(
        "the scores of clip 1 are not 3 numbers"))
  }

  /// The references tell the task of the answers.
  @Test func theKindOfAnswersIsToldByTheReferences() throws {
    let (figures, _) = try score(
      #"{"0": 1, "1": 0, "2": 1, "3": 1, "4": 1}"#, Self.questions([0, 0, 1, 2, 3]))
    #expect(figures["valid/acc"] == 0.4)
    let table = "v,[0:4],one,two,three,how many?,four\nv,[0:4],one,two,three,how many?,four"
    #expect(try score(#"{"0": 0, "1": 0}"#, table).figures["valid/acc"] == 0.5)
    let clips = #"{"v": {"file": "v", "split": "val", "statement": [["right", "wrong"]]}}"#
    #expect(try score(#"{"v-0-1": 1, "v-0-0": 1}"#, clips).figures["valid/val_acc"] == 0.5)
    let events = #"{"example_id": 1, "events": ["a", "b"], "answer": 0, "vid_name": "v", "ts": [0, 1]}"#
    #expect(try score(#"{"1": 0}"#, events).figures["valid/acc"] == 1)
    let captions = #"{"vid_name": "a", "clip_id": 1, "ts": [0, 1], "descs": []}"#
    #expect(try refused(#"{"1": 0}"#, captions).contains("is an annotation of tvc"))
    let queries = #"{"desc_id": 1, "desc": "a", "vid_name": "v", "ts": [0, 1]}"#
    #expect(try refused(#"{"1": 0}"#, queries).contains("is an annotation of tvr"))
    // Rows of another kind are not taken for queries.
    let found = #"{"video2idx": {"v": 3}, "VR": [{"desc_id": 1, "predictions": [3]}]}"#
    #expect(try refused(found, Self.questions([0])).contains("not a row of tvr"))
    let didemo =
      #"[{"annotation_id": 1, "description": "d", "video": "v", "num_segments": 6, "times": [[0, 0]]}]"#
    #expect(try score(found, didemo).figures["valid_val_VR/VR_r1"] == 100)
  }

  /// Questions with a hidden answer are skipped and reported.
  @Test func hiddenAnswersAmongOthersAreTold() throws {
    let rows = Self.questions([0, 1, 2]).replacing(#""answer_idx": 1"#, with: #""answer_idx": null"#)
    let (figures, said) = try score(#"{"0": 0, "1": 1, "2": 1}"#, rows)
    #expect(figures["valid/acc"] == 0.5)
    #expect(said.contains("1 of 3 rows, the first 1, do not tell what is right"), "\(said)")
  }
}
