import Formats

/// CLIP's residual network (RN50, RN101, RN50x4 … of Radford et al., ICML 2021).
///
/// It has a stem of three convolutions, and bottlenecks that halve their maps by mean pooling
/// instead of strides. The last map's mean attends to all of its places, in place of a mean. The
/// weights set depths, widths and the side of the pictures. Source: OpenAI's `clip/model.py`,
/// `ModifiedResNet` and `AttentionPool2d`; open_clip uses the same names.
final class CLIPResNet: FeatureNetwork {
  private struct Block {
    var convolutions: [Convolution]
    var shortcut: Convolution?
    /// The stride of the pooling, 1 or 2.
    var stride: Int
  }

  private typealias Planned = (plan: Plan, input: Value, output: Value)

  let name: String
  let width: Int
  let input: NetworkInput
  let batch = 8
  let summary: String
  private let precision: NetworkPrecision
  private let side: Int
  private let heads: Int
  private let channels: Int
  private let stem: [Convolution]
  private let blocks: [Block]
  /// The position embedding of each token; the mean's token is the first.
  private let positions: [Float]
  /// The projection to queries, already divided by √(a head's width).
  private let queries: (weight: Weight, bias: Weight)
  private let keysValues: (weight: Weight, bias: Weight)
  private let result: (weight: Weight, bias: Weight)
  private var plans = PlanCache<Planned>()

  /// The side of the picture for each place of the last map, in pixels.
  private static let reduction = 32

  /// - Parameters:
  ///   - tower: the properties of its shape that the weights do not show.
  ///   - name: the name of its features.
  ///
  /// Throws `DataError` if the weights are not such an encoder's, or oneDNN is not installed.
  init(
    _ weights: NetworkWeights, _ tower: CLIPFiles.Tower, name: String, precision: NetworkPrecision
  ) throws {
    try OneDNN.load()
    (self.name, self.precision) = (name, precision)
    stem = try (1...3).map { number in
      try Convolution(
        "visual.conv\(number)", norm: "visual.bn\(number)", strides: number == 1 ? [2, 2] : [1, 1],
        from: weights)
    }
    try stem[0].requireColours("visual.conv1", file: weights.path)
    var blocks: [Block] = []
    var depths: [Int] = []
    for stage in 1...4 {
      let depth = try weights.blocks { "visual.layer\(stage).\($0)." }
      for number in 0..<depth {
        let block = "visual.layer\(stage).\(number)"
        let stride = stage > 1 && number == 0 ? 2 : 1
        let convolutions = try (1...3).map {
          try Convolution("\(block).conv\($0)", norm: "\(block).bn\($0)", strides: [1, 1], from: weights)
        }
        let shortcut =
          weights.contains("\(block).downsample.0.weight")
          ? try Convolution(
            "\(block).downsample.0", norm: "\(block).downsample.1", strides: [1, 1], from: weights) : nil
        guard shortcut != nil || stride == 1 else {
          throw DataError("\(block) has no shortcut", file: weights.path, cure: CLIPNames.cure)
        }
        blocks.append(Block(convolutions: convolutions, shortcut: shortcut, stride: stride))
      }
      depths.append(depth)
    }
    self.blocks = blocks
    let positions = try weights.array("visual.attnpool.positional_embedding", dimensions: 2)
    let (tokens, channels) = (positions.shape[0], positions.shape[1])
    let edge = Int(Double(tokens - 1).squareRoot().rounded())
    heads = tower.heads(width: channels)
    guard !depths.contains(0), let last = blocks.last, last.convolutions[2].weight.shape[0] == channels,
      tokens > 1, edge * edge == tokens - 1, channels % heads == 0
    else {
      throw DataError(
        "stages of \(depths) blocks and positions \(positions.shape) do not fit together",
        file: weights.path, cure: CLIPNames.cure)
    }
    self.positions = positions.floats()
    self.channels = channels
    side = edge * Self.reduction
    input = .pictures(side: side, isCropped: true)
    func linear(_ names: [String], scale: Float = 1, width: Int? = nil) throws -> (Weight, Weight) {
      var (weight, bias): ([Float], [Float]) = ([], [])
      for name in names {
        let name = "visual.attnpool.\(name)"
        let array = try weights.array(name + ".weight", dimensions: 2)
        guard array.shape[1] == channels, array.shape[0] == width ?? array.shape[0] else {
          throw DataError(
            "has the shape \(array.shape) where \(channels) channels are read", file: weights.path,
            place: "parameter “\(name).weight”", cure: CLIPNames.cure)
        }
        weight += array.floats().map { $0 * scale }
        bias += try weights.floats(name + ".bias", count: array.shape[0]).map { $0 * scale }
      }
      return (
        try Weight.transposed(weight, rows: bias.count), try Weight(bias, shape: [1, bias.count])
      )
    }
    queries = try linear(["q_proj"], scale: 1 / Float(channels / heads).squareRoot(), width: channels)
    keysValues = try linear(["k_proj", "v_proj"], width: channels)
    result = try linear(["c_proj"])
    width = result.weight.shape[1]
    summary = "CLIP ResNet of \(depths.map(String.init).joined(separator: ", ")) blocks, \(width) wide"
  }

