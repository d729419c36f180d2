import Formats
import Foundation
import TestSupport
import Testing

@testable import Corpus

/// Feature stores made from small files of the test's own.
@Suite struct VideoStoreTests {
  private let scratch: TemporaryFolder

  init() throws {
    scratch = try TemporaryFolder()
    for (index, name) in ["a", "b", "c"].enumerated() {
      try write(name, kind: "resnet", rows: 3 + index, width: 2)
      try write(name, kind: "slowfast", rows: 4 + index, width: 3, type: .float16)
    }
  }

  /// Writes features whose element `j` of row `i` is 10i + j.
  private func write(_ name: String, kind: String, rows: Int, width: Int, type: ScalarType = .float32) throws
  {
    let folder = scratch.path("features/\(kind)_features/set")
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    let floats = (0..<rows).flatMap { row in (0..<width).map { Float(10 * row + $0) } }
    let array = NDArray(floats: floats, shape: [rows, width])
    let half = type == .float16 ? array.asFloat16() : array
    try NPZ.write(path: "\(folder)/\(name).npz", [(name: "features", array: half)])
  }

  private func options(output: String = "db") -> VideoStoreOptions {
    var options = VideoStoreOptions(
      source: .folder(scratch.path("features")), output: scratch.path(output), dataset: "tv")
    options.threadCount = 2
    return options
  }

  private func features(_ path: String, _ key: String) throws -> NDArray {
    let value = try #require(try LMDBReader(path: path).get(key))
    if NPZ.recognizes(value) { return try NPZ.read(bytes: value, name: "features") }
    let message = try MessagePack.decode(Compression.decompress(value))
    return try MessagePackNumpy.decode(#require(message["features"]))
  }

  @Test func rowsAreResnetThenSlowfastAndTheShorterFileCounts() throws {
    let report = try VideoStoreBuilder(self.options()).run { Issue.record("skipped \($0)") }
    #expect(report.path == scratch.path("db/tv/resnet_slowfast_1.5"))
    #expect(report.entries == 3 && report.frames == 12 && report.width == 5)
    let features = try features(report.path, "a")
    #expect(
      features == NDArray(floats: [0, 1, 0, 1, 2, 10, 11, 10, 11, 12, 20, 21, 20, 21, 22], shape: [3, 5]))
    #expect(try scratch.contents("db/tv/id2nframe.json") == #"{"a": 3, "b": 4, "c": 5}"#)
    #expect(!scratch.exists("db/tv/corrupted.json"))
  }

