import Formats
import TestSupport
import Testing

@testable import Corpus

/// Annotations in the forms of QVHighlights, Charades-STA, ActivityNet Captions and TACoS.
@Suite struct WindowAnnotationTests {
  private func rows(
    _ task: String, _ annotation: String
  ) throws -> (rows: [String], skipped: [String], store: QueryStore, folder: TemporaryFolder) {
    let folder = try TemporaryFolder()
    let builder = try folder.builder(try #require(TextStoreTask(rawValue: task)), annotation)
    var skipped: [String] = []
    try builder.build { skipped.append($0) }
    let rows = try folder.contents("out.db/query_data.jsonl").split(separator: "\n").map(String.init)
    return (rows, skipped, try QueryStore(path: folder.path("out.db")), folder)
  }

  @Test(arguments: ["qvhighlights", "charades_sta", "activitynet", "tacos"])
  func linesOfMomentDETR(task: String) throws {
    let found = try rows(
      task,
      """
      {"qid": 9, "query": "a b", "duration": 10, "vid": "v_1.0_11.0", "relevant_clip_ids": [1, 4], \
      "saliency_scores": [[4, 3, 2], [1, 1, 0]], "relevant_windows": [[2, 4], [8, 10]]}
      {"qid": "s_1", "query": "c", "duration": 3.5, "vid": "w", "relevant_windows": [[0.5, 3.5]]}
      {"qid": 11, "query": "d", "duration": 4, "vid": "w"}
      {"qid": 12, "query": " ", "duration": 4, "vid": "w"}
      {"qid": 13, "query": "d", "duration": 4, "vid": "w", "relevant_windows": []}
      {"qid": 14, "query": "d", "duration": 4, "vid": "w", "relevant_windows": [[3, 1]]}
      {"qid": 15, "query": "d", "duration": 4}
      {"query": "d", "vid": "w"}
      [1]

      """)
    #expect(
      found.rows == [
        #"{"desc_id": 9, "desc": "a b", "vid_name": "v_1.0_11.0", "duration": 10, "ts": [[2, 4], [8, 10]], "#
          + #""relevant_clip_ids": [1, 4], "saliency_scores": [[4, 3, 2], [1, 1, 0]]}"#,
        #"{"desc_id": "s_1", "desc": "c", "vid_name": "w", "duration": 3.5, "ts": [[0.5, 3.5]]}"#,
        #"{"desc_id": 11, "desc": "d", "vid_name": "w", "duration": 4}"#,
      ])
    #expect(found.skipped.count == 6)
    #expect(found.store.holdsWindows)
    #expect(try found.store.query("9").spans == [TimeSpan(start: 2, end: 4), TimeSpan(start: 8, end: 10)])
    #expect(try found.store.query("11").spans.isEmpty)
  }

