import CDNNL
import Formats

/// The gated S3D that MIL-NCE trained on HowTo100M (Miech et al., CVPR 2020), for VALUE's features.
///
/// The features are the mean of its last map. Its Inception blocks split 3×3×3 convolutions into
/// space and time. A gate computed from a branch's mean weights the channels of that branch. The
/// weights set its widths. Sources: Xie et al., ECCV 2018; names and paddings of
/// `S3D_HowTo100M/s3dg.py`.
public final class S3D: FeatureNetwork {
  private struct Gate {
    var weight: Weight
    var bias: Weight
  }

  /// A branch: its convolutions in order, and the gate after them.
  private struct Branch {
    var convolutions: [Convolution]
    var gate: Gate
  }

  private typealias Planned = (plan: Plan, input: Value, output: Value)

  /// The name; features are in `mil-nce_features`.
  public let name = "mil-nce"
  /// The number of channels of the last block.
  public let width: Int
  /// The input: a clip an interval.
  public let input: NetworkInput
  /// The number of clips a pass.
  public let batch = 1
  /// The width, as in `S3D of MIL-NCE, 512 wide`.
  public let summary: String
  private let precision: NetworkPrecision
  private let frames: Int
  private let first: Convolution
  private let second: Branch
  /// The branches by stage, then by block, four a block.
  private let stages: [[[Branch]]]
  private var plans = PlanCache<Planned>()

  /// The blocks of the last stages, and the pooling windows before them.
  private static let layout: [(blocks: [String], kernel: [Int], strides: [Int])] = [
    (["3b", "3c"], [1, 3, 3], [1, 2, 2]), (["4b", "4c", "4d", "4e", "4f"], [3, 3, 3], [2, 2, 2]),
    (["5b", "5c"], [2, 2, 2], [2, 2, 2]),
  ]

  private static let cure = "Give s3d_howto100m.pth of S3D_HowTo100M"

  /// - Parameters:
  ///   - side: the side of a picture in pixels, an even number.
  ///   - frames: the number of frames of a clip, an even number.
  ///
  /// Throws `DataError` if the weights are not such a network's, or oneDNN is not installed.
  public init(
    _ weights: NetworkWeights, precision: NetworkPrecision, side: Int = 224, frames: Int = 32
  ) throws {
    try OneDNN.load()
    precondition(side % 2 == 0 && frames % 2 == 0, "pairs of pixels and frames become channels")
    (self.precision, self.frames) = (precision, frames)
    input = .clips(side: side, frames: frames)
    func convolution(_ name: String, _ part: Int) throws -> Convolution {
      try Convolution("\(name).conv\(part)", norm: "\(name).bn\(part)", strides: [1, 1, 1], from: weights)
    }
    /// Reads a convolution over space, then one over time.
    func separable(_ name: String) throws -> [Convolution] { try (1...2).map { try convolution(name, $0) } }
    func gate(_ name: String) throws -> Gate {
      let weight = try weights.array("\(name).fc.weight", dimensions: 2)
      let bias = try weights.floats("\(name).fc.bias", count: weight.shape[0])
      guard weight.shape[0] == weight.shape[1] else {
        throw DataError(
          "has the shape \(weight.shape), and a gate's is square", file: weights.path,
          place: "parameter “\(name).fc.weight”", cure: Self.cure)
      }
      return Gate(
        weight: try Weight.transposed(weight.floats(), rows: bias.count),
        bias: try Weight(bias, shape: [1, bias.count]))
    }
    // The 2×4×4 kernels are 4×8×8 kernels whose pairs of pixels are channels. The padding is
    // TensorFlow's "SAME": the shorter side comes first.
    first = try Convolution(
      "conv1.conv1", norm: "conv1.bn1", strides: [1, 1, 1], padding: (before: [0, 1, 1], after: [1, 2, 2]),
      from: weights)
    guard Array(first.weight.shape.dropFirst()) == [24, 2, 4, 4] else {
      throw DataError(
        "has the shape \(first.weight.shape), not [channels, 24, 2, 4, 4]", file: weights.path,
        place: "parameter “conv1.conv1.weight”", cure: Self.cure)
    }
    second = Branch(
      convolutions: try [convolution("conv_2b", 1)] + separable("conv_2c"), gate: try gate("gating"))
    stages = try Self.layout.map { stage in
      try stage.blocks.map { block in
        let name = "mixed_\(block)"
        return [
          Branch(
            convolutions: [try convolution("\(name).conv_b0", 1)], gate: try gate("\(name).gating_b0")),
          Branch(
            convolutions: try [convolution("\(name).conv_b1_a", 1)] + separable("\(name).conv_b1_b"),
            gate: try gate("\(name).gating_b1")),
          Branch(
            convolutions: try [convolution("\(name).conv_b2_a", 1)] + separable("\(name).conv_b2_b"),
            gate: try gate("\(name).gating_b2")),
          Branch(
            convolutions: [try convolution("\(name).conv_b3_b", 1)], gate: try gate("\(name).gating_b3")),
        ]
      }
    }
    // Refuse blocks whose channels do not fit before anything is computed.
    var channels = first.weight.shape[0]
    func follow(_ branch: Branch, from start: Int) throws -> Int {
      var width = start
      for convolution in branch.convolutions {
        guard convolution.weight.shape[1] == width else {
          throw DataError(
            "a convolution of \(convolution.weight.shape) follows on \(width) channels", file: weights.path,
            cure: Self.cure)
        }
        width = convolution.weight.shape[0]
      }
      guard branch.gate.weight.shape[0] == width else {
        throw DataError(
          "a gate of \(branch.gate.weight.shape[0]) follows on \(width) channels", file: weights.path,
          cure: Self.cure)
      }
      return width
    }
    channels = try follow(second, from: channels)
    for block in stages.joined() { channels = try block.reduce(0) { try $0 + follow($1, from: channels) } }
    width = channels
    summary = "S3D of MIL-NCE, \(width) wide"
  }

