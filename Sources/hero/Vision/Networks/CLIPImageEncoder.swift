import Formats

/// CLIP's vision transformer (Radford et al., ICML 2021): the projected state of the class token.
///
/// Pre-norm layers with QuickGELU, x·σ(1.702x). Reads OpenAI's names and Hugging Face's; widths and depth are those of the
/// weights. Source: OpenAI's `clip/model.py`.
public final class CLIPImageEncoder: FeatureNetwork {
  private struct Norm {
    var scale: Weight
    var shift: Weight
  }

  private struct Linear {
    /// [inputs, outputs]
    var weight: Weight
    var bias: Weight
  }

  private struct Layer {
    var attentionNorm: Norm
    /// To queries, keys and values, side by side; the queries already divided by √(a head's width).
    var queriesKeysValues: Linear
    var result: Linear
    var feedForwardNorm: Norm
    var up: Linear
    var down: Linear
  }

  private typealias Planned = (plan: Plan, input: Value, output: Value)

  public let name = "clip-vit"
  public let width: Int
  public let input: NetworkInput
  public let batch = 16
  public let summary: String
  private let precision: NetworkPrecision
  private let side: Int
  /// Pixels of a patch's sides.
  private let patch: Int
  private let heads: Int
  private let hidden: Int
  /// [3·patch², hidden]
  private let patches: Weight
  /// For each token of a picture: its position's embedding, and for the first the class's as well.
  private let positions: [Float]
  private let firstNorm: Norm
  private let lastNorm: Norm
  private let layers: [Layer]
  private let projection: Weight
  private var plans = PlanCache<Planned>()

  private static let swish: Float = 1.702
  private static let epsilon: Float = 1e-5

  /// - Parameter headWidth: elements of an attention head.
  ///
  /// Throws `DataError` if the weights are not such an encoder's, or oneDNN is not installed.
  public init(_ weights: NetworkWeights, precision: NetworkPrecision, headWidth: Int = 64) throws {
    try OneDNN.load()
    let source = try CLIPNames(weights)
    self.precision = precision
    let kernel = try weights.array(source.patches, dimensions: 4)
    (hidden, patch) = (kernel.shape[0], kernel.shape[2])
    let positions = try weights.array(source.positions, dimensions: 2)
    // One token for the class, and a square of patches.
    let tokens = positions.shape[0]
    let edge = Int(Double(tokens - 1).squareRoot().rounded())
    guard kernel.shape[1] == 3, kernel.shape[3] == patch, positions.shape[1] == hidden, tokens > 1,
      edge * edge == tokens - 1, hidden % headWidth == 0
    else {
      throw DataError(
        "patches \(kernel.shape) and positions \(positions.shape) do not fit together", file: weights.path,
        cure: "Give the weights of CLIP ViT-B/32")
    }
    side = edge * patch
    heads = hidden / headWidth
    input = .pictures(side: side, isCropped: true)
    patches = try Self.transposed(kernel.floats(), rows: hidden)
    var values = positions.floats()
    for (place, value) in try weights.floats(source.classToken, count: hidden).enumerated() {
      values[place] += value
    }
    self.positions = values
    let hidden = hidden
    func norm(_ name: String) throws -> Norm {
      Norm(
        scale: try Weight(weights.floats(name + ".weight", count: hidden), shape: [hidden]),
        shift: try Weight(weights.floats(name + ".bias", count: hidden), shape: [hidden]))
    }
    func linear(_ name: String) throws -> Linear {
      let weight = try weights.array(name + ".weight", dimensions: 2)
      let bias = try weights.floats(name + ".bias", count: weight.shape[0])
      return Linear(
        weight: try Self.transposed(weight.floats(), rows: weight.shape[0]),
        bias: try Weight(bias, shape: [1, bias.count]))
    }
    firstNorm = try norm(source.firstNorm)
    lastNorm = try norm(source.lastNorm)
    layers = try (0..<source.layers).map { number in
      var (weight, bias) = try source.queriesKeysValues(number, hidden: hidden)
      let scale = 1 / Float(headWidth).squareRoot()
      for place in 0..<hidden * hidden { weight[place] *= scale }
      for place in 0..<hidden { bias[place] *= scale }
      return Layer(
        attentionNorm: try norm(source.attentionNorm(number)),
        queriesKeysValues: Linear(
          weight: try Self.transposed(weight, rows: 3 * hidden),
          bias: try Weight(bias, shape: [1, 3 * hidden])),
        result: try linear(source.attentionResult(number)),
        feedForwardNorm: try norm(source.feedForwardNorm(number)),
        up: try linear(source.up(number)), down: try linear(source.down(number)))
    }
    let projection = try weights.array(source.projection, dimensions: 2)
    // OpenAI keeps it as [hidden, width], Hugging Face as a linear layer's weight.
    let isTransposed = source.isHuggingFace
    width = projection.shape[isTransposed ? 0 : 1]
    guard projection.shape[isTransposed ? 1 : 0] == hidden, !layers.isEmpty else {
      throw DataError(
        "a projection of shape \(projection.shape) for \(layers.count) layers of \(hidden)",
        file: weights.path, cure: "Give the weights of CLIP ViT-B/32")
    }
    self.projection =
      isTransposed
      ? try Self.transposed(projection.floats(), rows: width)
      : try Weight(projection.floats(), shape: projection.shape)
    summary = "CLIP ViT/\(patch), \(layers.count) layers of \(hidden), \(width) wide"
  }

