import Formats
import Foundation
import TestSupport
import Testing

@testable import Corpus

/// Stores and annotations as VALUE publishes them.
@Suite struct ValueStoreTests {
  private static let array = NDArray(floats: [1, 2, 3, 4], shape: [2, 2])

  @Test func theListOfAnIntervalComesFirst() throws {
    let folder = try TemporaryFolder()
    let value = try FeatureStoreTests.value(Self.array)
    for name in ["clip-vit_slowfast_1.5", "clip-vit_slowfast_2_compressed", "resnet_0.666667"] {
      try FeatureStoreTests.makeStore(folder.root, name: name, [("a", value)])
    }
    try AtomicFile.write(#"{"a": 1}"#, to: folder.path("id2nframe_1.5.json"))
    try AtomicFile.write(#"{"a": 7}"#, to: folder.path("id2nframe_0.666667.json"))
    func frames(_ version: String, _ length: Double) throws -> Int? {
      try FeatureStore(path: folder.root, featureVersion: version, frameLength: length).frameCount(of: "a")
    }
    #expect(try frames("clip-vit_slowfast", 1.5) == 1)
    #expect(try frames("clip-vit_slowfast", 2) == 2)
    #expect(try frames("resnet", 2.0 / 3) == 7)
    // The folder's own name gives its interval.
    #expect(try FeatureStore(path: folder.path("clip-vit_slowfast_1.5")).frameCount(of: "a") == 1)
    try FileManager.default.removeItem(atPath: folder.path("id2nframe.json"))
    #expect(try frames("clip-vit_slowfast", 1.5) == 1)
    let error = try #require(throws: DataError.self) { try frames("clip-vit_slowfast", 2) }
    #expect(error.problem.contains("id2nframe_2.json"))
    let other = try #require(throws: DataError.self) { try frames("mil-nce", 1.5) }
    #expect(other.problem.contains("it has clip-vit_slowfast_1.5, "))
  }

  @Test func featureFoldersHaveVALUEsNames() throws {
    let folder = try TemporaryFolder()
    for (name, width) in [("clip-vit", 2), ("mil-nce-s3d", 3)] {
      let path = folder.path("features/\(name)")
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
      let array = NDArray(floats: (0..<width).map(Float.init), shape: [1, width])
      try NPZ.write(path: "\(path)/a.npz", [(name: "features", array: array)])
    }
    let parts = try #require(FeatureVersion.parts(of: "clip-vit_mil-nce"))
    #expect(parts == ["clip-vit", "mil-nce"])
    #expect(FeatureVersion.parts(of: "slowfast") == ["slowfast"])
    #expect(FeatureVersion.parts(of: "slowfast_resnet") == nil && FeatureVersion.parts(of: "mine") == nil)
    #expect(FeatureVersion.known.contains("clip-vit_mil-nce (1536)"))
    #expect(FeatureVersion.known.contains("resnet_slowfast (4352)"))
    var options = VideoStoreOptions(
      source: .folder(folder.path("features")), output: folder.path("db"), dataset: "tv")
    options.features = parts
    let report = try VideoStoreBuilder(options).run { Issue.record("skipped \($0)") }
    #expect(report.path.hasSuffix("clip-vit_mil-nce_1.5") && report.width == 5)
    options.features = ["clip-vit", "slowfast"]
    let error = try #require(throws: DataError.self) { try VideoStoreBuilder(options).run { _ in } }
    #expect(error.problem.contains("beside it are clip-vit, mil-nce-s3d"))
  }

  @Test func statements() throws {
    let folder = try TemporaryFolder()
    let builder = try folder.builder(
      .violin,
      """
      {"example_id": "v-0-1", "statement": "a", "answer": true, "vid_name": "v"}
      {"example_id": "v-0-0", "statement": "b", "answer": 0, "vid_name": "v"}
      {"example_id": "w-0-0", "statement": "b", "vid_name": "w"}
      {"example_id": "w-0-1", "statement": "b", "vid_name": "w", "answer": "yes"}

      """)
    var skipped: [String] = []
    try builder.build { skipped.append($0) }
    #expect(skipped.count == 1 && skipped[0].contains("\"answer\""))
    let store = try ViolinStore(path: folder.path("out.db"))
    #expect(try store.ids.map { try store.statement($0).label } == [true, false, nil])
    #expect(store.pair(of: "v-0-1") == "v-0-0")
  }

  /// VALUE's ids are plain numbers, so 10 and 11 are not a pair of statements.
  @Test func numbersAreNoPairs() throws {
    let folder = try TemporaryFolder()
    try folder.builder(
      .violin,
      """
      {"paired_id": "v-0-1", "vid_name": "v", "statement": "a", "example_id": 10, "answer": 0}
      {"paired_id": "w-0-0", "vid_name": "w", "statement": "b", "example_id": 11, "answer": 1}

      """
    ).build()
    let store = try ViolinStore(path: folder.path("out.db"))
    #expect(try store.ids.map { try store.statement($0).label } == [false, true])
    #expect(store.ids.allSatisfy { store.pair(of: $0) == nil })
  }

  /// Makes a subtitle store of the given rows.
  private func sentences(
    _ rows: String, _ change: (inout TextStoreBuilder) -> Void = { _ in }
  ) throws -> (store: SubtitleStore, report: TextStoreReport, folder: TemporaryFolder) {
    let folder = try TemporaryFolder()
    var builder = try folder.builder(.subtitles, rows)
    builder.vid2nframe = try folder.file("frames.json", #"{"v": 12, "w": 12}"#)
    builder.frameLength = 1
    change(&builder)
    let report = try builder.build { Issue.record("skipped \($0)") }
    return (try SubtitleStore(path: folder.path("out.db")), report, folder)
  }

  @Test func subtitlesAreSorted() throws {
    func row(_ sentences: [String]) -> String {
      #"{"vid_name": "v", "sub": ["# + sentences.joined(separator: ", ") + "]}\n"
    }
    let ordered = [
      #"{"text": "a", "start": 0, "end": 2}"#, #"{"text": "b", "start": 2, "end": 3}"#,
      #"{"text": "c", "start": 2, "end": 5}"#, #"{"text": "d", "start": 7, "end": 9}"#,
    ]
    let sorted = try sentences(row(ordered))
    let mixed = try sentences(row([ordered[3], ordered[1], ordered[0], ordered[2]]))
    let (a, b) = (try sorted.store.subtitles(of: "v"), try mixed.store.subtitles(of: "v"))
    #expect(a.sentences == b.sentences && a.frames.elementsEqual(b.frames) { $0 == $1 })
    #expect(sorted.report.notes.isEmpty)
    #expect(mixed.report.notes.contains { $0.contains("1 videos, such as \"v\"") && $0.contains("sorted") })
  }

  @Test(arguments: [(5, [5, 5, 2]), (4, [4, 4, 4]), (0, [])])
  func groupsOfFramesWithoutSubtitles(group: Int, expected: [Int]) throws {
    let made = try sentences(#"{"vid_name": "w", "sub": []}"# + "\n") { $0.frameGroup = group }
    #expect(try made.store.subtitles(of: "w").frames.map(\.frames.count) == expected)
  }

  @Test func queriesAreCaptions() throws {
    let folder = try TemporaryFolder()
    try folder.builder(
      .tvr,
      """
      {"desc_id": 1, "desc": "a", "vid_name": "v", "ts": [0, 1]}
      {"desc_id": 2, "desc": "b", "vid_name": "w"}
      {"desc_id": 3, "desc": "c", "vid_name": "v"}

      """
    ).build()
    let store = try CaptionStore(path: folder.path("out.db"))
    #expect(store.holdsQueries && store.videos == ["v", "w"] && store.clipIDs == ["v", "w"])
    #expect(store.captionIDs.map(\.id) == ["1", "2", "3"])
    let clip = try store.clip("v")
    #expect(clip.span == nil && clip.captions.map(\.text) == ["a", "c"])
    let caption = try store.caption("1")
    #expect(caption.span == nil && caption.clip == "v" && caption.caption.text == "a")
  }

  /// A store may serve a task that it was not made for.
  ///
  /// The annotation's name decides where the reference's scripts name every store of a form alike.
  /// A store that is surely of another task is reported, and one whose fields mean something else
  /// is refused.
  @Test(
    arguments: [
      ("tvr", "ann/how2r_train.jsonl", "how2r", false), ("tvr", "mine.jsonl", "msrvtt", false),
      ("tvr", "ann/tvr_train_release.jsonl", "how2r", true), ("tvr", "TVR-train.jsonl", "yc2c", true),
      ("tvr", "yc2r_train.jsonl", "yc2c", false), ("tvqa", "tvqa_train.jsonl", "how2qa", true),
      ("tvqa", "how2qa_train.jsonl", "how2qa", false), ("yc2r", "a", "yc2c", false),
      ("vatex_en_r", "a", "vatex_en_c", false), ("vatex_en_r", "a", "yc2c", true),
      ("didemo", "a", "msrvtt", true), ("tvc", "a", "yc2c", true), ("activitynet", "a", "tacos", true),
      ("other", "tvr.jsonl", "how2r", false),
      ("tvqa", "a", "vlep", nil), ("vlep", "a", "tvqa", nil), ("tvr", "a", "qvhighlights", nil),
      ("qvhighlights", "a", "tvr", nil), ("violin", "a", "tvr", nil),
    ] as [(String, String, String, Bool?)])
  func storesOfOtherTasks(made: String, annotation: String, asked: String, told: Bool?) throws {
    let folder = try TemporaryFolder()
    var meta = try JSON.read(path: Golden.path("db/txt_db/tvr_train.db/meta.json"))
    (meta["task"], meta["annotation"]) = (.string(made), .string(annotation))
    let read = try StoreMeta(path: try folder.file("meta.json", meta.encoded()))
    let task = try #require(TextStoreTask(rawValue: asked))
    _ = NoticeLog.shared
    guard let told else {
      let error = #expect(throws: DataError.self) { try read.require(task, path: folder.root) }
      #expect(error?.problem == "the store was made for the task \"\(made)\", which has no rows of \(asked)")
      return
    }
    try read.require(task, path: folder.root)
    #expect(NoticeLog.shared.about(folder.root).count == (told ? 1 : 0))
  }

  @Test func storesOfOtherContent() throws {
    let subtitles = try Golden.path("db/txt_db/tv_subtitles.db")
    let error = #expect(throws: DataError.self) { try QueryStore(path: subtitles) }
    #expect(error?.file == subtitles && error?.problem == "is a store of subtitles")
    let captions = #expect(throws: DataError.self) { try QAStore(path: Golden.path("db/txt_db/tvc_val.db")) }
    #expect(captions?.problem == "is a store of captions")
  }

  /// Side files of another store are reported or refused.
  @Test func sideFilesOfOtherStores() throws {
    let folder = try TemporaryFolder()
    let copy = folder.path("copy.db")
    try FileManager.default.copyItem(atPath: Golden.path("db/txt_db/tvr_val.db"), toPath: copy)
    _ = NoticeLog.shared
    func side(_ file: String, _ text: String) throws -> QueryStore {
      try AtomicFile.write(text, to: "\(copy)/\(file)")
      return try QueryStore(path: copy)
    }
    // The file is empty in hidden splits.
    _ = try side("query2video.json", "{}")
    #expect(NoticeLog.shared.about("\(copy)/query2video").isEmpty)
    _ = try side("query2video.json", #"{"stranger": "v"}"#)
    #expect(
      NoticeLog.shared.about("\(copy)/query2video").first?.contains("none of the store's items") == true)
    let error = #expect(throws: DataError.self) { try side("id2len.json", "{}") }
    #expect(error?.problem == "lists no items")
  }

  /// Stores of two tokenizers are reported, since these give one word two ids.
  @Test func storesOfTwoTokenizersAreTold() throws {
    let folder = try TemporaryFolder()
    let (path, name) = (try Golden.path("db/txt_db/tvr_train.db/meta.json"), folder.path("meta.json"))
    let mine = try StoreMeta(path: path)
    _ = NoticeLog.shared
    for (key, told) in [("toker", 0), ("SEP", 1)] {
      var json = mine.json
      json[key] = key == "SEP" ? 9 : "elsewhere"
      mine.compare(try StoreMeta(path: try folder.file("meta.json", json.encoded())))
      #expect(NoticeLog.shared.about(name).count == told)
    }
  }
}
