import Formats
import TestSupport
import Testing

@testable import Vision

@Suite(.serialized) struct NetworkTests {
  @Test(arguments: [1, 3, 18]) func resNetAgreesWithLoops(count: Int) throws {
    let tiny = TinyResNet()
    let network = try ResNet(tiny.arrays.weights, precision: .float32, side: 17)
    let pictures = Pictures.random(count, width: 23, height: 17)
    #expect(network.width == 32)
    #expect(worstRow(try network.features(pictures), tiny.rows(pictures)) < 1e-5)
  }

  @Test func slowFastAgreesWithLoops() throws {
    let tiny = TinySlowFast()
    let frames = TinySlowFast.frames
    let network = try SlowFast(tiny.arrays.weights, precision: .float32, side: 16, frames: frames, batch: 2)
    let pictures = Pictures.random(3 * frames, width: 16, height: 16)
    #expect(network.width == 60)
    #expect(worstRow(try network.features(pictures), tiny.rows(pictures)) < 1e-5)
  }

  @Test(arguments: [1, 2, 19]) func clipAgreesWithLoopsByBothNames(count: Int) throws {
    let tiny = TinyCLIP()
    let pictures = Pictures.random(count, width: TinyCLIP.side, height: TinyCLIP.side)
    for weights in [tiny.arrays.weights, tiny.huggingFace] {
      let network = try CLIPImageEncoder(weights, TinyCLIP.tower, precision: .float32)
      #expect(network.width == TinyCLIP.width)
      #expect(network.input == .pictures(side: TinyCLIP.side, isCropped: true))
      #expect(worstRow(try network.features(pictures), tiny.rows(pictures)) < 1e-5)
    }
  }

  @Test(
    .enabled(
      if: NetworkPrecision.bfloat16.isComputedHere, "oneDNN computes no networks in bf16 on this processor"))
  func halfPrecisionStaysNear() throws {
    let tiny = TinyResNet()
    let pictures = Pictures.random(4, width: 17, height: 17)
    let resnet = try ResNet(tiny.arrays.weights, precision: .bfloat16, side: 17)
    let resnetError = worstRow(try resnet.features(pictures), tiny.rows(pictures))
    #expect(resnetError < 0.02)
    let fast = TinySlowFast()
    let clip = Pictures.random(TinySlowFast.frames, width: 16, height: 16)
    let slowfast = try SlowFast(
      fast.arrays.weights, precision: .bfloat16, side: 16, frames: TinySlowFast.frames)
    let slowfastError = worstRow(try slowfast.features(clip), fast.rows(clip))
    #expect(slowfastError < 0.02)
    let tinyCLIP = TinyCLIP()
    let small = Pictures.random(3, width: TinyCLIP.side, height: TinyCLIP.side)
    let encoder = try CLIPImageEncoder(
      tinyCLIP.arrays.weights, TinyCLIP.tower, precision: .bfloat16)
    let clipError = worstRow(try encoder.features(small), tinyCLIP.rows(small))
    #expect(clipError < 0.03)
  }