  @Test func textOfCharadesSTA() throws {
    let found = try rows(
      "charades_sta",
      """
      3MSZA 24.3 30.4##person turn a light on.
      AO8RW 0.0 6.9##a person ## is putting\r
      3MSZA 1 2.5##c

      3MSZA 9.0 8.0##backwards
      3MSZA 1 2 words
      3MSZA one 2##d
      3MSZA 3 4##e

      """)
    #expect(
      found.rows == [
        #"{"desc_id": "3MSZA_0", "desc": "person turn a light on.", "vid_name": "3MSZA", "ts": [[24.3, 30.4]]}"#,
        #"{"desc_id": "AO8RW_0", "desc": "a person ## is putting", "vid_name": "AO8RW", "ts": [[0.0, 6.9]]}"#,
        #"{"desc_id": "3MSZA_1", "desc": "c", "vid_name": "3MSZA", "ts": [[1.0, 2.5]]}"#,
        #"{"desc_id": "3MSZA_3", "desc": "e", "vid_name": "3MSZA", "ts": [[3.0, 4.0]]}"#,
      ])
    #expect(found.skipped.count == 3)
  }

  @Test func documentOfActivityNet() throws {
    let document = """
      {"v_a.b": {"duration": 20.5, "timestamps": [[0, 5.5], [5, 3]], "sentences": ["one", "two"]},
       "v_c": {"duration": 9, "timestamps": [[1, 2]], "sentences": []},
       "v_d": {"timestamps": [[1, 2]], "sentences": ["three"]}}
      """
    for text in [document, document.split(separator: "\n").joined()] {
      let found = try rows("activitynet", text)
      #expect(
        found.rows == [
          #"{"desc_id": "v_a.b_0", "desc": "one", "vid_name": "v_a.b", "duration": 20.5, "ts": [[0, 5.5]]}"#,
          #"{"desc_id": "v_d_0", "desc": "three", "vid_name": "v_d", "ts": [[1, 2]]}"#,
        ])
      #expect(found.skipped.count == 2)
    }
  }

  @Test func framesOfTACoS() throws {
    let found = try rows(
      "tacos",
      """
      {"s1-d2.avi": {"timestamps": [[5, 10], [10, 20]], "fps": 2.5, "num_frames": 100, "sentences": ["a", "b"]},
       "s3.avi": {"timestamps": [[5, 10]], "fps": 0, "num_frames": 100, "sentences": ["a"]}}
      """)
    #expect(
      found.rows == [
        #"{"desc_id": "s1-d2_0", "desc": "a", "vid_name": "s1-d2", "duration": 40.0, "ts": [[2.0, 4.0]]}"#,
        #"{"desc_id": "s1-d2_1", "desc": "b", "vid_name": "s1-d2", "duration": 40.0, "ts": [[4.0, 8.0]]}"#,
      ])
    #expect(found.skipped.count == 1)
  }

  /// Timestamps beside `fps` may be seconds.
  ///
  /// Taken for frames, every moment would lie at the beginning.
  @Test func secondsBesideAFrameRate() throws {
    let found = try rows(
      "charades_sta",
      """
      {"AO8RW": {"duration": 33.67, "timestamps": [[0, 7]], "fps": 29.97, "num_frames": 1009, "sentences": ["a"]},
       "B": {"timestamps": [[0.5, 7]], "fps": 29.97, "sentences": ["b"]},
       "C": {"duration": 33.67, "timestamps": [[30, 90]], "fps": 30, "num_frames": 1010, "sentences": ["c"]},
       "D": {"timestamps": [[30, 90]], "num_frames": 1010, "sentences": ["d"]}}
      """)
    #expect(
      found.rows == [
        #"{"desc_id": "AO8RW_0", "desc": "a", "vid_name": "AO8RW", "duration": 33.67, "ts": [[0, 7]]}"#,
        #"{"desc_id": "B_0", "desc": "b", "vid_name": "B", "ts": [[0.5, 7]]}"#,
        #"{"desc_id": "C_0", "desc": "c", "vid_name": "C", "duration": 33.666666666666664, "ts": [[1.0, 3.0]]}"#,
      ])
    #expect(found.skipped.count == 1 && found.skipped[0].contains("fps"), "\(found.skipped)")
  }

  @Test func listsOfFour() throws {
    let found = try rows(
      "charades_sta",
      #"[["A", 33.67, [0.0, 6.9], "one"], ["A", 33.67, [1, 2], "two"], ["A", "x", [1, 2], "three"]]"#)
    #expect(
      found.rows == [
        #"{"desc_id": "A_0", "desc": "one", "vid_name": "A", "duration": 33.67, "ts": [[0.0, 6.9]]}"#,
        #"{"desc_id": "A_1", "desc": "two", "vid_name": "A", "duration": 33.67, "ts": [[1, 2]]}"#,
      ])
    #expect(found.skipped.count == 1)
  }

  @Test(arguments: ["NaN", "[55.15]", "0", "-1", "\"55\"", "1e12"])
  func durationsThatAreNone(_ duration: String) throws {
    let row = #"{"qid": 1, "query": "a", "vid": "v", "relevant_windows": [[1, 2]], "duration": "#
    let found = try rows("qvhighlights", row + duration + "}\n" + row + "5}\n")
    #expect(found.rows.count == 1 && found.skipped.count == 1 && found.skipped[0].contains("duration"))
  }

  @Test func momentsAsFractionsAreTold() throws {
    func notes(_ last: Double) throws -> String {
      let folder = try TemporaryFolder()
      let spans = (1...6).map { "[0.\($0), \($0 == 6 ? last : 0.9)]" }
      let sentences = spans.map { _ in #""a""# }.joined(separator: ",")
      let text =
        #"{"v": {"duration": 40, "timestamps": [\#(spans.joined(separator: ","))], "sentences": [\#(sentences)]}}"#
      return
        "\(try folder.builder(try #require(TextStoreTask(rawValue: "activitynet")), text).build { _ in })"
    }
    #expect(try notes(1).contains("multiply fractions"))
    #expect(try !notes(12).contains("multiply fractions"))
  }

  @Test func otherTasksAreNamed() throws {
    let row = #"{"qid": 1, "query": "a", "vid": "v", "relevant_windows": [[0, 1]]}"# + "\n"
    let error = try #require(throws: DataError.self) { try rows("tvr", row) }
    #expect(error.cure?.contains("qvhighlights") == true)
    #expect(throws: DataError.self) { try rows("tacos", #"{"qid": 1, "q": "a", "a0": "b"}"# + "\n") }
  }
}
