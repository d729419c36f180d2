import Foundation
import TestSupport
import Testing

@testable import Corpus
@testable import Formats

@Suite struct StoreReadingGoldenTests {
  static let splits = ["train", "val", "test"]

  @Test(arguments: ["tvr", "how2r"], splits)
  func queriesAreTheAnnotations(_ task: String, _ split: String) throws {
    let store = try QueryStore(path: Golden.path("db/txt_db/\(task)_\(split).db"))
    let rows = try Golden.rows("\(task)_\(split)")
    #expect(store.ids == rows.compactMap { $0["desc_id"]?.int.map(String.init) })
    for (id, row) in paired(store.ids, rows) {
      let query = try store.query(id)
      #expect(query.id == id)
      #expect(query.video == row["vid_name"]?.string && query.video == store.video(of: id))
      #expect(query.spans.map { [$0.start, $0.end] } == [row["ts"]?.array?.compactMap(\.double)])
    }
    #expect(Set(store.videos) == Set(rows.compactMap { $0["vid_name"]?.string }))
    let lengths = try store.ids.map { try store.query($0).tokens.count }
    #expect(lengths == store.texts.lengths.map { Int($0.own) })
    let limit = try #require(lengths.max())
    #expect(store.ids(maxTextLength: limit) == store.ids && store.ids(maxTextLength: -1) == store.ids)
    let shorter = paired(store.ids, lengths).filter { $0.1 < limit }.map(\.0)
    #expect(shorter.count < store.ids.count && store.ids(maxTextLength: limit - 1) == shorter)
    var annotations = 0
    try JSONLines.read(path: store.annotationPath) { _, _ in annotations += 1 }
    #expect(annotations == rows.count)
    let error = try #require(throws: DataError.self) { try store.query("none") }
    #expect(error.place == "key \"none\"")
  }