  /// A store's features are any number of parts of any width, in the order asked for.
  ///
  /// The store is named after them.
  @Test func featuresAreAListOfParts() throws {
    for (name, rows) in [("a", 2), ("b", 4), ("c", 5)] {
      try write(name, kind: "clip-vit", rows: rows, width: 1)
    }
    var options = self.options()
    options.features = ["clip-vit", "slowfast", "resnet"]
    let report = try VideoStoreBuilder(options).run { Issue.record("skipped \($0)") }
    #expect(report.path == scratch.path("db/tv/clip-vit_slowfast_resnet_1.5"))
    #expect(
      try features(report.path, "a")
        == NDArray(floats: [0, 0, 1, 2, 0, 1, 10, 10, 11, 12, 10, 11], shape: [2, 6]))
    options.output = scratch.path("one")
    options.features = ["clip-vit"]
    #expect(try VideoStoreBuilder(options).run().width == 1)
    for wrong in [[], ["resnet", "resnet"], ["a/b"], [""]] {
      options.features = wrong
      #expect(throws: DataError.self) { try VideoStoreBuilder(options).run() }
    }
    options.features = ["mil-nce"]
    #expect(throws: DataError.self) { try VideoStoreBuilder(options).run() }
  }

  @Test func namesFollowPythonsFloats() {
    var options = self.options()
    options.frameLength = 2
    options.compress = true
    #expect(options.storePath.hasSuffix("db/tv/resnet_slowfast_2.0_compressed"))
    options.featVersion = "clip"
    options.compress = false
    #expect(options.storePath.hasSuffix("db/tv/clip_2.0"))
  }

  @Test func longVideosAreCutIntoPieces() throws {
    var options = self.options()
    options.clipInterval = 3.5
    let report = try VideoStoreBuilder(options).run()
    #expect(
      try scratch.contents("db/tv/id2nframe.json")
        == #"{"a.0": 2, "a.1": 1, "b.0": 2, "b.1": 2, "c.0": 2, "c.1": 2, "c.2": 1}"#)
    #expect(try features(report.path, "c.2").floats() == [40, 41, 40, 41, 42])
    options.clipInterval = 1
    #expect(throws: DataError.self) { try VideoStoreBuilder(options).run() }
  }

  @Test func bothFormsAndCompressionHoldTheSameArrays() throws {
    let plain = try VideoStoreBuilder(self.options()).run()
    var options = self.options()
    options.compress = true
    let npz = try VideoStoreBuilder(options).run()
    options.compress = false
    options.compression = .zstd
    options.dataset = "zstd"
    let zstd = try VideoStoreBuilder(options).run()
    for name in ["a", "b", "c"] {
      let array = try features(plain.path, name)
      #expect(try features(npz.path, name) == array)
      #expect(try features(zstd.path, name) == array)
    }
  }

  @Test func unreadableFilesAreNamedListedAndLeftOut() throws {
    let folder = scratch.path("features/slowfast_features/set")
    let whole = try FileBytes.read(path: folder + "/a.npz")
    try Data(whole.prefix(whole.count / 2)).write(to: URL(fileURLWithPath: folder + "/b.npz"))
    try FileManager.default.removeItem(atPath: folder + "/c.npz")
    try write("d", kind: "slowfast", rows: 3, width: 3)
    try write("e", kind: "slowfast", rows: 3, width: 9)
    try write("e", kind: "resnet", rows: 3, width: 2)
    try write("f", kind: "slowfast", rows: 0, width: 3)
    try write("f", kind: "resnet", rows: 3, width: 2)
    try NPZ.write(path: folder + "/g.npz", [(name: "other", array: NDArray(floats: [1], shape: [1, 1]))])
    try write("g", kind: "resnet", rows: 3, width: 2)
    try NPZ.write(path: folder + "/h.npz", [(name: "features", array: NDArray(int64s: [1], shape: [1, 1]))])
    try write("h", kind: "resnet", rows: 3, width: 2)
    var skipped: [String] = []
    let report = try VideoStoreBuilder(self.options()).run(onSkip: { skipped.append($0) })
    #expect(report.entries == 1)
    #expect(report.corrupted == ["b", "c", "d", "e", "f", "g", "h"])
    #expect(skipped.count == 7)
    #expect(skipped[0].contains("\"b\"") && skipped[0].contains("b.npz"))
    #expect(try scratch.contents("db/tv/corrupted.json") == #"["b", "c", "d", "e", "f", "g", "h"]"#)
    #expect(try scratch.contents("db/tv/id2nframe.json") == #"{"a": 3}"#)
    #expect(try LMDBReader(path: report.path).count == 1)
  }

  @Test func anInterruptedRunLeavesNothingThatLooksWhole() throws {
    struct Interruption: Error {}
    #expect(throws: Interruption.self) {
      try VideoStoreBuilder(self.options()).run(progress: { if $0.done == 2 { throw Interruption() } })
    }
    let left = try? FileManager.default.contentsOfDirectory(atPath: scratch.path("db/tv"))
    #expect(left ?? [] == [])
    #expect(try VideoStoreBuilder(self.options()).run().entries == 3)
  }

  @Test func whatAKilledRunLeftIsClearedByTheNext() throws {
    let partial = scratch.path("db/tv/resnet_slowfast_1.5.partial")
    try FileManager.default.createDirectory(atPath: partial, withIntermediateDirectories: true)
    try Data("half".utf8).write(to: URL(fileURLWithPath: partial + "/data.mdb"))
    try Data().write(to: URL(fileURLWithPath: partial + "/.hero-partial"))
    let report = try VideoStoreBuilder(self.options()).run()
    #expect(try LMDBReader(path: report.path).count == 3)
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: scratch.path("db/tv")).sorted()
        == ["id2nframe.json", "resnet_slowfast_1.5"])
    #expect(try FileManager.default.contentsOfDirectory(atPath: report.path) == ["data.mdb"])
  }

  @Test func nothingThatExistsIsOverwritten() throws {
    let report = try VideoStoreBuilder(self.options()).run()
    let before = try FileBytes.read(path: report.path + "/data.mdb")
    #expect(throws: DataError.self) { try VideoStoreBuilder(self.options()).run() }
    #expect(try FileBytes.read(path: report.path + "/data.mdb") == before)
    // A second store's features disagree with the counts of the first.
    try write("a", kind: "resnet", rows: 2, width: 2)
    var options = self.options()
    options.frameLength = 2
    let error = try #require(throws: DataError.self) { try VideoStoreBuilder(options).run() }
    #expect(error.file?.hasSuffix("id2nframe.json") == true)
    #expect(error.place == "video \"a\"")
    #expect(!scratch.exists("db/tv/resnet_slowfast_2.0"))
    #expect(try scratch.contents("db/tv/id2nframe.json") == #"{"a": 3, "b": 4, "c": 5}"#)
  }

  /// Bad entries of a list of files are skipped by name, and a path may be missing.
  @Test func badEntriesOfAListAreLeftOut() throws {
    func entry(_ name: String, _ value: String) -> String { "S'\(name)'\n\(value)s" }
    func files(_ name: String, frames: String) -> String {
      let paths = ["slowfast", "resnet"].map { scratch.path("features/\($0)_features/set/\(name).npz") }
      return "(\(frames)\nS'\(paths[0])'\nS'\(paths[1])'\nS'tv'\nt"
    }
    var options = self.options()
    func list(_ entries: [String]) throws {
      options.source = .infoFile(try scratch.file("info.pkl", "(d" + entries.joined() + "."))
    }
    try list([
      entry("a", files("a", frames: "I3")), entry("b", files("b", frames: "I-8")),
      entry("c", "(I5\nNNS'tv'\nt"), entry("d", "I7\n"), entry("e", files("c", frames: "F5.0")),
    ])
    var told: [String] = []
    let report = try VideoStoreBuilder(options).run { told.append($0) }
    #expect(try scratch.contents("db/tv/id2nframe.json") == #"{"a": 3, "e": 5}"#)
    #expect(report.corrupted.sorted() == ["b", "c", "d"])
    for name in ["b", "d"] {
      #expect(told.contains { $0.contains("video \"\(name)\": is not (frames, slowfast path") }, "\(told)")
    }
    options.output = scratch.path("none")
    try list([entry("b", files("b", frames: "I-8"))])
    let error = try #require(throws: DataError.self) { try VideoStoreBuilder(options).run() }
    #expect(error.place == "video \"b\"" && error.cure != nil)
  }

  /// Ranks exchange at most a round's bytes at a time, unless a single video is larger.
  @Test(arguments: [1, 2, 3, 7]) func roundsAreBoundedByBytes(ranks: Int) {
    let most = EncodedVideos.mostBytes
    let large = [most / 3, most / 3, most / 2, 3 * most, 5, 5, most, most / 4, 0, 0, 2 * most, 1]
    for sizes in [large, [Int](repeating: 1000, count: 100), [Int](repeating: most / 16, count: 40), [], [7]]
    {
      let rounds = EncodedVideos.rounds(sizes.count, sizes: sizes, of: ranks)
      #expect(rounds.flatMap { $0 }.flatMap { $0 }.elementsEqual(sizes.indices))
      for round in rounds {
        #expect(round.count == ranks && round.allSatisfy { $0.count <= 8 })
        let bytes = round.joined().map { sizes[$0] }
        #expect(bytes.reduce(0, +) <= most || bytes.count { $0 > 0 } == 1, "\(bytes)")
        #expect(!bytes.isEmpty)
      }
    }
    // All ranks share small videos, and also middling ones, of which each rank gets a few.
    let small = EncodedVideos.rounds(100, sizes: [Int](repeating: 1000, count: 100), of: ranks)
    #expect(small[0].allSatisfy { $0.count == 8 })
    let middling = EncodedVideos.rounds(40, sizes: [Int](repeating: most / 16, count: 40), of: ranks)
    #expect(middling[0].allSatisfy { !$0.isEmpty })
  }

  @Test func sourcesWithoutVideosAreRefused() throws {
    for folder in ["nowhere", "db"] {
      var options = self.options()
      options.source = .folder(scratch.path(folder))
      #expect(throws: DataError.self) { try VideoStoreBuilder(options).run() }
    }
    var options = self.options()
    options.source = .infoFile(try scratch.file("info.pkl", "cos\nsystem\n(S'true'\ntR."))
    #expect(throws: DataError.self) { try VideoStoreBuilder(options).run() }
    options.source = .infoFile(try scratch.file("info.pkl", "]."))
    #expect(throws: DataError.self) { try VideoStoreBuilder(options).run() }
    for name in ["a", "b", "c"] {
      try FileManager.default.removeItem(atPath: scratch.path("features/resnet_features/set/\(name).npz"))
    }
    let error = try #require(throws: DataError.self) { try VideoStoreBuilder(self.options()).run() }
    #expect(error.problem.contains("none of its 3 videos"))
    #expect(!scratch.exists("db/tv/resnet_slowfast_1.5"))
    #expect(!scratch.exists("db/tv/id2nframe.json"))
  }
}
