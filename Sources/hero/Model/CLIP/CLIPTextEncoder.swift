import Engine
import Formats

/// CLIP's text transformer (Radford et al., ICML 2021): the projected state of a text's last token.
///
/// Its layers are pre-norm with causal attention over packed texts, without padding. It reads
/// OpenAI's names, which open_clip shares, and Hugging Face's. The weights give its widths and
/// depth. Source: OpenAI's `clip/model.py`, `encode_text`.
public final class CLIPTextEncoder {
  private struct Layer {
    var attentionNorm: LayerNorm
    /// The projection to queries, keys and values, side by side.
    var projections: Linear
    var result: Linear
    var feedForwardNorm: LayerNorm
    var up: Linear
    var down: Linear
  }

  /// The number of elements of a text's vector.
  public let width: Int
  /// The most tokens of a text, 77 in CLIP.
  public let context: Int
  /// The number of tokens in the vocabulary, 49,408 in CLIP.
  public let vocabulary: Int
  /// The tower's weights, on its backend.
  public let store: ParameterStore
  /// The number of elements of a token's state.
  public let hidden: Int
  private let heads: Int
  private let activation: Activation
  private let words: Embedding
  private let positions: Embedding
  private let layers: [Layer]
  private let lastNorm: LayerNorm
  private let projection: Linear

  /// The tower's sizes, from the shapes of the arrays.
  public struct Shape: Sendable {
    public var vocabulary, context, hidden, inner, layers, width: Int

    /// - Parameters:
    ///   - vocabulary: the number of tokens.
    ///   - context: the number of positions.
    ///   - hidden: the number of elements of a token's state.
    ///   - inner: the number of elements of a feed-forward layer's row.
    ///   - width: the number of elements of a text's vector.
    public init(vocabulary: Int, context: Int, hidden: Int, inner: Int, layers: Int, width: Int) {
      (self.vocabulary, self.context, self.hidden) = (vocabulary, context, hidden)
      (self.inner, self.layers, self.width) = (inner, layers, width)
    }

    /// The shape of ViT-B/32 and ViT-B/16.
    public static let base = Shape(
      vocabulary: 49_408, context: 77, hidden: 512, inner: 2048, layers: 12, width: 512)
  }

  /// Makes a tower whose weights have no values yet.
  public init(_ shape: Shape, _ tower: CLIPFiles.Tower, backend: any Backend) {
    (width, context, vocabulary) = (shape.width, shape.context, shape.vocabulary)
    hidden = shape.hidden
    heads = tower.heads(width: hidden)
    activation = tower.activation == .gelu ? .gelu : .quickGELU
    store = ParameterStore(backend: backend)
    let scope = ParameterScope(store, deviation: 0.02)
    words = Embedding(scope["words"], vocabulary, hidden)
    positions = Embedding(scope["positions"], context, hidden)
    layers = (0..<shape.layers).map { number in
      let layer = scope["layer"][number]
      return Layer(
        attentionNorm: LayerNorm(layer["attentionNorm"], shape.hidden),
        projections: Linear(layer["projections"], shape.hidden, 3 * shape.hidden),
        result: Linear(layer["result"], shape.hidden, shape.hidden),
        feedForwardNorm: LayerNorm(layer["feedForwardNorm"], shape.hidden),
        up: Linear(layer["up"], shape.hidden, shape.inner),
        down: Linear(layer["down"], shape.inner, shape.hidden))
    }
    lastNorm = LayerNorm(scope["lastNorm"], hidden)
    projection = Linear(scope["projection"], hidden, width, bias: false)
  }

  /// Reads the text tower of a CLIP's files.
  /// - Throws: `DataError` naming an array that is missing or of another shape.
  public convenience init(_ files: CLIPFiles, backend: any Backend) throws {
    let source = try CLIPTextWeights(WeightFile(path: files.weights))
    try self.init(source, files.text, backend: backend)
  }

