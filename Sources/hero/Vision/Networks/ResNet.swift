import Formats

/// torchvision's ResNet with bottlenecks (ResNet-50, -101, -152), without its classifier.
///
/// The features are the mean of the last map, at unit length. The weights set depth and widths.
/// Source: He et al., CVPR 2016, with the stride in the 3×3 convolution as in torchvision.
public final class ResNet: FeatureNetwork {
  private struct Block {
    var convolutions: [Convolution]
    var shortcut: Convolution?
  }

  /// The name; features are in `resnet_features`.
  public let name = "resnet"
  /// The number of channels of the last stage.
  public let width: Int
  /// The input: one picture an interval.
  public let input: NetworkInput
  /// The number of pictures a pass.
  public let batch = 16
  /// The depth and width, as in `ResNet-152, 2048 wide`.
  public let summary: String
  private let precision: NetworkPrecision
  private let isUnit: Bool
  private let stem: Convolution
  private let blocks: [Block]
  private var plans = PlanCache<(plan: Plan, input: Value, output: Value)>()

  /// - Parameters:
  ///   - side: the shorter side of a picture, in pixels.
  ///   - isUnit: whether rows are scaled to unit length.
  ///
  /// Throws `DataError` if the weights are not such a network's, or oneDNN is not installed.
  public init(
    _ weights: NetworkWeights, precision: NetworkPrecision, side: Int = 224, isUnit: Bool = true
  ) throws {
    try OneDNN.load()
    (self.precision, self.isUnit) = (precision, isUnit)
    input = .pictures(side: side, isCropped: false)
    stem = try Convolution("conv1", norm: "bn1", strides: [2, 2], from: weights)
    try stem.requireColours("conv1", file: weights.path)
    var blocks: [Block] = []
    var depths: [Int] = []
    for stage in 1...4 {
      let depth = try weights.blocks { "layer\(stage).\($0)." }
      for number in 0..<depth {
        let block = "layer\(stage).\(number)"
        let stride = stage > 1 && number == 0 ? 2 : 1
        guard weights.contains("\(block).conv3.weight") else {
          throw DataError(
            "is a network without bottlenecks, as ResNet-18 and -34 are", file: weights.path,
            cure: "Give ResNet-152's weights, or another's from ResNet-50 on")
        }
        let convolutions = try (1...3).map {
          try Convolution(
            "\(block).conv\($0)", norm: "\(block).bn\($0)",
            strides: $0 == 2 ? [stride, stride] : [1, 1], from: weights)
        }
        let shortcut =
          weights.contains("\(block).downsample.0.weight")
          ? try Convolution(
            "\(block).downsample.0", norm: "\(block).downsample.1", strides: [stride, stride], from: weights)
          : nil
        blocks.append(Block(convolutions: convolutions, shortcut: shortcut))
      }
      depths.append(depth)
    }
    guard let last = blocks.last else {
      throw DataError("holds no layers of a ResNet", file: weights.path, cure: "Give ResNet-152's weights")
    }
    self.blocks = blocks
    width = last.convolutions[2].weight.shape[0]
    summary = "ResNet-\(3 * depths.reduce(0, +) + 2), \(width) wide"
  }

  private func makePlan(_ shape: [Int]) throws -> (plan: Plan, input: Value, output: Value) {
    let builder = PlanBuilder(precision: precision)
    let input = try builder.input(shape)
    var x = try builder.convolution(input, stem, relu: true)
    x = try builder.maxPool(x, kernel: [3, 3], strides: [2, 2], padding: [1, 1])
    for block in blocks {
      let inner = try builder.convolution(x, block.convolutions[0], relu: true)
      let middle = try builder.convolution(inner, block.convolutions[1], relu: true)
      let shortcut = try block.shortcut.map { try builder.convolution(x, $0, relu: false) } ?? x
      x = try builder.convolution(middle, block.convolutions[2], adding: shortcut, relu: true)
    }
    let output = try builder.output(x)
    return (try builder.finish(), input, output)
  }

  /// Returns the mean over the last map of each picture, at unit length if `isUnit`: [pictures,
  /// width].
  public func features(_ pictures: Pictures) throws -> [Float] {
    let pixels = pictures.width * pictures.height
    var rows: [Float] = []
    try inBatches(pictures.count) { items, size in
      let (plan, input, output) = try plans.plan([size, 3, pictures.height, pictures.width]) {
        try makePlan([size, 3, pictures.height, pictures.width])
      }
      let planes = plan.elements(of: input)
      pictures.bytes.withUnsafeBufferPointer { bytes in
        for (place, item) in items.enumerated() {
          PixelScaling.imageNet.planes(
            bytes.baseAddress! + 3 * pixels * item, count: pixels, into: planes + 3 * pixels * place,
            stride: pixels)
        }
      }
      try plan.run()
      let rowMeans = means(plan.elements(of: output), shape: output.shape, rows: items.count)
      rows += isUnit ? unitRows(rowMeans) : rowMeans
    }
    return rows
  }
}

extension ResNet {
  /// Returns the rows at unit length, as PyTorch's `normalize` does; a length below 1e-12 counts as
  /// 1e-12.
  private func unitRows(_ rows: [Float]) -> [Float] {
    var rows = rows
    for start in stride(from: 0, to: rows.count, by: width) {
      let length = rows[start..<start + width].reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
      for place in start..<start + width { rows[place] = Float(Double(rows[place]) / max(length, 1e-12)) }
    }
    return rows
  }
}

/// Returns the means over all places of the first rows of [rows, channels, places…], row by row.
func means(_ values: UnsafePointer<Float>, shape: [Int], rows: Int) -> [Float] {
  let places = shape.dropFirst(2).reduce(1, *)
  return (0..<rows * shape[1]).map { row in
    var sum: Float = 0
    for place in 0..<places { sum += values[row * places + place] }
    return sum / Float(places)
  }
}