  /// Weights with a missing block, a negative variance or a fourth colour are refused.
  @Test func brokenWeightsAreRefused() throws {
    func refused(_ change: (inout [(name: String, array: NDArray)]) throws -> Void) throws -> DataError {
      var arrays = TinyResNet().arrays.list
      try change(&arrays)
      let weights = NetworkWeights(path: "tiny", arrays: arrays)
      return try #require(throws: DataError.self) { try ResNet(weights, precision: .float32) }
    }
    let hole = try refused { $0.removeAll { $0.name.hasPrefix("layer1.0.") } }
    #expect(hole.problem == "has “layer1.1.…” and no “layer1.0.…”", "\(hole)")
    let negative = try refused { arrays in
      let place = try #require(arrays.firstIndex { $0.name == "layer2.0.bn1.running_var" })
      var values = arrays[place].array.floats()
      values[1] = -0.5
      arrays[place].array = NDArray(floats: values, shape: arrays[place].array.shape)
    }
    #expect(
      negative.problem.hasPrefix("element 1 of ") && negative.problem.contains("is -0.5"), "\(negative)")
    let colours = try refused { arrays in
      let place = try #require(arrays.firstIndex { $0.name == "conv1.weight" })
      let shape = arrays[place].array.shape
      arrays[place].array = NDArray(
        floats: [Float](repeating: 0.1, count: shape[0] * 4 * 49), shape: [shape[0], 4, 7, 7])
    }
    #expect(colours.problem == "reads 4 channels, and pictures have 3", "\(colours)")
  }

  /// Every network's first convolution must read three colours.
  @Test func fourColoursAreRefused() throws {
    let (slowfast, clip) = (TinyArrays(), TinyArrays())
    for pathway in 0..<2 {
      let stem = "s1.pathway\(pathway)_stem"
      slowfast.addConvolution("\(stem).conv", norm: "\(stem).bn", [2, 4, 1, 3, 3])
    }
    for (number, inputs) in zip(1...3, [4, 2, 2]) {
      clip.addConvolution("visual.conv\(number)", norm: "visual.bn\(number)", [2, inputs, 3, 3])
    }
    let tower = CLIPFiles.Tower(activation: .quickGELU, heads: nil)
    let errors = [
      try #require(throws: DataError.self) { try SlowFast(slowfast.weights, precision: .float32) },
      try #require(throws: DataError.self) {
        try CLIPResNet(clip.weights, tower, name: "clip-rn50x4", precision: .float32)
      },
    ]
    for error in errors { #expect(error.problem == "reads 4 channels, and pictures have 3", "\(error)") }
  }

  @Test func otherNetworksWeightsAreRefused() throws {
    let (resnet, clip) = (TinyResNet().arrays.weights, TinyCLIP().arrays.weights)
    let error = try #require(throws: DataError.self) { try ResNet(clip, precision: .float32) }
    #expect(error.file == "tiny" && error.place != nil && error.cure != nil)
    #expect(throws: DataError.self) { try SlowFast(resnet, precision: .float32) }
    #expect(throws: DataError.self) { try CLIPImageEncoder(resnet, TinyCLIP.tower, precision: .float32) }
  }

  @Test func shallowResNetsAreRefused() throws {
    let arrays = TinyArrays()
    arrays.addConvolution("conv1", norm: "bn1", [8, 3, 7, 7])
    arrays.addConvolution("layer1.0.conv1", norm: "layer1.0.bn1", [8, 8, 3, 3])
    let error = try #require(throws: DataError.self) { try ResNet(arrays.weights, precision: .float32) }
    #expect(error.problem.contains("bottleneck"))
  }

  @Test(arguments: [
    ("conv1_w", "s1.pathway0_stem.conv.weight"), ("t_conv1_w", "s1.pathway1_stem.conv.weight"),
    ("res_conv1_bn_rm", "s1.pathway0_stem.bn.running_mean"),
    ("t_res_conv1_bn_s", "s1.pathway1_stem.bn.weight"),
    ("t_pool1_subsample_w", "s1_fuse.conv_f2s.weight"),
    ("t_pool1_subsample_bn_riv", "s1_fuse.bn.running_var"),
    ("t_res4_5_branch2c_bn_subsample_w", "s4_fuse.conv_f2s.weight"),
    ("t_res3_3_branch2c_bn_subsample_bn_b", "s3_fuse.bn.bias"),
    ("res4_0_branch1_w", "s4.pathway0_res0.branch1.weight"),
    ("t_res4_0_branch1_bn_s", "s4.pathway1_res0.branch1_bn.weight"),
    ("res5_2_branch2c_w", "s5.pathway0_res2.branch2.c.weight"),
    ("t_res5_2_branch2a_bn_b", "s5.pathway1_res2.branch2.a_bn.bias"),
  ])
  func caffe2NamesAreTranslated(blob: String, name: String) {
    #expect(Caffe2Blobs.name(blob) == name)
  }

  @Test(arguments: ["lr", "model_iter", "conv1_w_momentum", "", "_", "res_w", "resx_0_branch1_w", "pred_w"])
  func otherBlobsHaveNoName(blob: String) { #expect(Caffe2Blobs.name(blob) == nil) }

  @Test func filesOfEveryKindAreRead() throws {
    let folder = try TemporaryFolder()
    let tiny = TinyResNet()
    let path = folder.path("resnet.safetensors")
    try Safetensors.write(path: path, tensors: tiny.arrays.list)
    let network = try ResNet(NetworkWeights(path: path), precision: .float32, side: 33)
    let pictures = Pictures.random(1, width: 33, height: 33)
    #expect(worstRow(try network.features(pictures), tiny.rows(pictures)) < 1e-5)
    for fixture in ["Formats/views.zip.pt", "Formats/views.legacy.pt"] {
      let weights = try NetworkWeights(path: Fixtures.path(fixture))
      #expect(weights.names.contains("whole"))
      #expect(try weights.array("whole", dimensions: 2).shape == [3, 4])
    }
    let blobs = try NetworkWeights(path: Fixtures.path("Vision/blobs.pkl"))
    #expect(blobs.names == ["s1.pathway0_stem.conv.weight", "s2_fuse.bn.bias"])
    #expect(try blobs.floats("s2_fuse.bn.bias", count: 2) == [1, 2])
    let script = try NetworkWeights(path: Fixtures.path("Vision/script.pt"))
    #expect(Set(script.names) == ["visual.weight", "visual.bias", "visual.inner.0.scale"])
    #expect(try script.floats("visual.bias", count: 2) == [3, 4])
  }

  @Test func nonsenseIsNoWeights() throws {
    let folder = try TemporaryFolder()
    for text in ["", "hello", "PK\u{3}\u{4}", "(dp0\n."] {
      let path = try folder.file("weights.pth", text)
      #expect(throws: DataError.self) { try NetworkWeights(path: path) }
    }
    #expect(throws: DataError.self) { try NetworkWeights(path: folder.path("missing.pth")) }
  }
}
