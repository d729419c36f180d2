import Formats
import TestSupport
import Testing

@testable import Corpus

/// Annotations whose fields have a wrong type, order or meaning.
///
/// Each such row is skipped with its reason, and none is read with another meaning.
@Suite struct OddRowsTests {
  /// Returns the reason for which an annotation's only bad row is skipped.
  private func reason(
    _ task: TextStoreTask, _ good: String, _ bad: String,
    _ change: (inout TextStoreBuilder) -> Void = { _ in }
  ) throws -> String {
    let folder = try TemporaryFolder()
    var builder = try folder.builder(task, "\(good)\n\(bad)\n")
    builder.vid2nframe = try folder.file("frames.json", #"{"v": 4, "w": 4}"#)
    builder.subtitles = try folder.file(
      "s.jsonl", #"{"vid_name": "v", "sub": []}"# + "\n" + #"{"vid_name": "w", "sub": []}"#)
    change(&builder)
    var told: [String] = []
    let report = try builder.build { told.append($0) }
    #expect(report.rows == 1 && report.skipped == 1, "\(report)")
    return told.joined()
  }

  private static let question =
    #"{"qid": 1, "q": "q", "a0": "a", "a1": "b", "a2": "c", "a3": "d", "a4": "e", "answer_idx": 0, "vid_name": "v"}"#

  @Test(arguments: [
    (#""answer_idx": 0"#, #""answer_idx": 1.5"#, "\"answer_idx\" is 1.5, not an answer from 0 to 4"),
    (#""answer_idx": 0"#, #""answer_idx": 5"#, "\"answer_idx\" is 5"),
    (#""answer_idx": 0"#, #""answer_idx": "B""#, "\"answer_idx\" is \"B\""),
    (#""answer_idx": 0"#, #""answer_idx": true"#, "\"answer_idx\" is true"),
    (#""a3": "d""#, #""a3": null"#, "\"a3\" is null, not text"),
    (#""a3": "d""#, #""a3": 3"#, "\"a3\" is an integer, not text"),
    (#""a3": "d""#, #""b": 3"#, "no \"a3\""),
    (#""vid_name": "v""#, #""vid_name": ["v"]"#, "\"vid_name\" is a list"),
    (#""vid_name": "v""#, #""vid_name": "v", "ts": "9.0-3.0""#, "\"ts\" is \"9.0-3.0\""),
    (#""vid_name": "v""#, #""vid_name": "v", "ts": [1, 1e300]"#, "\"ts\" is [1,1e+300]"),
    (#""vid_name": "v""#, #""vid_name": "v", "ts": {"start": 1}"#, "\"ts\" is {"),
    (#""vid_name": "v""#, #""vid_name": "v", "a5": "f""#, "has more than 5 answers (\"a5\")"),
    (#""qid": 2"#, #""qid": null"#, "\"qid\" is null, not an id"),
    (#""qid": 2"#, #""qid": [2]"#, "\"qid\" is [2], not an id"),
    (#""qid": 2"#, #""qid": "1""#, "the id \"1\" occurs twice"),
  ])
  func questions(_ field: String, _ other: String, _ says: String) throws {
    let row = Self.question.replacing(#""qid": 1"#, with: #""qid": 2"#)
    #expect(row.contains(field))
    let told = try reason(.tvqa, Self.question, row.replacing(field, with: other))
    #expect(told.contains("line 2: ") && told.contains(says), "\(told)")
  }

  @Test(arguments: [
    (#"{"desc_id": 2, "desc": "a", "vid_name": "v", "label": "true"}"#, "\"label\" is \"true\", neither"),
    (#"{"desc_id": 2, "desc": "a", "vid_name": "v", "label": 2}"#, "\"label\" is 2, neither"),
    (#"{"desc_id": 2, "desc": "a", "vid_name": "v", "label": 0.5}"#, "\"label\" is 0.5, neither"),
    (#"{"desc_id": 2, "desc": "a", "label": true}"#, "no \"vid_name\""),
  ])
  func statements(_ row: String, _ says: String) throws {
    let good = #"{"desc_id": 1, "desc": "a", "vid_name": "v", "label": true}"#
    #expect(try reason(.violin, good, row).contains(says))
  }

  @Test(arguments: [
    (#""events": ["a"]"#, #""answer": 0"#, "no two \"events\""),
    (#""events": ["a", 1]"#, #""answer": 0"#, "not text"),
    (#""events": ["a", "b"]"#, #""answer": 2"#, "\"answer\" is 2"),
  ])
  func futures(_ events: String, _ answer: String, _ says: String) throws {
    let task = try #require(TextStoreTask(rawValue: "vlep"))
    let good = #"{"example_id": 1, "events": ["a", "b"], "answer": 0, "vid_name": "v"}"#
    #expect(
      try reason(task, good, "{\"example_id\": 2, \(events), \(answer), \"vid_name\": \"v\"}").contains(says))
  }

  @Test(arguments: [
    (#""ts": [1, 2]"#, #""ts": [2, 1]"#, "\"ts\" is [2,1]"),
    (#""ts": [1, 2]"#, #""ts": ["1", "2"]"#, "\"ts\" is"),
    (#""ts": [1, 2]"#, #""ts": [-1, 2]"#, "\"ts\" is [-1,2]"),
    (#""ts": [1, 2]"#, #""ts": null"#, "\"ts\" is null"),
    (#""duration": 4"#, #""duration": "4""#, "\"duration\" is \"4\", not a number"),
    (#""duration": 4"#, #""duration": -4"#, "\"duration\" is -4.0"),
    (#""duration": 4"#, #""duration": NaN"#, "\"duration\" is"),
    (#""clip_id": 2"#, #""clip_id": 1.5"#, "\"clip_id\" is"),
    (#""descs": []"#, #""descs": "text""#, "\"descs\" is a string, not a list"),
    (#""descs": []"#, #""descs": ["text"]"#, "a caption is a string"),
    (#""descs": []"#, #""descs": [{"desc_id": 1}]"#, "no \"desc\""),
    (#""descs": []"#, #""descs": [{"desc_id": 1, "desc": 4}]"#, "\"desc\" is an integer"),
    (#""vid_name": "v""#, #""vid_name": "nowhere""#, "does not have \"nowhere\""),
  ])
  func clips(_ field: String, _ other: String, _ says: String) throws {
    let good = #"{"clip_id": 1, "vid_name": "v", "ts": [1, 2], "duration": 4, "descs": []}"#
    let row = good.replacing(#""clip_id": 1"#, with: #""clip_id": 2"#)
    #expect(row.contains(field))
    #expect(try reason(.tvc, good, row.replacing(field, with: other)).contains(says))
  }

  /// Rows of TVR's form are read from one list too, as those of other annotations.
  @Test func aListOfQueriesIsNoList() throws {
    let folder = try TemporaryFolder()
    let row = #"{"desc_id": 1, "desc": "a", "vid_name": "v", "ts": [[0, 5], [0, 10]]}"#
    for text in [row, "[\(row)]", "[\n\(row)\n]"] {
      var builder = try folder.builder(.didemo, text)
      builder.output = folder.path("\(text.utf8.count).db")
      #expect(try builder.build { Issue.record("\($0)") }.rows == 1)
    }
  }

  @Test(arguments: TextStoreTask.allCases.filter { ["tvc", "yc2c"].contains($0.rawValue) })
  func clipsWithoutCaptionsAmongOthers(task: TextStoreTask) throws {
    let folder = try TemporaryFolder()
    var builder = try folder.builder(
      task,
      """
      {"clip_id": 1, "vid_name": "v", "ts": [1, 2], "duration": 4, "descs": [{"desc_id": 1, "desc": "a"}]}
      {"clip_id": 2, "vid_name": "w", "ts": [1, 2], "duration": 4, "descs": []}
      """)
    builder.subtitles = try folder.file(
      "s.jsonl", #"{"vid_name": "v", "sub": []}"# + "\n" + #"{"vid_name": "w", "sub": []}"#)
    let notes = try builder.build { Issue.record("\($0)") }.notes
    #expect(notes.contains { $0.hasPrefix("1 of 2 clips, the first \"2\", have no captions") }, "\(notes)")
  }

  /// Bad rows of the subtitles that captions are matched with are reported by their lines.
  @Test func subtitlesOfCaptions() throws {
    let folder = try TemporaryFolder()
    var builder = try folder.builder(
      .tvc, #"{"clip_id": 1, "vid_name": "7", "ts": [1, 2], "duration": 4, "descs": []}"#)
    builder.subtitles = try folder.file(
      "s.jsonl",
      """
      {"vid_name": 7, "sub": [{"start": 0, "end": 1.5}]}
      {"vid_name": "7", "sub": []}
      {"vid_name": "w", "sub": [{"start": NaN, "end": 1}]}
      {"vid_name": "x", "sub": "none"}
      [3]
      """)
    var told: [String] = []
    #expect(try builder.build { told.append($0) }.rows == 1)
    try #require(told.count == 4)
    #expect(told[0].contains("s.jsonl, line 2: the video \"7\" occurs twice"))
    #expect(told[1].contains("line 3: \"start\" is ") && told[2].contains("line 4: \"sub\" is not a list"))
    #expect(told[3].contains("line 5: is a list, not an object"))
    let value = try #require(try LMDBReader(path: folder.path("out.db/clip.db")).get("1"))
    #expect(try MessagePack.decode(Compression.decompress(value))["sub_indices"]?.array?.count == 1)
  }

  @Test(arguments: [
    (#"{"text": "a", "start": "0", "end": 1}"#, "\"start\" is \"0\", not a number"),
    (#"{"text": "a", "start": 0, "end": Infinity}"#, "\"end\" is"),
    (#"{"text": 4, "start": 0, "end": 1}"#, "not text"),
    (#"{"text": "a", "start": 0}"#, "no \"end\""), ("null", "sentence 0 is null"),
  ])
  func sentences(_ sentence: String, _ says: String) throws {
    let good = #"{"vid_name": "v", "sub": [{"text": "a", "start": 0, "end": 1}]}"#
    let told = try reason(.subtitles, good, "{\"vid_name\": \"w\", \"sub\": [\(sentence)]}")
    #expect(told.contains(says), "\(told)")
  }

  /// Sentences that end before they begin, or begin before 0, are kept as in the reference, and
  /// reported.
  @Test func reversedAndEarlySentencesAreTold() throws {
    let folder = try TemporaryFolder()
    var builder = try folder.builder(
      .subtitles,
      #"{"vid_name": "v", "sub": [{"text": "a", "start": -1, "end": 1}, {"text": "a", "start": 2, "end": 1}]}"#
    )
    builder.vid2nframe = try folder.file("frames.json", #"{"v": 4}"#)
    let report = try builder.build()
    #expect(report.notes.count == 2 && report.rows == 1)
    #expect(report.description.contains("1 sentences end before they begin"))
    #expect(report.description.contains("1 sentences begin before their video does"))
  }

  @Test func videosOfMSRVTT() throws {
    let folder = try TemporaryFolder()
    let builder = try folder.builder(
      .msrvtt,
      """
      {"videos": [{"video_id": "v", "split": "train"}, {"video_id": "v", "split": "test"}, {"id": 3}],
       "sentences": [{"caption": "a", "video_id": "v", "sen_id": 0}]}
      """)
    var told: [String] = []
    #expect(try builder.build { told.append($0) }.rows == 1)
    #expect(told.count == 2 && told[0].contains("video 2: the video \"v\" occurs twice"))
    #expect(told[1].contains("video 3: no \"video_id\""))
    var table = try folder.builder(.msrvtt, "video_id,sentence,sentence\nv,a,b\n")
    table.output = folder.path("other.db")
    let error = try #require(throws: DataError.self) { try table.build() }
    #expect(error.problem.contains("two columns have one name"))
  }

  /// If a list of videos has a split twice, the last one counts, as for any key.
  @Test func splitsThatComeTwice() throws {
    let folder = try TemporaryFolder()
    let file = try folder.file("d.json", #"{"val": {"a": [1, 0]}, "val": {"b": [1, 0]}}"#)
    let splits = try ListedVideo.splits(path: file)
    #expect(splits.count == 1 && splits[0].videos.map(\.name) == ["b"])
  }

  /// A first row of more than a megabyte is read like any other.
  @Test func aLongFirstRow() throws {
    let folder = try TemporaryFolder()
    let note = String(repeating: "x", count: 3 << 19)
    let rows = [1, 2].map { #"{"desc_id": \#($0), "desc": "a", "note": "\#($0 == 1 ? note : "")"}"# }
    #expect(try folder.builder(.tvr, rows.joined(separator: "\n")).build().rows == 2)
  }

  @Test func anObjectAroundTheRowsIsNoRow() throws {
    let folder = try TemporaryFolder()
    let rows = #"[{"desc_id": 1, "desc": "a", "vid_name": "v"}]"#
    let builder = try folder.builder(.tvr, "{\"version\": 1, \"data\": \(rows)}")
    let error = try #require(throws: DataError.self) { try builder.build() }
    #expect(error.problem == "is an object with a list of 1 objects under \"data\", not a row")
    #expect(error.place == "line 1" && error.cure != nil)
  }

  @Test func aTableByColumnsIsNoRow() throws {
    let folder = try TemporaryFolder()
    let builder = try folder.builder(
      .tvr, #"{"desc_id": [1, 2], "desc": ["a", "b"], "vid_name": ["v", "w"], "ts": [[0, 1], [2, 3]]}"#)
    let error = try #require(throws: DataError.self) { try builder.build() }
    #expect(error.problem == "is a table by columns (desc_id, desc, vid_name, ts), not a row")
    #expect(error.cure?.contains("orient=\"records\"") == true)
  }

  /// Documents of no task are refused and named, whichever task is asked for.
  @Test(arguments: [TextStoreTask.tvr, .qvhighlights, .msrvtt, .violin])
  func documentsOfNoTaskAreNamed(task: TextStoreTask) throws {
    let folder = try TemporaryFolder()
    for (document, what, cure) in [
      (
        #"{"database": {"v_1": {"subset": "training", "annotations": []}}, "version": "1.3"}"#,
        "ActivityNet's list of actions", "ActivityNet Captions' train.json"
      ),
      (
        "{\n\"version\": \"1.3\", \"taxonomy\": [{\"nodeId\": 1}],\n\"database\": {\"v_1\": {}}}",
        "ActivityNet's list of actions", "ActivityNet Captions' train.json"
      ),
      (
        #"{"desc": {"0": "a", "1": "b"}, "desc_id": {"0": 1, "1": 2}, "vid_name": {"0": "v", "1": "w"}}"#,
        "is a table by columns with numbered rows, as pandas writes it (desc, …)", "orient=\"records\""
      ),
      (
        #"{"0": {"desc": "a", "desc_id": 1, "vid_name": "v"}, "1": {"desc": "b", "desc_id": 2, "vid_name": "w"}}"#,
        "is a table by row numbers, as pandas writes it (\"0\": {\"desc\": …})", "orient=\"records\""
      ),
      (
        #"{"columns": ["desc", "desc_id"], "index": [0, 1], "data": [["a", 1], ["b", 2]]}"#,
        "is a table whose rows do not name its 2 columns", "orient=\"records\""
      ),
    ] {
      let error = try #require(throws: DataError.self) { try folder.builder(task, document).build() }
      #expect(error.problem.contains(what) && error.cure?.contains(cure) == true, "\(error)")
      #expect(error.file != nil)
    }
  }

  @Test func textsWithoutWordsAndOddMomentsAreTold() throws {
    let folder = try TemporaryFolder()
    let row = #"{"desc_id": 1, "desc": "a", "vid_name": "v", "ts": [1, 31], "duration": 30}"#
    let builder = try folder.builder(
      .tvr,
      [
        row,
        row.replacing("\"desc_id\": 1", with: "\"desc_id\": 2").replacing("\"a\"", with: "\" \""),
        row.replacing("\"desc_id\": 1", with: "\"desc_id\": 3").replacing("31", with: "300"),
        row.replacing("\"desc_id\": 1", with: "\"desc_id\": 4").replacing("31", with: "1"),
      ].joined(separator: "\n"))
    let report = try builder.build()
    #expect(report.rows == 4 && report.notes.count == 3)
    for (note, id) in paired(report.notes, ["2", "3", "4"]) { #expect(note.contains("the first \"\(id)\"")) }
  }

  /// Answers counted from 1 are refused, since all of them would be off by one.
  @Test func answersThatAreCountedFromOne() throws {
    func rows(_ answers: [Int]) -> String {
      answers.enumerated().map { number, answer in
        Self.question.replacing(#""qid": 1"#, with: "\"qid\": \(number)")
          .replacing(#""answer_idx": 0"#, with: "\"answer_idx\": \(answer)")
      }.joined(separator: "\n")
    }
    for (answers, isRefused) in [
      ([1, 2, 5, 3, 4, 1], true), ([0, 1, 2, 3, 4, 5], false), ([5, 1], false), ([1, 2, 3, 4, 4, 4], false),
    ] {
      let folder = try TemporaryFolder()
      let builder = try folder.builder(.tvqa, rows(answers))
      if isRefused {
        let error = try #require(throws: DataError.self) { try builder.build() }
        #expect(error.problem.hasPrefix("counts answers from 1: 1 of 6 rows"))
        #expect(!folder.exists("out.db"))
      } else {
        #expect(try builder.build().rows > 0, "\(answers)")
      }
    }
  }

  /// Rows without ground truth are reported where other rows have it.
  @Test func rowsWithoutTruthAreTold() throws {
    func row(_ id: Int, _ ts: String) -> String {
      #"{"desc_id": \#(id), "desc": "a", "vid_name": "v", "ts": \#(ts)}"#
    }
    for (spans, told) in [(["[1, 2]", "null", "[0, 1]"], 1), (["null", "null"], 0), (["[1, 2]"], 0)] {
      let folder = try TemporaryFolder()
      let report = try folder.builder(
        .tvr, spans.enumerated().map { row($0.offset, $0.element) }.joined(separator: "\n")
      ).build()
      #expect(report.notes.count == told && report.rows == spans.count)
      if told > 0 {
        #expect(report.notes[0].hasPrefix("1 of 3 rows, the first \"1\", do not tell what is right"))
      }
    }
  }

  /// A sentence at a time that no video reaches is skipped, and the others of its video stay.
  @Test func sentencesAtNoTimeAreLeftOut() throws {
    let folder = try TemporaryFolder()
    func sub(_ sentences: [String]) -> String {
      #"{"vid_name": "v", "sub": ["# + sentences.joined(separator: ", ") + "]}"
    }
    let good = (0..<3).map { #"{"text": "a", "start": \#($0), "end": \#($0 + 1)}"# }
    let bad = [
      #"{"text": "b", "start": 1, "end": 36000001}"#, #"{"text": "b", "start": 36000000, "end": 36000001}"#,
      #"{"text": "b", "start": 1e30, "end": 1e30}"#,
    ]
    func store(_ name: String, _ sentences: [String]) throws -> (MessagePack, TextStoreReport) {
      var builder = try folder.builder(.subtitles, sub(sentences))
      builder.output = folder.path(name)
      builder.vid2nframe = try folder.file("frames.json", #"{"v": 4}"#)
      let report = try builder.build()
      let value = try #require(try LMDBReader(path: folder.path(name)).get("v"))
      return (try MessagePack.decode(Compression.decompress(value)), report)
    }
    let (with, report) = try store("with.db", [good[0], bad[0], good[1], good[2], bad[1], bad[2]])
    let (without, _) = try store("without.db", good)
    #expect(with.encode() == without.encode())
    #expect(report.rows == 1 && report.skipped == 0 && report.notes.count == 1)
    #expect(
      report.notes[0].hasPrefix("3 sentences, such as that of \"v\" from 1.0 to 3.6e+07 s, are at no time"))
  }

  /// Sentences long after their video ends are reported: wrong subtitles, or times in milliseconds.
  @Test func sentencesLongAfterTheVideoAreTold() throws {
    let folder = try TemporaryFolder()
    var builder = try folder.builder(
      .subtitles,
      #"{"vid_name": "v", "sub": [{"text": "a", "start": 1, "end": 2}, {"text": "a", "start": 1500, "end": 1600}]}"#
    )
    builder.vid2nframe = try folder.file("frames.json", #"{"v": 4.0, "w": "4"}"#)
    let report = try builder.build()
    #expect(report.rows == 1)
    #expect(report.notes.contains { $0.hasPrefix("1 sentences of 1 videos, such as \"v\", begin more than") })
  }
}
