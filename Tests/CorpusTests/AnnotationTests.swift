import Formats
import TestSupport
import Testing

@testable import Corpus

/// Annotations in the forms in which the datasets' authors publish them.
@Suite struct AnnotationTests {
  /// Returns the raw rows of a store made from an annotation, and the messages of skipped rows.
  private func rows(
    _ task: TextStoreTask, _ annotation: String, _ change: (inout TextStoreBuilder) -> Void = { _ in }
  ) throws -> (rows: [String], skipped: [String]) {
    let folder = try TemporaryFolder()
    var builder = try folder.builder(task, annotation)
    change(&builder)
    var skipped: [String] = []
    let report = try builder.build { skipped.append($0) }
    let rows = try folder.contents("out.db/query_data.jsonl").split(separator: "\n").map(String.init)
    #expect(report.rows == rows.count && report.skipped == skipped.count)
    return (rows, skipped)
  }

  @Test func readsHow2R() throws {
    let found = try rows(
      .how2r,
      """
      ab-c_d,[60:120],[92.155:120.96],"a, ""b"", c"
      x,[0:60],[70:75],outside
      x,[0:60],[5:3],backwards
      x,[0:60],[1:2]
      x,[0:60],[1:2],\" \"
      x,[0:60],[nan:2],d
      y,[0:60],[1:2],d\r

      """)
    #expect(
      found.rows == [
        #"{"vid_name": "ab-c_d.1", "duration": 60.0, "ts": [32.155, 60.96], "desc": "a, \"b\", c", "desc_id": 0}"#,
        #"{"vid_name": "y.0", "duration": 60.0, "ts": [1.0, 2.0], "desc": "d", "desc_id": 6}"#,
      ])
    try #require(found.skipped.count == 5)
    #expect(found.skipped.first?.contains("line 2: the moment [70:75] does not start in the clip") == true)
    #expect(found.skipped[2].contains("line 4: has 3 fields"))
  }

  @Test func keepsHow2VideosWholeIfAsked() throws {
    let found = try rows(.how2r, "v,[60:120],[92.5:100],d\n") { $0.clipInterval = 0 }
    #expect(
      found.rows == [#"{"vid_name": "v", "duration": 120.0, "ts": [92.5, 100.0], "desc": "d", "desc_id": 0}"#]
    )
  }

  @Test func readsHow2QA() throws {
    let found = try rows(
      .how2qa, "v,[134.15:181.52],a,b,c,q?,d\nv,[7.2:18.0],a,b,c,q?,d\nv,[7.2:18.0],a,b,q?,d")
    #expect(
      found.rows == [
        #"{"qid": 0, "q": "q?", "a0": "d", "a1": "a", "a2": "b", "a3": "c", "answer_idx": 0, "#
          + #""vid_name": "v.2", "ts": "14.15-61.52"}"#,
        #"{"qid": 1, "q": "q?", "a0": "a", "a1": "d", "a2": "b", "a3": "c", "answer_idx": 1, "#
          + #""vid_name": "v.0", "ts": "7.2-18.0"}"#,
      ])
    try #require(found.skipped.count == 1)
  }

  @Test func readsDiDeMo() throws {
    let found = try rows(
      .didemo,
      """
      [{"num_segments": 6, "description": "d", "times": [[1, 1], [0, 5]], "video": "a@N0_x.y.mov", "annotation_id": 7},
       {"num_segments": 5, "description": "d", "times": [[1, 5]], "video": "b.mov", "annotation_id": 8},
       {"num_segments": 5, "description": "d", "times": [], "video": "b.mov", "annotation_id": 9},
       {"num_segments": 5, "description": "d", "times": [[0, 0]], "video": "b.mov"}, 3]
      """)
    #expect(
      found.rows == [
        #"{"vid_name": "a@N0_x.y", "duration": 30.0, "ts": [[5.0, 10.0], [0.0, 30.0]], "desc": "d", "desc_id": 7}"#
      ])
    try #require(found.skipped.count == 4)
    #expect(found.skipped[0].contains("row 2: [1,5] is not a first and a last of 5 segments"))
  }

  private static let videoDataInfo = """
    {"info": {}, "videos": [
      {"video_id": "video0", "split": "train", "start time": 137.72, "end time": 149.44, "id": 0},
      {"video_id": "video1", "split": "test", "id": 1}],
     "sentences": [{"caption": "a b", "video_id": "video0", "sen_id": 0}, {"caption": "c", "video_id": "video1", "sen_id": 1},
      {"caption": "c", "video_id": "video9", "sen_id": 2}]}
    """

  @Test func readsMSRVTT() throws {
    let found = try rows(.msrvtt, Self.videoDataInfo)
    #expect(
      found.rows == [
        #"{"sen_id": 0, "clip_name": "video0", "vid_name": "video0", "desc": "a b", "duration": 11.72}"#,
        #"{"sen_id": 1, "clip_name": "video1", "vid_name": "video1", "desc": "c"}"#,
      ])
    try #require(found.skipped.count == 1)
    #expect(try rows(.msrvtt, Self.videoDataInfo) { $0.split = "test" }.rows.count == 1)
    #expect(throws: DataError.self) { try rows(.msrvtt, Self.videoDataInfo) { $0.split = "dev" } }
  }

  @Test func readsTheListOfMSRVTT1kA() throws {
    let found = try rows(
      .msrvtt, "\u{FEFF}key,vid_key,video_id,sentence\nret0,msr9770,video9770,a person, x\nret1,m,video1,b\n")
    #expect(
      found.rows == [#"{"sen_id": "ret1", "clip_name": "video1", "vid_name": "video1", "desc": "b"}"#])
    try #require(found.skipped.count == 1)
    #expect(throws: DataError.self) { try rows(.msrvtt, "video_id\nvideo1\n") }
  }

  @Test func readsViolin() throws {
    let annotation = """
      {"c1": {"file": "c1", "split": "train", "statement": [["t", "f"], ["t", ""]], "sub": []},
       "c2": {"file": "c2", "split": "test", "statement": [["x", "y"]]}}
      """
    let found = try rows(.violin, annotation)
    try #require(found.rows.count == 4)
    #expect(found.rows[0] == #"{"desc_id": "c1-0-1", "vid_name": "c1", "label": true, "desc": "t"}"#)
    #expect(found.rows[1] == #"{"desc_id": "c1-0-0", "vid_name": "c1", "label": false, "desc": "f"}"#)
    try #require(found.skipped.count == 1)
    #expect(try rows(.violin, annotation) { $0.split = "test" }.rows.count == 2)
    #expect(try rows(.violin, annotation.replacing("\n ", with: "")).rows == found.rows)
  }

  @Test func readsTVQA() throws {
    let found = try rows(
      .tvqa,
      """
      {"qid": 1, "q": "q", "a0": "a", "a1": "b", "a2": "c", "a3": "d", "a4": "e", "vid_name": "v", "answer_idx": 4}
      {"qid": 2, "q": "q", "a0": "a", "a1": "b", "a2": "c", "a3": "d", "a4": "e", "vid_name": "v"}
      {"qid": 3, "q": "q", "a0": "a", "a1": "b", "a2": "c", "a3": "d", "a4": "e", "vid_name": "v", "answer_idx": 5}
      {"qid": 4, "q": "q", "a0": "a", "a1": "b", "a2": "c", "a3": "d", "vid_name": "v", "answer_idx": 1}
      """)
    #expect(found.rows.count == 2 && found.skipped.count == 2)
  }

  @Test func goesOnBehindAQuoteLeftOpen() throws {
    let found = try rows(.how2r, "v,[0:60],[1:2],\"open\nv,[0:60],[3:4],b\nv,[0:60],[5:6],\"two\nlines\"\n")
    try #require(found.rows.count == 2)
    try #require(found.skipped.count == 1)
    #expect(found.skipped[0].contains("line 1: a quote is opened and not closed"))
    #expect(found.rows[1].contains(#""desc": "two\nlines""#))
  }

  /// A file with one unclosed quote, or with one in every line, is read in a few passes.
  @Test func quotesLeftOpenDoNotReadTheFileAgainAndAgain() throws {
    let folder = try TemporaryFolder()
    func records(_ text: String) throws -> (good: Int, bad: Int) {
      let path = try folder.file("t.csv", text)
      var (good, bad) = (0, 0)
      try CSVRecords.read(path: path) { _, fields in
        if case .success = fields { good += 1 } else { bad += 1 }
      }
      return (good, bad)
    }
    let time = try ContinuousClock().measure {
      #expect(try records("v,\"open\n" + String(repeating: "v,b\n", count: 65_000)) == (65_000, 1))
      let error = try #require(throws: DataError.self) {
        try records(String(repeating: "\",a\"b,\"\n", count: 65_000))
      }
      #expect(error.problem.contains("quotes do not match") && error.place != nil)
    }
    #expect(time < .seconds(60))
  }

  /// Rows longer than a megabyte are read in any order, as lines or as one list, with any line
  /// ends.
  @Test func readsLongRowsAndListsOfRows() throws {
    let row =
      #"{"desc_id": 1, "vid_name": "v", "desc": "a", "note": "\#(String(repeating: "x", count: 2_000_000))"}"#
    let other = #"{"desc_id": 2, "vid_name": "v", "desc": "a"}"#
    for text in ["\(row)\n\(other)\n", "\(other)\r\n\(row)", "[\(row),\n\(other)]", "\(row)\r\(other)\r"] {
      #expect(try rows(.tvr, text).rows.count == 2)
    }
    #expect(try rows(.tvr, "[\(other)]").rows.count == 1)
  }

  @Test func namesTheTaskOfOtherRows() throws {
    func problem(_ task: TextStoreTask, _ row: String) throws -> String {
      let error = try #require(throws: DataError.self) { _ = try rows(task, row) }
      return error.description
    }
    let question =
      #"{"qid": 1, "q": "q", "a0": "a", "a1": "b", "a2": "c", "a3": "d", "a4": "e", "vid_name": "v"}"#
    #expect(try problem(.tvr, question).contains("Give --task tvqa"))
    #expect(try problem(.how2qa, question).contains("a question with 5 answers"))
    #expect(
      try problem(.violin, #"{"desc_id": 1, "desc": "a", "vid_name": "v", "ts": [0, 1]}"#).contains("tvr"))
    let statement = #"{"desc_id": 1, "desc": "a", "vid_name": "v", "label": true}"#
    #expect(try problem(.tvr, statement).contains("Give --task violin"))
    let clip =
      #"{"clip_id": 1, "vid_name": "v", "ts": [0, 1], "duration": 3, "descs": [{"desc": "a", "desc_id": 1}]}"#
    #expect(try problem(.tvr, clip).contains("Give --task tvc"))
    #expect(try problem(.tvqa, #"{"vid_name": "v", "sub": []}"#).contains("Give --task subtitles"))
    #expect(try problem(.tvr, #"{"desc_id": 1, "desc": "a"},"# + "\n" + statement).contains("a comma after"))
    #expect(try rows(.violin, statement.replacing(", \"label\": true", with: "")).rows.count == 1)
  }

  @Test(
    .enabled(if: SharedData.real != nil, "needs shared/real"),
    arguments: [
      (TextStoreTask.how2r, "how2r_val.csv", 4076), (.how2qa, "how2qa_val.csv", 2852),
      (.didemo, "didemo_val.json", 4180), (.tvr, "tvr_val_release.jsonl", 10895),
    ])
  func readsWhatWasPublished(_ task: TextStoreTask, _ file: String, count: Int) throws {
    let real = try #require(SharedData.real)
    let folder = try TemporaryFolder()
    let builder = TextStoreBuilder(
      task: task, annotation: real.appendingPathComponent(file).path, output: folder.path("out.db"),
      tokenizer: real.appendingPathComponent("roberta-base").path)
    let report = try builder.build { Issue.record("skipped \($0)") }
    #expect(report.rows == count && report.skipped == 0)
    #expect(try LMDBReader(path: folder.path("out.db")).count == count)
  }
}

