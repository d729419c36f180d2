import Formats

/// SlowFast (Feichtenhofer et al., ICCV 2019) without its classifier.
///
/// The features are the means of both pathways' last maps, the slow one's first. The fast pathway
/// sees every frame of a clip with few channels, the slow one a quarter of them with many. After
/// each stage a convolution over time feeds the fast pathway's results to the slow one. The weights
/// set depths, widths and kernels. Source: the authors' `video_model_builder.py` with
/// `SLOWFAST_8x8_R50.yaml`.
public final class SlowFast: FeatureNetwork {
  private struct Block {
    var convolutions: [Convolution]
    var shortcut: Convolution?
  }

  private typealias Planned = (plan: Plan, slow: Value, fast: Value, outputs: [Value])

  /// The name; features are in `slowfast_features`.
  public let name = "slowfast"
  /// The number of channels of both pathways' last maps.
  public let width: Int
  /// The input: a clip an interval.
  public let input: NetworkInput
  /// The number of clips a pass.
  public let batch: Int
  /// The depth and width, as in `SlowFast R50, 2304 wide`.
  public let summary: String
  /// The number of fast frames for each slow one.
  private let alpha = 4
  private let frames: Int
  private let precision: NetworkPrecision
  private let stems: [Convolution]
  /// The convolutions from fast to slow, after the stem and each stage but the last.
  private let bridges: [Convolution]
  /// The blocks by stage, then by pathway.
  private let stages: [[[Block]]]
  private var plans = PlanCache<Planned>()

  /// - Parameters:
  ///   - side: the side of a picture, in pixels.
  ///   - frames: the number of frames of a clip.
  ///
  /// Throws `DataError` if the weights are not such a network's, or oneDNN is not installed.
  public init(
    _ weights: NetworkWeights, precision: NetworkPrecision, side: Int = 224, frames: Int = 32, batch: Int = 1
  ) throws {
    try OneDNN.load()
    self.precision = precision
    self.frames = frames
    self.batch = batch
    input = .clips(side: side, frames: frames)
    stems = try (0..<2).map { pathway in
      let stem = "s1.pathway\(pathway)_stem"
      let convolution = try Convolution(
        "\(stem).conv", norm: "\(stem).bn", strides: [1, 2, 2], from: weights)
      try convolution.requireColours("\(stem).conv", file: weights.path)
      return convolution
    }
    let alpha = alpha
    bridges = try (1...4).map {
      try Convolution("s\($0)_fuse.conv_f2s", norm: "s\($0)_fuse.bn", strides: [alpha, 1, 1], from: weights)
    }
    stages = try (2...5).map { stage in
      try (0..<2).map { pathway in try Self.blocks(stage: stage, pathway: pathway, from: weights) }
    }
    let last = stages[3].compactMap(\.last)
    guard stages.allSatisfy({ $0.allSatisfy { !$0.isEmpty } }), last.count == 2 else {
      throw DataError(
        "a stage has no blocks", file: weights.path, cure: "Give the weights of SlowFast 8x8 R50")
    }
    width = last.reduce(0) { $0 + $1.convolutions[2].weight.shape[0] }
    let depth = 3 * stages.reduce(0) { $0 + $1[0].count } + 2
    summary = "SlowFast R\(depth), \(width) wide"
  }

  private static func blocks(stage: Int, pathway: Int, from weights: NetworkWeights) throws -> [Block] {
    let count = try weights.blocks { "s\(stage).pathway\(pathway)_res\($0)." }
    return try (0..<count).map { number in
      let block = "s\(stage).pathway\(pathway)_res\(number)"
      let stride = stage > 2 && number == 0 ? 2 : 1
      let convolutions = try ["a", "b", "c"].map {
        try Convolution(
          "\(block).branch2.\($0)", norm: "\(block).branch2.\($0)_bn",
          strides: $0 == "b" ? [1, stride, stride] : [1, 1, 1], from: weights)
      }
      let shortcut =
        weights.contains("\(block).branch1.weight")
        ? try Convolution(
          "\(block).branch1", norm: "\(block).branch1_bn", strides: [1, stride, stride], from: weights) : nil
      return Block(convolutions: convolutions, shortcut: shortcut)
    }
  }

  private func makePlan(clips: Int, height: Int, width: Int) throws -> Planned {
    let builder = PlanBuilder(precision: precision)
    let inputs = try [frames / alpha, frames].map { try builder.input([clips, 3, $0, height, width]) }
    var pathways = try inputs.indices.map { pathway in
      try builder.maxPool(
        builder.convolution(inputs[pathway], stems[pathway], relu: true), kernel: [1, 3, 3],
        strides: [1, 2, 2], padding: [0, 1, 1])
    }
    for (stage, bridge) in zip(stages, bridges) {
      pathways[0] = try builder.concatenation([
        pathways[0], builder.convolution(pathways[1], bridge, relu: true),
      ])
      for (pathway, blocks) in stage.enumerated() {
        var x = pathways[pathway]
        for block in blocks {
          let inner = try builder.convolution(x, block.convolutions[0], relu: true)
          let middle = try builder.convolution(inner, block.convolutions[1], relu: true)
          let shortcut = try block.shortcut.map { try builder.convolution(x, $0, relu: false) } ?? x
          x = try builder.convolution(middle, block.convolutions[2], adding: shortcut, relu: true)
        }
        pathways[pathway] = x
      }
    }
    let outputs = try pathways.map { try builder.output($0) }
    return (try builder.finish(), inputs[0], inputs[1], outputs)
  }

  /// Returns the frames of a clip that the slow pathway sees.
  ///
  /// They are `frames / alpha` places, evenly spaced from the first to the last.
  static func slowPlaces(frames: Int, alpha: Int) -> [Int] {
    ClipSampling.spread(from: 0, to: Float(frames - 1), count: frames / alpha).map { Int($0) }
  }

  /// Returns the means over both pathways' last maps of each clip, the slow one's first: [clips,
  /// width].
  public func features(_ pictures: Pictures) throws -> [Float] {
    let pixels = pictures.width * pictures.height
    let slowPlaces = Self.slowPlaces(frames: frames, alpha: alpha)
    var rows: [Float] = []
    try inBatches(pictures.count / frames) { items, size in
      let planned = try plans.plan([size, pictures.height, pictures.width]) {
        try makePlan(clips: size, height: pictures.height, width: pictures.width)
      }
      pictures.bytes.withUnsafeBufferPointer { bytes in
        for (pathway, places) in [(planned.slow, slowPlaces), (planned.fast, Array(0..<frames))] {
          let planes = planned.plan.elements(of: pathway)
          for (place, item) in items.enumerated() {
            for (time, frame) in places.enumerated() {
              PixelScaling.kinetics.planes(
                bytes.baseAddress! + 3 * pixels * (item * frames + frame), count: pixels,
                into: planes + pixels * (3 * places.count * place + time), stride: pixels * places.count)
            }
          }
        }
      }
      try planned.plan.run()
      let parts = planned.outputs.map {
        means(planned.plan.elements(of: $0), shape: $0.shape, rows: items.count)
      }
      for item in items.indices.map({ $0 - items.lowerBound }) {
        for (part, output) in zip(parts, planned.outputs) {
          rows += part[item * output.shape[1]..<(item + 1) * output.shape[1]]
        }
      }
    }
    return rows
  }
}
