import Formats
import TestSupport
import Testing

@testable import Corpus

/// Ids and answers written with a decimal point, and captions that are empty or come twice.
@Suite struct OddNumberTests {
  /// Numbers that pandas and numpy write as `12.0` or `1e3` are read as whole numbers.
  @Test func wholeNumbersWithAPoint() throws {
    let folder = try TemporaryFolder()
    let builder = try folder.builder(
      .violin,
      """
      {"desc_id": 12.0, "desc": "a", "vid_name": "v", "label": 1.0}
      {"desc_id": 1e3, "desc": "b", "vid_name": "v", "label": 0}

      """)
    let report = try builder.build { Issue.record("\($0)") }
    #expect(report.rows == 2)
    let store = try ViolinStore(path: builder.output)
    #expect(store.ids == ["12", "1000"])
    #expect(try store.statement("12").label == true)
    #expect(try store.statement("1000").label == false)
  }

  /// An id of QVHighlights or DiDeMo that has the wrong type is reported with its value.
  @Test func idsOfOtherForms() throws {
    let windows = #"{"qid": 1, "query": "a", "vid": "v", "duration": 9, "relevant_windows": [[1, 2]]}"#
    let first = try TemporaryFolder()
    let other = windows.replacing("\"qid\": 1", with: "\"qid\": 1.5")
    var said: [String] = []
    #expect(try first.builder(.qvhighlights, "\(windows)\n\(other)\n").build { said.append($0) }.rows == 1)
    #expect(said.joined().contains("\"qid\" is 1.5, not an id: a text or a whole number"), "\(said)")
    let row =
      #"{"annotation_id": 1, "description": "a", "video": "v.mp4", "num_segments": 6, "times": [[0, 1]]}"#
    let folder = try TemporaryFolder()
    let builder = try folder.builder(
      .didemo, "[\(row),\n\(row.replacing("\"annotation_id\": 1", with: "\"annotation_id\": true"))]\n")
    var told: [String] = []
    #expect(try builder.build { told.append($0) }.rows == 1)
    #expect(told.joined().contains("\"annotation_id\" is true, not an id"), "\(told)")
  }

  /// Empty captions of whole videos, repeated ids and clips beyond the end of their video are
  /// reported.
  @Test func oddCaptions() throws {
    let folder = try TemporaryFolder()
    let task = try #require(TextStoreTask(rawValue: "yc2c"))
    let report = try folder.builder(
      task,
      """
      {"vid_name": "v", "desc_id": 1, "desc": "a"}
      {"vid_name": "w", "desc_id": 1, "desc": "b"}
      {"vid_name": "w", "desc_id": 2, "desc": " "}

      """
    ).build { Issue.record("\($0)") }
    #expect(
      report.notes.contains("1 captions have an id that an earlier one has; the last counts"),
      "\(report.notes)")
    #expect(
      report.notes.contains("1 captions, the first \"2\", have no words; they are kept"), "\(report.notes)")
    let second = try TemporaryFolder()
    var builder = try second.builder(
      .tvc,
      """
      {"vid_name": "v", "clip_id": 1, "duration": 20, "ts": [1, 4], "descs": [{"desc_id": 1, "desc": "a"}]}
      {"vid_name": "v", "clip_id": 2, "duration": 20, "ts": [1000, 4000], "descs": [{"desc_id": 2, "desc": "b"}]}
      {"vid_name": "v", "clip_id": 3, "duration": 20, "ts": [5, 5], "descs": [{"desc_id": 3, "desc": "c"}]}

      """)
    builder.subtitles = try second.file("s.jsonl", #"{"vid_name": "v", "sub": []}"#)
    let clips = try builder.build { Issue.record("\($0)") }
    #expect(
      clips.notes.contains { $0.hasPrefix("1 clips, the first \"2\", end after their video does") },
      "\(clips.notes)")
    #expect(
      clips.notes.contains("1 clips, the first \"3\", end when they begin; they are kept"), "\(clips.notes)")
  }

  /// Ids and videos that differ in Unicode normalization only stay apart and are reported.
  @Test func idsThatLookTheSame() throws {
    let (one, other) = (NameTests.composed, NameTests.decomposed)
    let queries = try TemporaryFolder()
    let report = try queries.builder(
      .tvr,
      """
      {"desc_id": "\(one)", "desc": "a", "vid_name": "v", "ts": [0, 1]}
      {"desc_id": "\(other)", "desc": "b", "vid_name": "v", "ts": [0, 1]}

      """
    ).build { Issue.record("\($0)") }
    #expect(report.rows == 2 && report.notes.count == 1, "\(report.notes)")
    #expect(report.notes[0].contains("differ in Unicode normalization only"), "\(report.notes)")
    let captions = try TemporaryFolder()
    let task = try #require(TextStoreTask(rawValue: "vatex_en_c"))
    let clips = try captions.builder(
      task,
      """
      {"vid_name": "\(one)", "desc_id": 1, "desc": "a"}
      {"vid_name": "\(other)", "desc_id": 2, "desc": "b"}

      """
    ).build { Issue.record("\($0)") }
    // A whole video's name is also its id.
    #expect(
      clips.notes.count == 2 && clips.notes.allSatisfy { $0.contains("normalization only") }, "\(clips.notes)"
    )
  }
}