  /// [rows, columns] as [columns, rows].
  private static func transposed(_ values: [Float], rows: Int) throws -> Weight {
    let columns = values.count / rows
    var result = [Float](repeating: 0, count: values.count)
    for row in 0..<rows {
      for column in 0..<columns { result[column * rows + row] = values[row * columns + column] }
    }
    return try Weight(result, shape: [columns, rows])
  }

  private var tokens: Int { positions.count / hidden }

  private func makePlan(pictures: Int) throws -> Planned {
    let builder = PlanBuilder(precision: precision)
    let rows = pictures * tokens
    // The class token's row of pixels is zero: the patches' products are added to the embeddings, its own to none.
    let input = try builder.input([rows, patches.shape[0]])
    let pixels = try builder.reorder(input, to: Layout(plain: input.shape, precision))
    let embeddings = try Weight(
      (0..<pictures).flatMap { _ in positions }, shape: [rows, hidden])
    var x = try builder.linear(pixels, patches, nil, adding: builder.constant(embeddings))
    x = try norm(builder, x, firstNorm)
    for layer in layers {
      let attended = try attention(
        builder, norm(builder, x, layer.attentionNorm), layer, pictures: pictures)
      x = try builder.linear(attended, layer.result.weight, layer.result.bias, adding: x)
      let wide = try builder.linear(
        norm(builder, x, layer.feedForwardNorm), layer.up.weight, layer.up.bias, swish: Self.swish)
      x = try builder.linear(wide, layer.down.weight, layer.down.bias, adding: x)
    }
    let classes = try builder.reorder(
      x.view(shape: [pictures, hidden], strides: [tokens * hidden, 1]),
      to: Layout(plain: [pictures, hidden], precision))
    let output = try builder.output(
      builder.linear(norm(builder, classes, lastNorm), projection, nil))
    return (try builder.finish(), input, output)
  }

  private func norm(_ builder: PlanBuilder, _ x: Value, _ norm: Norm) throws -> Value {
    try builder.layerNorm(x, scale: norm.scale, shift: norm.shift, epsilon: Self.epsilon)
  }

  /// Attention of every picture's tokens to one another, head by head.
  private func attention(
    _ builder: PlanBuilder, _ x: Value, _ layer: Layer, pictures: Int
  ) throws -> Value {
    let (tokens, head) = (tokens, hidden / heads)
    let all = try builder.linear(x, layer.queriesKeysValues.weight, layer.queriesKeysValues.bias)
    let strides = [tokens * 3 * hidden, head, 3 * hidden, 1]
    let shape = [pictures, heads, tokens, head]
    let queries = try all.view(shape: shape, strides: strides)
    let keys = try all.view(
      shape: [pictures, heads, head, tokens], strides: [strides[0], head, 1, 3 * hidden], offset: hidden)
    let values = try all.view(shape: shape, strides: strides, offset: 2 * hidden)
    let scores = try builder.value([pictures, heads, tokens, tokens])
    try builder.product(queries, keys, into: scores)
    try builder.softmax(scores)
    let result = try builder.value([pictures * tokens, hidden])
    try builder.product(
      scores, values,
      into: result.view(shape: shape, strides: [tokens * hidden, head, hidden, 1]))
    return result
  }

  public func features(_ pictures: Pictures) throws -> [Float] {
    guard pictures.width == side, pictures.height == side else {
      throw DataError("pictures of \(pictures.width)×\(pictures.height) for an encoder of \(side)×\(side)")
    }
    let pixels = side * side
    var planes = [Float](repeating: 0, count: 3 * pixels)
    var rows: [Float] = []
    try inBatches(pictures.count) { items, size in
      let planned = try plans.plan([size]) { try makePlan(pictures: size) }
      let matrix = planned.plan.elements(of: planned.input)
      for (place, item) in items.enumerated() {
        pictures.bytes.withUnsafeBufferPointer { bytes in
          planes.withUnsafeMutableBufferPointer {
            PixelScaling.clip.planes(
              bytes.baseAddress! + 3 * pixels * item, count: pixels, into: $0.baseAddress!, stride: pixels)
          }
        }
        cut(planes, into: matrix + place * tokens * 3 * patch * patch)
      }
      try planned.plan.run()
      rows += UnsafeBufferPointer(
        start: planned.plan.elements(of: planned.output), count: items.count * width)
    }
    return rows
  }

  /// One picture's three planes as rows: none of the class token, then each patch's pixels, channel by channel.
  private func cut(_ planes: [Float], into rows: UnsafeMutablePointer<Float>) {
    let each = 3 * patch * patch
    let edge = side / patch
    rows.update(repeating: 0, count: each)
    planes.withUnsafeBufferPointer { planes in
      for place in 0..<edge * edge {
        let corner = place / edge * patch * side + place % edge * patch
        for line in 0..<3 * patch {
          (rows + (place + 1) * each + line * patch).update(
            from: planes.baseAddress! + line / patch * side * side + corner + line % patch * side,
            count: patch
          )
        }
      }
    }
  }
}
