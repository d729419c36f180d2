import Formats
import Foundation
import TestSupport
import Testing

@testable import Vision

/// Folders of pictures as videos.
@Suite struct FrameFolderTests {
  private let folder: TemporaryFolder
  private let frames = Fixtures.path("Vision/frames/clip.v2")

  init() throws { folder = try TemporaryFolder() }

  @Test func namesAreInNaturalOrder() {
    let names = [
      "b", "a10.png", "a2.png", "a02.png", "a2.jpg", "a", "a2b1.png", "00003.jpg", "4.jpg", "a002x",
    ]
    #expect(
      names.sorted(by: NaturalOrder.precedes) == [
        "00003.jpg", "4.jpg", "a", "a2.jpg", "a02.png", "a2.png", "a2b1.png", "a002x", "a10.png", "b",
      ])
  }

  @Test(arguments: [
    ("3", 3, 1), ("23.976", 2997, 125), ("30000/1001", 30000, 1001), ("0.5", 1, 2), ("1/3", 1, 3),
  ]) func ratesAreRead(text: String, numerator: Int, denominator: Int) {
    #expect(PictureRate(text) == PictureRate(numerator: numerator, denominator: denominator))
  }

  @Test(arguments: ["", "0", "-3", "x", "1/0", "0/1", "1/2/3", "inf", "nan", "1e9", "0.0001", "/", "3/"])
  func otherRatesAreNone(text: String) { #expect(PictureRate(text) == nil) }

  /// Pictures, PNG or JPEG, are seen in their order, and a damaged one repeats the one before.
  ///
  /// They are greys of 40, 120 and 200, a second each.
  @Test func picturesAreSeenInTheirOrder() throws {
    func greys(_ path: String) throws -> [Int] {
      let source = try FrameFolder(path: path, rate: PictureRate(numerator: 1, denominator: 1))
      let decoder = source.decoder(threads: 1)
      var greys: [Int] = []
      let stream = try PictureStream(
        source, rate: PictureRate(numerator: 2, denominator: 1), input: .pictures(side: 16, isCropped: true),
        scaling: .bicubic
      ) { greys.append(Int($0[0])) }
      while let picture = try decoder.next() { try stream.push(picture) }
      try stream.end(at: decoder.end)
      return greys
    }
    func isNear(_ greys: [Int], _ wanted: [Int]) -> Bool {
      greys.count == wanted.count && paired(greys, wanted).allSatisfy { abs($0 - $1) <= 2 }
    }
    let whole = try greys(frames)
    #expect(isNear(whole, [40, 40, 120, 120, 200, 200]), "\(whole)")
    try FileManager.default.copyItem(atPath: frames, toPath: folder.path("clip"))
    _ = try folder.file("clip/frame5.png", "no picture")
    _ = try folder.file("clip/.frame6.png", "no picture")
    _ = try folder.file("clip/notes.txt", "no picture")
    let damaged = try greys(folder.path("clip"))
    #expect(isNear(damaged, [40, 40, 120, 120, 120, 120, 200, 200]), "\(damaged)")
    _ = try folder.file("bad/1.png", "no picture")
    _ = try folder.file("empty/notes.txt", "no picture")
    for name in ["bad", "empty", "none"] {
      #expect(throws: DataError.self) { try greys(folder.path(name)) }
    }
  }

  @Test func eachFolderWithPicturesIsAVideo() throws {
    for place in ["a/s01.clip_00", "a/s01.clip_01", "b/s01.clip_00"] {
      for name in ["10.jpg", "9.png", "notes.txt"] { _ = try folder.file("f/\(place)/\(name)", "x") }
    }
    _ = try folder.file("f/a/0.JPG", "x")
    var told: [String] = []
    let found = try VideoList.frameFolders(at: [folder.path("f") + "/"]) { told.append($0) }
    #expect(found == ["a", "a/s01.clip_00", "a/s01.clip_01"].map { folder.path("f/\($0)") }, "\(found)")
    #expect(told.count == 1 && told[0].contains("same name"))
    var form = FeatureForm()
    form.isOfFolders = true
    let output = try FeatureFolder(path: folder.path("o"), networks: ["resnet"], form: form)
    #expect(output.file(of: found[1], network: "resnet").hasSuffix("o/resnet_features/s01.clip_00.npz"))
    #expect(form.name(of: folder.path("f/a/.")) == "a" && form.name(of: folder.path("f/a//")) == "a")
    for path in ["f/a/0.JPG", "f/a/s01.clip_00/notes.txt", "none"] {
      #expect(throws: DataError.self) { try VideoList.frameFolders(at: [folder.path(path)]) }
    }
  }

  @Test func rowsAreThoseOfThePictures() throws {
    var options = FeatureExtractor.Options(interval: try #require(FrameInterval(seconds: 1)))
    options.frameRate = PictureRate(numerator: 1, denominator: 1)
    let network = try CLIPImageEncoder(TinyCLIP().arrays.weights, TinyCLIP.tower, precision: .float32)
    var found: ExtractedVideo?
    try FeatureExtractor([network], options).extract([(frames, ["clip-vit"])]) { found = $0 }
    let video = try #require(found)
    #expect(video.failure == nil && video.damages == 0 && video.features["clip-vit"]?.rows == 3)
    #expect(video.span == VideoSpan(start: 0, duration: 3))
  }
}