  @Test(arguments: splits) func questionsAreTheAnnotations(_ split: String) throws {
    let store = try QAStore(path: Golden.path("db/txt_db/tvqa_\(split).db"))
    let rows = try Golden.rows("tvqa_\(split)")
    #expect(store.ids.count == rows.count)
    for (id, row) in paired(store.ids, rows) {
      let question = try store.question(id)
      #expect(question.video == row["vid_name"]?.string && question.target == row["answer_idx"]?.int)
      #expect(question.answers.count == row.object?.keys.filter { $0.wholeMatch(of: /a\d/) != nil }.count)
      #expect((question.span == nil) == (row["ts"]?.string == "nan-nan"))
    }
    let lengths = try store.ids.map { id in
      let question = try store.question(id)
      return (question.tokens?.count ?? 0) + (question.answers.map(\.count).max() ?? 0)
    }
    let limit = try #require(lengths.max())
    #expect(
      store.ids(maxTextLength: limit - 1) == paired(store.ids, lengths).filter { $0.1 < limit }.map(\.0))
  }

  @Test(arguments: splits) func statementsAreTheAnnotations(_ split: String) throws {
    let store = try ViolinStore(path: Golden.path("db/txt_db/violin_\(split).db"))
    let rows = try Golden.rows("violin_\(split)")
    #expect(store.ids.count == rows.count)
    for (id, row) in paired(store.ids, rows) {
      let statement = try store.statement(id)
      #expect(id == row["desc_id"]?.string && statement.label == row["label"]?.bool)
      #expect(statement.video == row["vid_name"]?.string && !statement.tokens.isEmpty)
      let pair = try #require(store.pair(of: id))
      #expect(pair != id && pair.dropLast() == id.dropLast() && store.pair(of: pair) == id)
    }
    #expect(store.pair(of: "none") == nil && store.pair(of: "") == nil)
  }

  @Test(arguments: splits) func captionsAreTheAnnotations(_ split: String) throws {
    let store = try CaptionStore(path: Golden.path("db/txt_db/tvc_\(split).db"))
    let rows = try Golden.rows("tvc_\(split)")
    #expect(Set(store.videos) == Set(rows.compactMap { $0["vid_name"]?.string }))
    // A row of the annotations is one clip with its captions.
    let annotated = try rows.flatMap { row in
      try #require(row["descs"]?.array).map { "\(row["clip_id"]?.int ?? 0) \($0["desc"]?.string ?? "")" }
    }
    var found: [String] = []
    for id in store.clipIDs {
      let clip = try store.clip(id)
      let span = try #require(clip.span)
      #expect(store.videos.contains(clip.video) && clip.id == id && span.start < span.end)
      found += clip.captions.map { "\(id) \($0.text ?? "")" }
      for caption in try store.captionIDs(of: clip.video).map(store.caption) where caption.clip == id {
        #expect(clip.captions.contains(caption.caption))
      }
    }
    #expect(found.sorted() == annotated.sorted() && !found.isEmpty)
    #expect(throws: DataError.self) { try store.clip("none") }
  }

  @Test func subtitlesAreTheAnnotations() throws {
    let (store, features) = (try Golden.subtitles(), try Golden.features())
    let rows = try Golden.rows("tv_subtitles")
    for row in rows {
      let video = try #require(row["vid_name"]?.string)
      let sentences = try #require(row["sub"]?.array)
      let subtitles = try store.subtitles(of: video)
      if !sentences.isEmpty { #expect(subtitles.sentences.count == sentences.count) }
      let frames = subtitles.frames.flatMap(\.frames)
      #expect(Set(frames).count == frames.count)
      #expect(try (frames.max() ?? 0) < #require(features.frameCount(of: video)))
      #expect(store.contains(video))
    }
    #expect(throws: DataError.self) { try store.subtitles(of: "none") }
  }

  @Test(arguments: ["val", "test", "train"]) func candidatesAreTheListedVideos(_ split: String) throws {
    let queries = try QueryStore(path: Golden.path("db/txt_db/tvr_\(split).db"))
    let (features, subtitles) = (try Golden.features(), try Golden.subtitles())
    let candidates = try CandidateVideos(
      split: split, queries: queries, subtitles: subtitles, features: features)
    let listed = try #require(JSON.read(path: Golden.path("corpus/ann/vid2dur_idx.json"))[split]?.object)
    #expect(candidates.names == listed.keys)
    #expect(candidates.indices == listed.values.compactMap { $0.array?[1].int })
    for (place, name) in candidates.names.enumerated() {
      #expect(candidates.place(of: name) == place)
    }
    let error = try #require(throws: DataError.self) {
      try CandidateVideos(split: "none", queries: queries, subtitles: subtitles, features: features)
    }
    #expect(error.cure?.contains(split) == true)
    if split != "train" {
      let results = try JSON.read(path: Golden.path("expected/eval/tvr_\(split).results.json"))
      let numbers = candidates.names.map { results["video2idx"]?[$0]?.int }
      #expect(candidates.indices == numbers && results["video2idx"]?.object?.count == numbers.count)
    }
    // Without the list, candidates are the query store's videos, numbered by place among all sorted
    // names.
    let sorted = features.videos.sorted()
    let unlisted = try CandidateVideos(split: split, queries: queries, subtitles: nil, features: features)
    #expect(unlisted.names == queries.videos)
    #expect(unlisted.indices == queries.videos.compactMap { sorted.firstIndex(of: $0) })
  }
}

@Suite struct StoreReadingTests {
  static let meta: JSON = [
    "PAD": 1, "BOS": 0, "EOS": 2, "SEP": 2, "CLS": 0, "MASK": 50264, "UNK": 3, "v_range": [4, 50260],
  ]

  /// Makes a store of queries with the given rows and compression.
  static func makeQueries(
    _ path: String, _ rows: [(id: String, row: JSON)], compression: Compression = .zstd,
    sideFiles: Bool = true
  ) throws {
    let writer = try LMDBWriter(path: path)
    for (id, row) in rows { try writer.put(id, try compression.compress(MessagePack(row).encode())) }
    try writer.finish()
    try AtomicFile.write(meta.encoded(), to: path + "/meta.json")
    guard sideFiles else { return }
    let lengths = rows.map { (key: $0.id, value: JSON.int($0.row["input_ids"]?.array?.count ?? 0)) }
    try AtomicFile.write(JSON.object(JSONObject(lengths)).encoded(), to: path + "/id2len.json")
    let videos = rows.compactMap { entry in entry.row["vid"].map { (key: entry.id, value: $0) } }
    try AtomicFile.write(JSON.object(JSONObject(videos)).encoded(), to: path + "/query2video.json")
  }