  private func makePlan(pictures: Int) throws -> Planned {
    let builder = PlanBuilder(precision: precision)
    let input = try builder.input([pictures, 3, side, side])
    var x = input
    for convolution in stem { x = try builder.convolution(x, convolution, relu: true) }
    x = try builder.meanPool(x, size: 2)
    for block in blocks {
      func halved(_ x: Value) throws -> Value {
        block.stride == 1 ? x : try builder.meanPool(x, size: block.stride)
      }
      let inner = try builder.convolution(x, block.convolutions[0], relu: true)
      let middle = try halved(builder.convolution(inner, block.convolutions[1], relu: true))
      let shortcut = try block.shortcut.map { try builder.convolution(halved(x), $0, relu: false) } ?? x
      x = try builder.convolution(middle, block.convolutions[2], adding: shortcut, relu: true)
    }
    let output = try builder.output(attended(builder, x, pictures: pictures))
    return (try builder.finish(), input, output)
  }

  /// Returns the attention of the last map's mean to all of its places.
  private func attended(_ builder: PlanBuilder, _ x: Value, pictures: Int) throws -> Value {
    let (edge, tokens) = (side / Self.reduction, positions.count / channels)
    let states = try builder.value([pictures * tokens, channels])
    let means = try builder.means(x)
    try builder.copy(
      means, into: states.view(shape: means.shape, strides: [tokens * channels, 1, 1, 1]))
    try builder.copy(
      x,
      into: states.view(
        shape: x.shape, strides: [tokens * channels, 1, edge * channels, channels], offset: channels))
    let embeddings = try Weight(
      (0..<pictures).flatMap { _ in positions }, shape: [pictures * tokens, channels])
    let placed = try builder.sum(states, builder.constant(embeddings))
    let firsts = try builder.reorder(
      placed.view(shape: [pictures, channels], strides: [tokens * channels, 1]),
      to: Layout(plain: [pictures, channels], precision))
    let context = try builder.attention(
      builder.linear(firsts, queries.weight, queries.bias),
      keysValues: builder.linear(placed, keysValues.weight, keysValues.bias), heads: heads, items: pictures)
    return try builder.linear(context, result.weight, result.bias)
  }

  func features(_ pictures: Pictures) throws -> [Float] {
    guard pictures.width == side, pictures.height == side else {
      throw DataError("pictures of \(pictures.width)×\(pictures.height) for an encoder of \(side)×\(side)")
    }
    let pixels = side * side
    var rows: [Float] = []
    try inBatches(pictures.count) { items, size in
      let planned = try plans.plan([size]) { try makePlan(pictures: size) }
      let planes = planned.plan.elements(of: planned.input)
      pictures.bytes.withUnsafeBufferPointer { bytes in
        for (place, item) in items.enumerated() {
          PixelScaling.clip.planes(
            bytes.baseAddress! + 3 * pixels * item, count: pixels, into: planes + 3 * pixels * place,
            stride: pixels)
        }
      }
      try planned.plan.run()
      rows += UnsafeBufferPointer(
        start: planned.plan.elements(of: planned.output), count: items.count * width)
    }
    return rows
  }
}