  private func makePlan(height: Int, width: Int) throws -> Planned {
    let builder = PlanBuilder(precision: precision)
    let input = try builder.input([1, 24, frames / 2, height / 2, width / 2])
    var x = try builder.convolution(input, first, relu: true)
    x = try builder.maxPoolSame(x, kernel: [1, 3, 3], strides: [1, 2, 2])
    x = try passed(builder, x, second)
    for (stage, layout) in zip(stages, Self.layout) {
      x = try builder.maxPoolSame(x, kernel: layout.kernel, strides: layout.strides)
      for branches in stage {
        let pooled = try builder.maxPool(x, kernel: [3, 3, 3], strides: [1, 1, 1], padding: [1, 1, 1])
        x = try builder.concatenation(
          branches.enumerated().map { number, branch in
            try passed(builder, number == branches.count - 1 ? pooled : x, branch)
          })
      }
    }
    let output = try builder.output(builder.means(x))
    return (try builder.finish(), input, output)
  }

  private func passed(_ builder: PlanBuilder, _ x: Value, _ branch: Branch) throws -> Value {
    var x = x
    for convolution in branch.convolutions { x = try builder.convolution(x, convolution, relu: true) }
    let channels = x.shape[1]
    let means = try builder.reorder(builder.means(x), to: Layout(plain: [1, channels, 1, 1, 1], precision))
    let gates = try builder.linear(
      means.view(shape: [1, channels], strides: [channels, 1]), branch.gate.weight, branch.gate.bias,
      then: HERO_AFTER_SIGMOID)
    return try builder.scaled(
      x, by: gates.view(shape: [1, channels, 1, 1, 1], strides: [channels, 1, 1, 1, 1]))
  }

  /// Returns the mean over the last map of each clip: [clips, width].
  ///
  /// - Throws: `DataError` for pictures of odd width or height.
  public func features(_ pictures: Pictures) throws -> [Float] {
    guard pictures.width % 2 == 0, pictures.height % 2 == 0 else {
      throw DataError("pictures of \(pictures.width)×\(pictures.height), which are not in pairs")
    }
    var rows: [Float] = []
    for clip in 0..<pictures.count / frames {
      let (plan, input, output) = try plans.plan([pictures.height, pictures.width]) {
        try makePlan(height: pictures.height, width: pictures.width)
      }
      spread(pictures, clip: clip, into: plan.elements(of: input))
      try plan.run()
      rows += UnsafeBufferPointer(start: plan.elements(of: output), count: width)
    }
    return rows
  }

  /// Writes a clip's values in 0 … 1, with every two frames, rows and columns as channels.
  ///
  /// Colour c at (t, y, x) becomes channel 3·(((t mod 2)·2 + y mod 2)·2 + x mod 2) + c at (t/2,
  /// y/2, x/2).
  private func spread(_ pictures: Pictures, clip: Int, into planes: UnsafeMutablePointer<Float>) {
    let (width, height) = (pictures.width, pictures.height)
    let plane = frames / 2 * (height / 2) * (width / 2)
    let values = (0..<256).map { Float($0) / 255 }
    pictures.bytes.withUnsafeBufferPointer { bytes in
      for frame in 0..<frames {
        for y in 0..<height {
          var pixel = 3 * (((clip * frames + frame) * height + y) * width)
          let line = ((frame / 2) * (height / 2) + y / 2) * (width / 2)
          for x in 0..<width {
            let group = 3 * (((frame & 1) * 2 + (y & 1)) * 2 + (x & 1))
            for channel in 0..<3 {
              planes[(group + channel) * plane + line + x / 2] = values[Int(bytes[pixel])]
              pixel += 1
            }
          }
        }
      }
    }
  }
}
