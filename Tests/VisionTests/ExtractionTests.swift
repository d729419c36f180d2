import Formats
import Foundation
import TestSupport
import Testing

@testable import Vision

@Suite(.serialized) struct ExtractionTests {
  private let folder: TemporaryFolder
  private let networks: [any FeatureNetwork]

  init() throws {
    folder = try TemporaryFolder()
    networks = [
      try ResNet(TinyResNet().arrays.weights, precision: .float32, side: 32),
      try SlowFast(TinySlowFast().arrays.weights, precision: .float32, side: 32, frames: TinySlowFast.frames),
      try CLIPImageEncoder(TinyCLIP().arrays.weights, TinyCLIP.tower, precision: .float32),
    ]
  }

  private func path(_ name: String) -> String { Fixtures.path("Vision/\(name)") }

  private func extractor(jobs: Int = 1) throws -> FeatureExtractor {
    var options = FeatureExtractor.Options(interval: try #require(FrameInterval(seconds: 1.5)))
    options.jobs = jobs
    return FeatureExtractor(networks, options)
  }

  @Test func rowsAreThoseOfThePictures() throws {
    let features = try extractor().extract(video: path("plain.mp4"))
    #expect(features.mapValues(\.rows) == ["resnet": 2, "slowfast": 3, "clip-vit": 2])
    #expect(features.mapValues(\.width) == ["resnet": 32, "slowfast": 60, "clip-vit": 6])
    let rate = PictureRate(numerator: 2, denominator: 3)
    for network in [networks[0], networks[2]] {
      let (pictures, width, height) = try DecodingTests.pictures(
        path("plain.mp4"), rate: rate, input: network.input)
      let rows = try network.features(
        Pictures(width: width, height: height, bytes: Array(pictures.joined())))
      #expect(features[network.name]?.values == rows)
    }
    // 96 pictures at 30 a second are padded to 180, four clips of 45. The video's 3.2 s cover
    // three.
    let (all, width, height) = try DecodingTests.pictures(
      path("plain.mp4"), rate: PictureRate(numerator: 30, denominator: 1), input: networks[1].input)
    var seen = all + [[UInt8]](repeating: all[95], count: 24)
    seen += seen.suffix(30)
    seen += seen.suffix(30)
    let places = ClipSampling.places(length: 45, frames: TinySlowFast.frames, frameRate: 10)
    let clips = (0..<3).flatMap { clip in places.flatMap { seen[45 * clip + $0] } }
    let rows = try networks[1].features(Pictures(width: width, height: height, bytes: clips))
    #expect(features["slowfast"]?.values == rows)
  }

  @Test(arguments: [1, 3]) func unreadableVideosDoNotStopTheOthers(jobs: Int) throws {
    let garbage = try folder.file("garbage.mp4", "garbage")
    let names = ["plain.mp4", "one.mp4", "rotated.mp4", "variable.mkv", "late.mkv"]
    let videos = [garbage] + names.map(path)
    let output = try FeatureFolder(path: folder.path("features"), networks: networks.map(\.name))
    var reports: [String: ExtractedVideo] = [:]
    var seconds = 0.0
    try extractor(jobs: jobs).extract(videos.map { ($0, Set(networks.map(\.name))) }) {
      seconds += $0
    } _: {
      reports[$0.path] = $0
      try output.write($0)
    }
    try output.finish()
    #expect(reports.count == videos.count)
    #expect(reports[garbage]?.failure?.file == garbage)
    #expect(seconds > 9)
    let failed = try JSON.read(path: folder.path("features/failed.json")).object
    #expect(failed?.keys.map { $0 } == [garbage])
    for name in names {
      #expect(reports[path(name)]?.failure == nil)
      for network in networks {
        let file = output.file(of: path(name), network: network.name)
        let array = try NPZ.read(path: file, name: "features")
        #expect(array.type == .float16)
        #expect(array.shape == [reports[path(name)]?.features[network.name]?.rows, network.width])
        let wanted = reports[path(name)]?.features[network.name]?.values ?? []
        #expect(paired(array.floats(), wanted).allSatisfy { abs($0 - $1) <= 1e-3 * max(abs($1), 1e-2) })
      }
    }
    #expect(
      reports[path("one.mp4")]?.features.mapValues(\.rows) == ["resnet": 1, "slowfast": 1, "clip-vit": 1])
  }

  @Test func whatIsThereIsNotDoneAgain() throws {
    let output = try FeatureFolder(path: folder.path("features"), networks: networks.map(\.name))
    #expect(output.missing(["resnet", "slowfast"], of: path("plain.mp4")) == ["resnet", "slowfast"])
    try extractor().extract([(path("plain.mp4"), ["resnet"])]) { try output.write($0) }
    #expect(output.missing(["resnet", "slowfast"], of: path("plain.mp4")) == ["slowfast"])
    try extractor().extract([(path("plain.mp4"), ["slowfast"])]) { try output.write($0) }
    #expect(output.missing(["resnet", "slowfast"], of: path("plain.mp4")).isEmpty)
    _ = try folder.file("features/failed.json", "{}")
    try output.finish()
    #expect(!FileManager.default.fileExists(atPath: folder.path("features/failed.json")))
  }

  struct Stop: Error {}

  @Test func anInterruptionLeavesNoThreadAndNoFile() throws {
    let output = try FeatureFolder(path: folder.path("features"), networks: networks.map(\.name))
    let videos = ["plain.mp4", "rotated.mp4", "variable.mkv", "late.mkv"].map {
      (path($0), Set(networks.map(\.name)))
    }
    var batches = 0
    #expect(throws: Stop.self) {
      try extractor(jobs: 2).extract(videos) { _ in
        batches += 1
        if batches == 2 { throw Stop() }
      } _: {
        try output.write($0)
      }
    }
    for network in networks {
      let files = try FileManager.default.contentsOfDirectory(
        atPath: folder.path("features/\(network.name)_features"))
      #expect(files.isEmpty)
    }
  }

  @Test func foldersAreSearchedAndNamesAreUnique() throws {
    for name in ["b/two.mkv", "one.mp4", "b/notes.txt"] { _ = try folder.file("videos/\(name)", "x") }
    let root = folder.path("videos")
    #expect(try VideoList.videos(at: [root]) == ["\(root)/b/two.mkv", "\(root)/one.mp4"])
    let other = try folder.file("other/one.avi", "x")
    var told: [String] = []
    #expect(try VideoList.videos(at: [root, other]) { told.append($0) }.count == 2)
    #expect(told.count == 1 && told[0].contains("has the same name"))
    #expect(throws: DataError.self) { try VideoList.videos(at: [folder.path("none")]) }
    _ = try folder.file("empty/notes.txt", "x")
    #expect(throws: DataError.self) { try VideoList.videos(at: [folder.path("empty")]) }
    #expect(try VideoList.videos(at: [folder.path("empty/notes.txt")]).count == 1)
    #expect(FeatureFolder.identifier(of: "/a/b/castle_s01e01.v2.mp4") == "castle_s01e01.v2")
  }
}