  @Test(arguments: Compression.allCases) func everyCompressionIsRead(_ compression: Compression) throws {
    let folder = try TemporaryFolder()
    let rows: [(id: String, row: JSON)] = [
      ("1", ["desc": "a", "input_ids": [7, 8], "vid": "v", "target": [1, 2.5], "desc_id": 1]),
      ("2", ["desc": "b", "input_ids": [9], "vid": "w", "target": [[0, 5], [5, 10]]]),
      ("3", ["desc": "c", "input_ids": [], "target": nil]),
      ("4", ["input_ids": [1], "target": "soon"]), ("5", ["input_ids": [-1]]), ("6", ["input_ids": "x"]),
      ("7", 5),
      ("8", ["input_ids": [1], "ts": [.double(.nan), 1]]),
    ]
    try Self.makeQueries(folder.path("q"), rows, compression: compression)
    let store = try QueryStore(path: folder.path("q"))
    #expect(store.meta.vRange == 4..<50260 && store.meta.mask == 50264 && store.videos == ["v", "w"])
    let first = try store.query("1")
    #expect(
      first.spans == [TimeSpan(start: 1, end: 2.5)] && first.tokens == [7, 8])
    #expect(try store.query("2").spans.count == 2)
    #expect(try store.query("3").spans.isEmpty && store.query("3").video == nil)
    for id in ["4", "5", "6", "7", "8"] {
      let error = try #require(throws: DataError.self) { try store.query(id) }
      #expect(error.place == "key \"\(id)\"" && error.file == folder.path("q"))
    }
  }

  @Test func videosOfHiddenSplitsComeFromTheirList() throws {
    let folder = try TemporaryFolder()
    try Self.makeQueries(folder.path("q"), [("1", ["input_ids": [1]])])
    #expect(try QueryStore(path: folder.path("q")).videos == [])
    try AtomicFile.write("[\"b\", \"a\"]", to: folder.path("q/video_ids.json"))
    #expect(try QueryStore(path: folder.path("q")).videos == ["b", "a"])
    try AtomicFile.write("{\"val\": [\"b\"], \"test\": [\"c\"]}", to: folder.path("q/video_ids.json"))
    #expect(try QueryStore(path: folder.path("q")).videos == ["b", "c"])
  }

  @Test func missingAndMalformedSideFilesAreNamed() throws {
    let folder = try TemporaryFolder()
    #expect(throws: DataError.self) { try QueryStore(path: folder.path("none")) }
    try Self.makeQueries(folder.path("q"), [("1", ["input_ids": [1]])], sideFiles: false)
    for text in ["", "{\"1\": -1}", "{\"1\": []}", "{\"1\": \"x\"}", "[1]", "{\"1\": [3, -1]}", "{\"1\": 3"] {
      try AtomicFile.write(text, to: folder.path("q/id2len.json"))
      let error = try #require(throws: DataError.self) { try QueryStore(path: folder.path("q")) }
      #expect(error.file == folder.path("q/id2len.json"))
    }
    for key in ["PAD", "v_range"] {
      var meta = Self.meta
      meta[key] = "x"
      try AtomicFile.write(meta.encoded(), to: folder.path("q/meta.json"))
      let error = try #require(throws: DataError.self) { try QueryStore(path: folder.path("q")) }
      #expect(error.file == folder.path("q/meta.json") && error.problem.contains(key))
    }
  }

  /// A path that is not a store's folder is refused with what it is.
  @Test func whatIsNoStoreOfTextsIsNamed() throws {
    let folder = try TemporaryFolder()
    try FileManager.default.createDirectory(atPath: folder.path("empty"), withIntermediateDirectories: true)
    for (path, says) in [
      (try folder.file("rows.jsonl", "{}"), "is a file, not a store's folder"),
      (folder.path("empty"), "no store of texts"),
      (folder.path("none"), "there is no such store"),
      ("~/none.db", "~ and $NAME mean something to a shell alone"),
    ] {
      let error = try #require(throws: DataError.self) { try QueryStore(path: path) }
      #expect(error.description.contains(says) && error.cure != nil, "\(error)")
    }
  }

  /// Two files of a store that give different videos for one row are reported.
  @Test func videosThatContradictAreTold() throws {
    let folder = try TemporaryFolder()
    try Self.makeQueries(folder.path("q"), [("1", ["input_ids": [1], "vid_name": "a"])], sideFiles: true)
    try AtomicFile.write("{\"1\": \"b\"}", to: folder.path("q/query2video.json"))
    let notices = NoticeLog.shared
    #expect(try QueryStore(path: folder.path("q")).query("1").video == "b")
    let told = notices.about(folder.path("q/query2video.json"))
    #expect(told.count == 1 && told[0].contains("about \"b\", its row that it is about \"a\""), "\(told)")
  }

  @Test func spansOfTextAreReadLeniently() {
    #expect(
      TimeSpan("0.44-4.17") == TimeSpan(start: 0.44, end: 4.17)
        && TimeSpan(" 1 - 2 ") == TimeSpan(start: 1, end: 2))
    for text in ["nan-nan", "", "-", "1", "1-2-3", "a-b", "inf-1", "1e-2-3", "0-1e300"] {
      #expect(TimeSpan(text) == nil)
    }
  }

  @Test func subtitlesThatMakeNoSenseAreNamed() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("s")
    let rows: [(id: String, row: JSON)] = [
      ("good", ["input_ids": [[1], []], "unique_sub2frames": [[0, [0, 2]], [1, []]]]),
      ("twice", ["input_ids": [[1], []], "unique_sub2frames": [[0, [0, 2]], [1, [2]]]]),
      ("far", ["input_ids": [[1]], "unique_sub2frames": [[1, [0]]]]),
      ("negative", ["input_ids": [[1]], "unique_sub2frames": [[0, [-1]]]]),
      ("short", ["input_ids": [[1]], "unique_sub2frames": [[0]]]), ("none", ["input_ids": [[1]]]),
      ("nothing", [:]),
    ]
    try Self.makeQueries(path, rows, sideFiles: false)
    try AtomicFile.write("{\"good\": 3}", to: path + "/vid2len.json")
    let store = try SubtitleStore(path: path)
    #expect(store.splits == nil && store.contains("good"))
    #expect(try store.subtitles(of: "good").frames.map(\.frames) == [[0, 2], []])
    for (id, _) in rows.dropFirst() {
      let error = try #require(throws: DataError.self) { try store.subtitles(of: id) }
      #expect(error.place == "key \"\(id)\"")
    }
  }

  /// A separate process opens the store, so that the measured memory holds nothing else.
  @Test(.timeLimit(.minutes(30))) func aMillionIdsTakeLittleMemory() async {
    await #expect(processExitsWith: .success) {
      let folder = try TemporaryFolder()
      let path = folder.path("q")
      try Self.makeQueries(path, [("query 7 of the million", ["input_ids": [1, 2]])], sideFiles: false)
      let lengths = try AtomicFile(path: path + "/id2len.json")
      let videos = try AtomicFile(path: path + "/query2video.json")
      for index in 0..<1_000_000 {
        let head = index == 0 ? "{" : ", "
        try lengths.write("\(head)\"query \(index) of the million\": \(index % 50)")
        try videos.write("\(head)\"query \(index) of the million\": \"a video of the series, \(index / 4)\"")
      }
      for file in [lengths, videos] {
        try file.write("}")
        try file.commit()
      }
      let before = try ResidentMemory.bytes()
      let store = try QueryStore(path: path)
      let grown = try ResidentMemory.bytes() - before
      #expect(store.ids.count == 1_000_000 && store.videos.count == 250_000)
      #expect(try store.query("query 7 of the million").video == "a video of the series, 1")
      #expect(grown < 500 << 20, "\(grown >> 20) MB")
    }
  }
}
