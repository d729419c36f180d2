import Formats
import Foundation
import TestSupport
import Testing

@testable import Demo

/// Returns options of a corpus of a few videos, quick to make.
func smallOptions(seed: UInt64 = 7) -> DemoOptions {
  var options = DemoOptions()
  options.seed = seed
  options.trainVideos = 40
  options.valVideos = 12
  options.testVideos = 12
  return options
}

/// Returns a path for a folder that does not exist yet.
func temporaryPath(_ name: String) -> String {
  FileManager.default.temporaryDirectory.appendingPathComponent("\(name)-\(UUID().uuidString)").path
}

@Suite struct CorpusShapeTests {
  @Test func sameSeedGivesTheSameFilesAndAnotherSeedOthers() throws {
    let paths = ["a", "b", "c"].map { temporaryPath("demo-\($0)") }
    defer { for path in paths { try? FileManager.default.removeItem(atPath: path) } }
    for (path, seed) in zip(paths, [7, 7, 8] as [UInt64]) {
      try makeDemoCorpus(at: path, options: smallOptions(seed: seed)) { _ in }
    }
    let names = try #require(FileManager.default.enumerator(atPath: paths[0])?.allObjects as? [String])
    let files = names.filter { ($0 as NSString).pathExtension != "" }
    #expect(files.count == 3 * 13 + 3 + 2 + 2 + 2 * 64)
    for file in files {
      let contents = paths.map { FileManager.default.contents(atPath: "\($0)/\(file)") }
      #expect(contents[0] != nil && contents[0] == contents[1], "\(file)")
      if file.hasSuffix("npz") || file.contains("tvr") { #expect(contents[0] != contents[2], "\(file)") }
    }
  }

  @Test func refusesAFolderThatIsNotEmpty() throws {
    let path = temporaryPath("demo-taken")
    defer { try? FileManager.default.removeItem(atPath: path) }
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    try Data("mine".utf8).write(to: URL(fileURLWithPath: path + "/notes"))
    #expect(throws: DataError.self) { try DemoCorpus(smallOptions()).write(to: path) }
    #expect(try FileManager.default.contentsOfDirectory(atPath: path) == ["notes"])
  }

  @Test func refusesOptionsThatMakeNoCorpus() {
    let changes: [(inout DemoOptions) -> Void] = [
      { $0.trainVideos = 0 }, { $0.testVideos = -1 }, { $0.queriesPerVideo = 0 }, { $0.frames = 2...5 },
      { $0.frameInterval = .nan }, { $0.frameInterval = 0 }, { $0.noise = .infinity },
      { $0.appearanceWidth = 0 }, { $0.merges = -1 },
    ]
    for change in changes {
      var options = smallOptions()
      change(&options)
      #expect(throws: DataError.self) { try DemoCorpus(options) }
    }
  }

  /// The tasks and splits whose golden annotations demo rows must resemble.
  static let annotations = DemoTask.tokenized.flatMap { task in
    DemoSplit.allCases.map { (task, $0) }
  }

  @Test(arguments: annotations)
  func rowsHaveTheGoldenFields(task: DemoTask, split: DemoSplit) throws {
    let corpus = try DemoCorpus(smallOptions())
    let golden = try goldenRow("ann/\(task.rawValue)_\(split.rawValue).jsonl")
    for row in corpus.rows(task, split) { #expect(kinds(row) == kinds(golden)) }
  }

  /// Rows have the fields of VALUE's annotations.
  @Test(arguments: [
    (DemoTask.yc2r, ["desc_id", "desc", "vid_name", "duration"]),
    (.vatexRetrieval, ["desc_id", "desc", "vid_name", "duration"]),
    (.vlep, ["example_id", "vid_name", "ts", "events", "answer"]),
    (.yc2c, ["vid_name", "clip_id", "duration", "descs"]),
    (.vatexCaptions, ["vid_name", "clip_id", "duration", "descs"]),
  ])
  func rowsHaveVALUEsFields(task: DemoTask, fields: [String]) throws {
    let corpus = try DemoCorpus(smallOptions())
    for split in DemoSplit.allCases {
      let rows = corpus.rows(task, split)
      #expect(!rows.isEmpty && rows.allSatisfy { $0.object.map { Array($0.keys) } == fields })
    }
  }

  @Test
  func sideFilesHaveTheGoldenFields() throws {
    let corpus = try DemoCorpus(smallOptions())
    let subtitles = corpus.subtitleRows()
    let golden = try goldenRow("ann/tv_subtitles.jsonl")
    #expect(subtitles.count == 64)
    for row in subtitles where row["sub"]?.array?.isEmpty == false { #expect(kinds(row) == kinds(golden)) }
    let folder = SharedData.golden.appendingPathComponent("corpus")
    func first(_ json: JSON) -> JSON? { json.object?.values.first ?? json.array?.first }
    let goldenCounts = try JSON.read(path: folder.appendingPathComponent("ann/tv_vid2nframe.json").path)
    #expect(first(corpus.frameCounts()).map(kinds) == first(goldenCounts).map(kinds))
    let goldenDurations = try JSON.read(path: folder.appendingPathComponent("ann/vid2dur_idx.json").path)
    #expect(Set(corpus.durations().object?.keys ?? []) == Set(goldenDurations.object?.keys ?? [""]))
    #expect(
      first(corpus.durations()).flatMap(first).map(kinds) == first(goldenDurations).flatMap(first).map(kinds))
    let goldenSplit = try JSON.read(path: folder.appendingPathComponent("pretrain_splits/tv_val.json").path)
    #expect(first(corpus.pretrainSplit(training: false)).map(kinds) == first(goldenSplit).map(kinds))
  }

  private func goldenRow(_ name: String) throws -> JSON {
    let path = SharedData.golden.appendingPathComponent("corpus/\(name)").path
    var rows: [JSON] = []
    try JSONLines.read(path: path) { _, row in rows.append(row) }
    return try #require(rows.first { $0["sub"]?.array?.isEmpty != true })
  }

  /// Returns a row's fields with the kinds of their values, in order; of a list, its first element.
  private func kinds(_ json: JSON) -> String {
    switch json {
    case .object(let object):
      "{" + object.map { "\($0.key): \(kinds($0.value))" }.joined(separator: ", ") + "}"
    case .array(let items): "[" + (items.first.map(kinds) ?? "") + "]"
    case .int, .double: "number"
    default: json.kind
    }
  }
}
