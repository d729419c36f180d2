import Formats
import TestSupport
import Testing

@testable import Vision

/// Networks compared with PyTorch's on random weights.
@Suite struct NetworkGoldenTests {
  private func worst(_ rows: [Float], _ expected: [Float], width: Int) -> Double {
    let wanted = stride(from: 0, to: expected.count, by: width).map { start in
      expected[start..<start + width].map(Double.init)
    }
    return worstRow(rows, wanted)
  }

  /// CLIP's residual tower agrees with PyTorch's, in open_clip's layout and in OpenAI's.
  @Test(arguments: [CLIPStates.folder, CLIPStates.archive]) func clipsResNet(path: String) throws {
    let expected = try CLIPStates()
    let files = try CLIPFiles(path: path)
    // OpenAI's heads are 64 elements wide, and this tower's 16.
    #expect(files.imageNetwork == "clip-rn")
    let tower = CLIPFiles.Tower(activation: .quickGELU, heads: 4)
    if path == CLIPStates.folder { #expect(files.image == tower) }
    let network = try CLIPResNet(
      NetworkWeights(path: files.weights), tower, name: files.imageNetwork, precision: .float32)
    #expect(network.input == .pictures(side: expected.side, isCropped: true) && network.width == 6)
    let pictures = Pictures(width: expected.side, height: expected.side, bytes: expected.pictures)
    #expect(worst(try network.features(pictures), expected.image, width: 6) < 2e-5)
    #expect(try CLIPImageTower.network(files, precision: .float32).width == 6)
  }

  /// MIL-NCE's S3D agrees with PyTorch's on clips whose maps do not divide evenly.
  @Test func gatedS3D() throws {
    let json = try JSON.read(path: Fixtures.path("Vision/s3d.json"))
    let rows = (json["rows"]?.array ?? []).flatMap { ($0.array ?? []).map { Float($0.double ?? .nan) } }
    let (side, frames) = (try #require(json["side"]?.int), try #require(json["frames"]?.int))
    let network = try S3D(
      NetworkWeights(path: Fixtures.path("Vision/s3d.pth")), precision: .float32, side: side, frames: frames)
    #expect(network.name == "mil-nce" && network.width * 2 == rows.count)
    let pictures = Pictures(width: side, height: side, bytes: Squares.pixels(json))
    #expect(worst(try network.features(pictures), rows, width: network.width) < 2e-5)
  }

  @Test func otherWeightsAreRefused() throws {
    let resnet = try NetworkWeights(path: CLIPStates.folder + "/open_clip_model.safetensors")
    let error = try #require(throws: DataError.self) { try S3D(resnet, precision: .float32) }
    #expect(error.file != nil && error.cure != nil)
    let tower = CLIPFiles.Tower(activation: .quickGELU, heads: nil)
    #expect(throws: DataError.self) {
      try CLIPResNet(TinyResNet().arrays.weights, tower, name: "clip-rn", precision: .float32)
    }
    // 64 channels do not divide into 7 heads.
    let odd = CLIPFiles.Tower(activation: .quickGELU, heads: 7)
    #expect(throws: DataError.self) {
      try CLIPResNet(resnet, odd, name: "clip-rn", precision: .float32)
    }
  }
}
