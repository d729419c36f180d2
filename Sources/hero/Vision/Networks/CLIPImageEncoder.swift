import CDNNL
import Formats

/// CLIP's vision transformer (Radford et al., ICML 2021): the projected state of the class token.
///
/// Its layers are pre-norm. It reads OpenAI's names, which open_clip shares, and Hugging Face's.
/// The weights set its widths and depth. Source: OpenAI's `clip/model.py`.
final class CLIPImageEncoder: FeatureNetwork {
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
    /// The projection to queries, already divided by √(a head's width).
    var queries: Linear
    /// The projection to keys and values, side by side.
    var keysValues: Linear
    var result: Linear
    var feedForwardNorm: Norm
    var up: Linear
    var down: Linear
  }

  private typealias Planned = (plan: Plan, input: Value, output: Value)

  let name: String
  let width: Int
  let input: NetworkInput
  let batch = 16
  let summary: String
  private let precision: NetworkPrecision
  private let side: Int
  /// The side of a square patch, in pixels.
  private let patch: Int
  private let heads: Int
  private let activation: CLIPActivation
  private let hidden: Int
  /// [3·patch², hidden]
  private let patches: Weight
  /// The position embedding of each token of a picture; the first includes the class embedding.
  private let positions: [Float]
  private let firstNorm: Norm
  private let lastNorm: Norm
  private let layers: [Layer]
  private let projection: Weight
  private var plans = PlanCache<Planned>()

  private static let epsilon: Float = 1e-5

  /// - Parameters:
  ///   - name: the name of its features.
  ///   - tower: the properties of its shape that the weights do not show.
  ///
  /// Throws `DataError` if the weights are not such an encoder's, or oneDNN is not installed.
  init(
    _ weights: NetworkWeights, _ tower: CLIPFiles.Tower, name: String = CLIPFiles.transformer,
    precision: NetworkPrecision
  ) throws {
    try OneDNN.load()
    self.name = name
    let source = try CLIPNames(weights)
    self.precision = precision
    activation = tower.activation
    let kernel = try weights.array(source.patches, dimensions: 4)
    (hidden, patch) = (kernel.shape[0], kernel.shape[2])
    let positions = try weights.array(source.positions, dimensions: 2)
    // There is one token for the class, and one for each patch of a square.
    let tokens = positions.shape[0]
    let edge = Int(Double(tokens - 1).squareRoot().rounded())
    heads = tower.heads(width: hidden)
    guard kernel.shape[1] == 3, kernel.shape[3] == patch, positions.shape[1] == hidden, tokens > 1,
      edge * edge == tokens - 1, hidden % heads == 0
    else {
      throw DataError(
        "patches \(kernel.shape) and positions \(positions.shape) do not fit together", file: weights.path,
        cure: CLIPNames.cure)
    }
    side = edge * patch
    let headWidth = hidden / heads
    input = .pictures(side: side, isCropped: true)
    patches = try Weight.transposed(kernel.floats(), rows: hidden)
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
        weight: try Weight.transposed(weight.floats(), rows: weight.shape[0]),
        bias: try Weight(bias, shape: [1, bias.count]))
    }
    firstNorm = try norm(source.firstNorm)
    lastNorm = try norm(source.lastNorm)
    layers = try (0..<source.layers).map { number in
      let (weight, bias) = try source.queriesKeysValues(number, hidden: hidden)
      let scale = 1 / Float(headWidth).squareRoot()
      return Layer(
        attentionNorm: try norm(source.attentionNorm(number)),
        queries: Linear(
          weight: try Weight.transposed(weight[..<(hidden * hidden)].map { $0 * scale }, rows: hidden),
          bias: try Weight(bias[..<hidden].map { $0 * scale }, shape: [1, hidden])),
        keysValues: Linear(
          weight: try Weight.transposed(Array(weight[(hidden * hidden)...]), rows: 2 * hidden),
          bias: try Weight(Array(bias[hidden...]), shape: [1, 2 * hidden])),
        result: try linear(source.attentionResult(number)),
        feedForwardNorm: try norm(source.feedForwardNorm(number)),
        up: try linear(source.up(number)), down: try linear(source.down(number)))
    }
    let projection = try weights.array(source.projection, dimensions: 2)
    // OpenAI stores it as [hidden, width], Hugging Face as a linear layer's weight.
    let isTransposed = source.isHuggingFace
    width = projection.shape[isTransposed ? 0 : 1]
    guard projection.shape[isTransposed ? 1 : 0] == hidden, !layers.isEmpty else {
      throw DataError(
        "a projection of shape \(projection.shape) for \(layers.count) layers of \(hidden)",
        file: weights.path, cure: CLIPNames.cure)
    }
    self.projection =
      isTransposed
      ? try Weight.transposed(projection.floats(), rows: width)
      : try Weight(projection.floats(), shape: projection.shape)
    summary =
      "CLIP ViT/\(patch), \(layers.count) layers of \(hidden), \(activation.rawValue), \(width) wide"
  }

  private var tokens: Int { positions.count / hidden }

  private func makePlan(pictures: Int) throws -> Planned {
    let builder = PlanBuilder(precision: precision)
    let rows = pictures * tokens
    // The class token's row of pixels is zero, so its embedding stays as it is. The other rows add
    // the products of the patches.
    let input = try builder.input([rows, patches.shape[0]])
    let pixels = try builder.reorder(input, to: Layout(plain: input.shape, precision))
    let embeddings = try Weight(
      (0..<pictures).flatMap { _ in positions }, shape: [rows, hidden])
    var x = try builder.linear(pixels, patches, nil, adding: builder.constant(embeddings))
    x = try norm(builder, x, firstNorm)
    for (number, layer) in layers.enumerated() {
      let states = try norm(builder, x, layer.attentionNorm)
      var asking = states
      if number == layers.count - 1 {
        // Only the class token's state matters from here on. This saves a fifteenth of all the
        // work.
        x = try classes(builder, x, pictures: pictures)
        asking = try classes(builder, states, pictures: pictures)
      }
      let attended = try attention(builder, asking, to: states, layer, pictures: pictures)
      x = try builder.linear(attended, layer.result.weight, layer.result.bias, adding: x)
      let wide = try builder.linear(
        norm(builder, x, layer.feedForwardNorm), layer.up.weight, layer.up.bias,
        then: Self.after(activation))
      x = try builder.linear(wide, layer.down.weight, layer.down.bias, adding: x)
    }
    let output = try builder.output(builder.linear(norm(builder, x, lastNorm), projection, nil))
    return (try builder.finish(), input, output)
  }

  private static func after(_ activation: CLIPActivation) -> hero_after {
    switch activation {
    case .quickGELU: HERO_AFTER_QUICK_GELU
    case .gelu: HERO_AFTER_GELU
    }
  }

  /// Returns the rows of the class tokens.
  private func classes(_ builder: PlanBuilder, _ x: Value, pictures: Int) throws -> Value {
    try builder.reorder(
      x.view(shape: [pictures, hidden], strides: [tokens * hidden, 1]),
      to: Layout(plain: [pictures, hidden], precision))
  }

  private func norm(_ builder: PlanBuilder, _ x: Value, _ norm: Norm) throws -> Value {
    try builder.layerNorm(x, scale: norm.scale, shift: norm.shift, epsilon: Self.epsilon)
  }

  /// Returns the attention of all or some tokens of each picture to all of its tokens.
  private func attention(
    _ builder: PlanBuilder, _ asking: Value, to states: Value, _ layer: Layer, pictures: Int
  ) throws -> Value {
    try builder.attention(
      builder.linear(asking, layer.queries.weight, layer.queries.bias),
      keysValues: builder.linear(states, layer.keysValues.weight, layer.keysValues.bias), heads: heads,
      items: pictures)
  }

  func features(_ pictures: Pictures) throws -> [Float] {
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

  /// Writes one picture's three planes as rows: zeros for the class token, then the pixels of each
  /// patch, channel by channel.
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
