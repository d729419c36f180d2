import Foundation
import TestSupport
import Testing

@testable import Corpus
@testable import Formats

@Suite struct FeatureStoreTests {
  @Test(arguments: [false, true])
  func featuresAreThoseOfTheFiles(_ compressed: Bool) throws {
    let store = try Golden.features(compressed: compressed)
    #expect(store.path.hasSuffix("_compressed") == compressed)
    let root = try Golden.path("corpus/features")
    for video in store.videos {
      let features = try store.features(of: video)
      #expect(features.count == store.frameCount(of: video))
      #expect(try features.width == store.width())
      let parts = try ["resnet", "slowfast"].map {
        try NPZ.read(path: "\(root)/\($0)_features/tv/\(video).npz", name: "features")
      }
      let rows = try (0..<features.count).flatMap { row in
        try parts.flatMap { try $0.rows(row..<row + 1).floats() }
      }
      #expect(features.values == rows, "\(video)")
      let three = try store.features(of: video, maxFrames: 3)
      #expect(three.values == Array(features.values.prefix(3 * features.width)))
    }
    #expect(try FeatureStore(path: store.path).videos == store.videos)
  }

  /// Makes a store with one value for each video.
  static func makeStore(_ path: String, name: String, _ videos: [(String, [UInt8])], frames: Int = 2) throws {
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    let writer = try LMDBWriter(path: "\(path)/\(name)")
    for (video, bytes) in videos { try writer.put(video, bytes) }
    try writer.finish()
    let counts = videos.map { (key: $0.0, value: JSON.int(frames)) }
    try AtomicFile.write(JSON.object(JSONObject(counts)).encoded(), to: path + "/id2nframe.json")
  }

  static func value(_ array: NDArray) throws -> [UInt8] {
    MessagePack.map([(.string("features"), try MessagePackNumpy.encode(array))]).encode()
  }