  private convenience init(
    _ source: CLIPTextWeights, _ tower: CLIPFiles.Tower, backend: any Backend
  ) throws {
    let shape = try source.shape()
    let heads = tower.heads(width: shape.hidden)
    guard shape.hidden % heads == 0 else {
      throw source.refused("\(shape.hidden) elements do not divide into \(heads) attention heads")
    }
    let limits = backend.limits
    guard limits.headColumns.map({ shape.hidden / heads <= $0 }) ?? true,
      limits.normColumns.map({ shape.hidden <= $0 }) ?? true
    else { throw source.refused("is wider than this device computes", cure: "Give --device cpu") }
    self.init(shape, tower, backend: backend)
    func fill(_ parameter: Parameter, _ name: String, isTurned: Bool = false) throws {
      store.set(parameter, to: try source.values(name, shape: parameter.shape, isTurned: isTurned))
    }
    func fill(_ norm: LayerNorm, _ name: String) throws {
      try fill(norm.gamma, name + ".weight")
      try fill(norm.beta, name + ".bias")
    }
    func fill(_ linear: Linear, _ name: String) throws {
      try fill(linear.weight, name + ".weight")
      if let bias = linear.bias { try fill(bias, name + ".bias") }
    }
    try fill(words.weight, source.words)
    try fill(positions.weight, source.positions)
    for (number, layer) in layers.enumerated() {
      try fill(layer.attentionNorm, source.attentionNorm(number))
      let parts = try source.projections(number, hidden: hidden)
      store.set(layer.projections.weight, to: parts.weight)
      if let bias = layer.projections.bias { store.set(bias, to: parts.bias) }
      try fill(layer.result, source.attentionResult(number))
      try fill(layer.feedForwardNorm, source.feedForwardNorm(number))
      try fill(layer.up, source.up(number))
      try fill(layer.down, source.down(number))
    }
    try fill(lastNorm, source.lastNorm)
    try fill(projection.weight, source.projection, isTurned: source.isProjectionTurned)
  }

  /// Encodes texts into rows of unit length: [texts, width].
  /// - Parameter texts: 1 to `context` token ids each, below `vocabulary`, with the special tokens.
  public func rows(_ texts: [[Int32]]) -> [Float] {
    let tape = Tape.inference(store.backend)
    let lasts = states(tape, texts, of: .lasts)
    return store.backend.values(of: tape.normalizeRows(projection(tape, lasts), floor: 1e-12))
  }

  /// Computes all tokens' states after the last norm, and the projections of texts' last tokens.
  ///
  /// [tokens of all texts, `hidden`] and [texts, `width`], not scaled to unit length.
  /// - Parameter texts: as in ``rows(_:)``.
  public func states(_ texts: [[Int32]]) -> (tokens: [Float], pooled: [Float]) {
    let backend = store.backend
    let tape = Tape.inference(backend)
    let all = states(tape, texts, of: .all)
    var ends: [Int] = []
    for text in texts { ends.append((ends.last ?? -1) + text.count) }
    let pooled = projection(tape, tape.gather(all, backend.makeIndices(ends)))
    return (backend.values(of: all), backend.values(of: pooled))
  }

  private enum Wanted { case all, lasts }

  /// Computes the states after the last norm, of all tokens or of each text's last token.
  private func states(_ tape: Tape, _ texts: [[Int32]], of wanted: Wanted) -> Tensor {
    precondition(texts.allSatisfy { !$0.isEmpty && $0.count <= context })
    let backend = store.backend
    let segments = Segments(lengths: texts.map(\.count), on: backend)
    var x = tape.gatherSum([
      (words.weight.tensor, backend.makeIndices(texts.flatMap { $0 })),
      (positions.weight.tensor, backend.makeIndices(texts.flatMap { 0..<$0.count })),
    ])
    let lasts = backend.makeIndices(segments.ranges.map { $0.upperBound - 1 })
    for (number, layer) in layers.enumerated() {
      let states = layer.attentionNorm(tape, x)
      let all = layer.projections(tape, states)
      var context: Tensor
      if number == layers.count - 1, wanted == .lasts {
        // The rest needs only each text's last token, which attends to all others.
        x = tape.gather(x, lasts)
        context = tape.attention(
          queries: tape.gather(all, lasts), keysValues: all, keyColumn: hidden, valueColumn: 2 * hidden,
          width: hidden, heads: heads,
          querySegments: Segments(lengths: texts.map { _ in 1 }, on: backend), keySegments: segments,
          dropout: 0)
      } else {
        context = tape.attention(
          queries: all, keysValues: all, keyColumn: hidden, valueColumn: 2 * hidden, width: hidden,
          heads: heads, querySegments: segments, keySegments: segments, causal: true, dropout: 0)
      }
      context = layer.result(tape, context)
      x = tape.add(x, context)
      let wide = layer.up(tape, layer.feedForwardNorm(tape, x), activation: activation)
      x = tape.add(x, layer.down(tape, wide))
    }
    if layers.isEmpty, wanted == .lasts { x = tape.gather(x, lasts) }
    return lastNorm(tape, x)
  }
}