@Suite struct CSVRecordsTests {
  @Test(arguments: [
    ("a,b", [["a", "b"]]), ("\"a,\"\"b\"\"\",c\r\n\r\nd,", [["a,\"b\"", "c"], ["d", ""]]),
    ("a 4\" pipe,b\nc,d", [["a 4\" pipe", "b"], ["c", "d"]]), ("\"x\ny\",z", [["x\ny", "z"]]), ("", []),
    ("\"a\"b,c", [["ab", "c"]]),
  ])
  func readsAsPython(_ text: String, records: [[String]]) throws {
    let folder = try TemporaryFolder()
    var found: [[String]] = []
    try CSVRecords.read(path: try folder.file("a.csv", text)) { _, fields in found.append(try fields.get()) }
    #expect(found == records)
  }

  @Test func boundsARecordWhoseQuoteIsLeftOpen() throws {
    let folder = try TemporaryFolder()
    let lines = ["\"open"] + Array(repeating: String(repeating: "x", count: 99) + ",y", count: 3000)
    var (good, bad) = (0, 0)
    try CSVRecords.read(path: try folder.file("a.csv", lines.joined(separator: "\n"))) { _, fields in
      if (try? fields.get()) == nil { bad += 1 } else { good += 1 }
    }
    #expect(good == 3000 && bad == 1)
  }
}