  @Test func everyFormOfValueIsTold() throws {
    let folder = try TemporaryFolder()
    let array = NDArray(floats: [1, 2, 3, -4, 0.5, 6], shape: [2, 3])
    let half = array.asFloat16()
    let packed = try Self.value(array)
    try Self.makeStore(
      folder.root, name: "resnet_slowfast_2.0",
      [
        ("plain", packed), ("half", try Self.value(half)), ("zstd", try Compression.zstd.compress(packed)),
        ("lz4", try Compression.lz4.compress(packed)),
        ("npz", try NPZ.encode([("other", array), ("features", half)], compress: true)),
      ])
    let store = try FeatureStore(path: folder.root, frameLength: 2, compressed: true)
    for video in store.videos {
      #expect(
        try store.features(of: video) == FrameFeatures(count: 2, width: 3, values: [1, 2, 3, -4, 0.5, 6]),
        "\(video)")
    }
  }

  @Test func whatIsNoNumberIsToldByItsFrame() throws {
    let folder = try TemporaryFolder()
    let arrays: [(String, [Float])] = [
      ("nan", [1, 2, .nan, 4]), ("endless", [1, 2, 3, -.infinity]), ("fine", [1, 2, 3, 4]),
    ]
    try Self.makeStore(
      folder.root, name: "resnet_slowfast_2.0",
      try arrays.map { ($0.0, try Self.value(NDArray(floats: $0.1, shape: [2, 2]))) })
    let store = try FeatureStore(path: folder.root, frameLength: 2)
    for video in ["nan", "endless"] {
      let error = try #require(throws: DataError.self) { try store.features(of: video) }
      #expect(error.problem.hasPrefix("frame 1 holds") && error.place?.contains(video) == true)
      // Invalid frames beyond those asked for do no harm.
      #expect(try store.features(of: video, maxFrames: 1).values == [1, 2])
    }
    #expect(try store.features(of: "fine").count == 2)
  }

  /// The first video decides neither the store's width nor whether the others can be read.
  @Test func oneBadVideoInFront() throws {
    let wide = try Self.value(NDArray(floats: [1, 2, 3, 4, 5, 6], shape: [2, 3]))
    let good = try Self.value(NDArray(floats: [1, 2, 3, 4], shape: [2, 2]))
    let bad: [[UInt8]] = [
      wide, [], [0xC1], try Self.value(NDArray(floats: [.nan, 1, 2, 3], shape: [2, 2])),
    ]
    for (number, first) in bad.enumerated() {
      let folder = try TemporaryFolder()
      try Self.makeStore(
        folder.root, name: "resnet_slowfast_2.0", [("a", first)] + ["b", "c", "d"].map { ($0, good) })
      for asked in ["a", "b"] {
        let store = try FeatureStore(path: folder.root, frameLength: 2)
        if asked == "b" { #expect(try store.width() == 2, "\(number)") }
        #expect(throws: DataError.self, "\(number)") { try store.features(of: "a") }
        #expect(try store.features(of: "b").width == 2 && store.features(of: "d").width == 2)
      }
    }
    let folder = try TemporaryFolder()
    try Self.makeStore(folder.root, name: "resnet_slowfast_2.0", [("a", [0xC1]), ("b", [])])
    let error = try #require(throws: DataError.self) {
      try FeatureStore(path: folder.root, frameLength: 2).width()
    }
    #expect(error.place == "video \"a\"")
  }

  /// A store may be a plain file, as `lmdb.open(…, subdir=False)` makes it.
  @Test func aStoreMayBeAFile() throws {
    let folder = try TemporaryFolder()
    let name = "resnet_slowfast_2.0"
    try Self.makeStore(
      folder.root, name: name, [("a", try Self.value(NDArray(floats: [1, 2], shape: [1, 2])))])
    try FileManager.default.moveItem(atPath: folder.path("\(name)/data.mdb"), toPath: folder.path("file"))
    try FileManager.default.removeItem(atPath: folder.path(name))
    try FileManager.default.moveItem(atPath: folder.path("file"), toPath: folder.path(name))
    for path in [folder.root, folder.path(name)] {
      #expect(try FeatureStore(path: path, frameLength: 2).features(of: "a").values == [1, 2])
    }
  }

  @Test func bothSpellingsOfTheIntervalAreFound() throws {
    for name in ["resnet_slowfast_2", "resnet_slowfast_2.0", "resnet_slowfast_2_compressed"] {
      let folder = try TemporaryFolder()
      try Self.makeStore(folder.root, name: name, [])
      #expect(try FeatureStore(path: folder.root, frameLength: 2).path == folder.path(name))
      #expect(try FeatureStore(path: folder.path(name)).videos.isEmpty)
      let error = try #require(throws: DataError.self) {
        try FeatureStore(path: folder.root, frameLength: 1.5)
      }
      #expect(error.problem.contains("resnet_slowfast_1.5"))
      try FileManager.default.removeItem(atPath: folder.path("id2nframe.json"))
      #expect(throws: DataError.self) { try FeatureStore(path: folder.root, frameLength: 2) }
    }
    #expect(throws: DataError.self) { try FeatureStore(path: "no/such/folder") }
  }

  @Test func valuesThatAreNoFeaturesAreNamed() throws {
    let folder = try TemporaryFolder()
    let good = try Self.value(NDArray(floats: [1, 2], shape: [1, 2]))
    try Self.makeStore(
      folder.root, name: "resnet_slowfast_1.5",
      [
        ("good", good), ("wide", try Self.value(NDArray(floats: [1, 2, 3], shape: [1, 3]))),
        ("flat", try Self.value(NDArray(floats: [1, 2], shape: [2]))),
        ("integers", try Self.value(NDArray(int64s: [1, 2], shape: [1, 2]))),
        ("empty", try Self.value(NDArray(floats: [], shape: [0, 2]))), ("nothing", []),
        ("other", MessagePack.map([(.string("x"), .int(1))]).encode()), ("npz", Array("PK\u{3}\u{4}".utf8)),
      ])
    let store = try FeatureStore(path: folder.root)
    #expect(try store.width() == 2)
    for video in store.videos.dropFirst() + ["absent"] {
      let error = try #require(throws: DataError.self) { try store.features(of: video) }
      #expect(error.place == "video \"\(video)\"" && error.file == store.path, "\(video)")
    }
    for length in 0..<good.count {
      try Self.makeStore(
        folder.path("\(length)"), name: "resnet_slowfast_1.5", [("cut", Array(good[..<length]))])
      let cut = try FeatureStore(path: folder.path("\(length)"))
      #expect(throws: DataError.self) { try cut.features(of: "cut") }
    }
  }

  /// Counts may be texts, or floats as pandas writes whole numbers, and the path may be the file's.
  @Test func countsMayBeWrittenAsTextsAndTheFileMayBeGiven() throws {
    let folder = try TemporaryFolder()
    let value = try NPY.encode(NDArray(floats: [1, 2, 3, 4], shape: [2, 2]))
    try Self.makeStore(folder.root, name: "resnet_slowfast_1.5", [("a", value), ("b", value)])
    let list = folder.path("id2nframe.json")
    try AtomicFile.write(#"{"a": 2.0, "b": "2"}"#, to: list)
    let store = try FeatureStore(path: folder.path("resnet_slowfast_1.5/data.mdb"))
    #expect(store.frameCount(of: "a") == 2 && store.frameCount(of: "b") == 2)
    #expect(try store.features(of: "b").values == [1, 2, 3, 4])
    for bad in ["2.5", "\"2 \"", "NaN", "-1", "[2]", "1e+300"] {
      try AtomicFile.write("{\"a\": 2, \"b\": \(bad)}", to: list)
      let error = try #require(throws: DataError.self) { try FeatureStore(path: store.path) }
      #expect(error.problem.contains(bad) && error.place == "key \"b\"", "\(error)")
    }
  }

  /// A missing name's hint finds names that differ in case, in a suffix or in ActivityNet's `v_`.
  @Test func namesThatAPersonTakesForOthersAreTold() {
    #expect(SimilarNames.hint(missing: ["v_ab"], among: ["x", "ab"])?.contains("is perhaps \"ab\"") == true)
    #expect(SimilarNames.hint(missing: ["Ab"], among: ["x", "v_aB.mp4"])?.contains("\"v_aB.mp4\"") == true)
    #expect(SimilarNames.hint(missing: ["v_"], among: ["x"]) == nil)
  }

  @Test func aStoreWithoutOneListedVideoSaysSo() throws {
    let folder = try TemporaryFolder()
    let value = try Self.value(NDArray(floats: [1, 2, 3, 4], shape: [2, 2]))
    try Self.makeStore(folder.root, name: "resnet_slowfast_1.5", [("clip", value)])
    try AtomicFile.write(#"{"clip.mp4": 2}"#, to: folder.path("id2nframe.json"))
    let error = try #require(throws: DataError.self) { try FeatureStore(path: folder.root).width() }
    #expect(error.problem.contains("has none of the 1 videos"))
    #expect(error.problem.contains("\"clip\" is perhaps \"clip.mp4\""))
  }

  @Test func valuesOfAnotherKindAreNamed() throws {
    let folder = try TemporaryFolder()
    let values: [(String, [UInt8])] = [
      ("pickle", [0x80, 4, 0x95, 1]), ("empty", []), ("text", Array("hello".utf8)),
    ]
    try Self.makeStore(folder.root, name: "resnet_slowfast_1.5", values)
    let store = try FeatureStore(path: folder.root)
    for (video, says) in [("pickle", "is a Python pickle"), ("empty", "empty"), ("text", "MessagePack")] {
      let error = try #require(throws: DataError.self) { try store.features(of: video) }
      #expect(
        error.problem.contains(says) && error.place == "video \"\(video)\"" && error.cure != nil, "\(error)")
    }
  }
}
