import Formats

/// The arrays of CLIP's text tower, under OpenAI's, open_clip's or Hugging Face's names.
struct CLIPTextWeights {
  private let file: WeightFile
  private let isHuggingFace: Bool
  /// The prefix of the text's names in open_clip's models with two custom towers; else empty.
  private let part: String
  /// Whether the projection is stored as [hidden, width].
  let isProjectionTurned: Bool
  let projection: String

  private static let cure = "Give the weights of CLIP ViT-B/32, B/16 or L/14, with both of their towers"

  /// - Throws: `DataError` if the file has no such tower.
  init(_ file: WeightFile) throws {
    self.file = file
    isHuggingFace = file.contains("text_model.embeddings.token_embedding.weight")
    part = file.contains("text.token_embedding.weight") ? "text." : ""
    guard isHuggingFace || file.contains("\(part)token_embedding.weight") else {
      throw DataError("holds no text encoder of CLIP's", file: file.path, cure: Self.cure)
    }
    let parameter = "\(part)text_projection"
    isProjectionTurned = !isHuggingFace && file.contains(parameter)
    projection =
      isProjectionTurned ? parameter : isHuggingFace ? "text_projection.weight" : "\(parameter).weight"
  }

  func refused(_ problem: String, parameter: String? = nil, cure: String = cure) -> DataError {
    DataError(problem, file: file.path, place: parameter.map { "parameter “\($0)”" }, cure: cure)
  }

  private func name(_ openAI: String, _ huggingFace: String) -> String {
    isHuggingFace ? "text_model.\(huggingFace)" : part + openAI
  }

  private func layer(_ number: Int, _ openAI: String, _ huggingFace: String) -> String {
    name("transformer.resblocks.\(number).\(openAI)", "encoder.layers.\(number).\(huggingFace)")
  }

  var words: String { name("token_embedding.weight", "embeddings.token_embedding.weight") }
  var positions: String { name("positional_embedding", "embeddings.position_embedding.weight") }
  var lastNorm: String { name("ln_final", "final_layer_norm") }
  func attentionNorm(_ number: Int) -> String { layer(number, "ln_1", "layer_norm1") }
  func attentionResult(_ number: Int) -> String { layer(number, "attn.out_proj", "self_attn.out_proj") }
  func feedForwardNorm(_ number: Int) -> String { layer(number, "ln_2", "layer_norm2") }
  func up(_ number: Int) -> String { layer(number, "mlp.c_fc", "mlp.fc1") }
  func down(_ number: Int) -> String { layer(number, "mlp.c_proj", "mlp.fc2") }

  /// Limits above every CLIP: a damaged file is refused before memory is allocated for it.
  private static let mostElements = 65_536
  private static let mostLayers = 256

  /// - Throws: `DataError` if arrays are missing or do not fit together.
  func shape() throws -> CLIPTextEncoder.Shape {
    func sizes(_ name: String) throws -> [Int] {
      guard let shape = try file.shape(name) else { throw refused("there is no such array", parameter: name) }
      if shape.contains(0) { _ = try file.array(name) }
      guard shape.count == 2, shape.allSatisfy({ $0 > 0 }) else {
        throw refused("has the shape \(shape) where 2 dimensions are needed", parameter: name)
      }
      return shape
    }
    var layers = 0
    while file.contains(attentionNorm(layers) + ".weight"), layers <= Self.mostLayers { layers += 1 }
    if let later = (layers...Self.mostLayers + 1).first(where: { file.contains(up($0) + ".weight") }) {
      throw refused("has layer \(later), and layer \(layers) is not whole")
    }
    let (words, positions) = (try sizes(words), try sizes(positions))
    let inner = try sizes(up(0) + ".weight")[0]
    let projected = try sizes(projection)
    let shape = CLIPTextEncoder.Shape(
      vocabulary: words[0], context: positions[0], hidden: words[1], inner: inner, layers: layers,
      width: projected[isProjectionTurned ? 1 : 0])
    guard layers <= Self.mostLayers, positions[1] == shape.hidden, words[0] < 1 << 24, positions[0] < 1 << 16,
      max(shape.hidden, inner, shape.width) <= Self.mostElements
    else {
      throw refused("words \(words), positions \(positions) and \(layers) layers are no CLIP's")
    }
    return shape
  }

  /// Reads an array's elements.
  /// - Parameters:
  ///   - shape: the shape to return.
  ///   - isTurned: whether the file stores the array transposed.
  func values(_ name: String, shape: [Int], isTurned: Bool = false) throws -> [Float] {
    guard let array = try file.array(name) else {
      throw refused("there is no such array", parameter: name)
    }
    guard array.shape == (isTurned ? shape.reversed() : shape) else {
      throw refused("has the shape \(array.shape) where \(shape) is needed", parameter: name)
    }
    let values = array.floats()
    guard isTurned, shape.count == 2 else { return values }
    let (rows, columns) = (shape[0], shape[1])
    return [Float](unsafeUninitializedCapacity: values.count) { turned, count in
      for row in 0..<rows {
        for column in 0..<columns { turned[row * columns + column] = values[column * rows + row] }
      }
      count = values.count
    }
  }

  /// Reads [3·hidden, hidden] and its bias: queries, then keys, then values.
  func projections(_ number: Int, hidden: Int) throws -> (weight: [Float], bias: [Float]) {
    guard isHuggingFace else {
      return (
        try values(layer(number, "attn.in_proj_weight", ""), shape: [3 * hidden, hidden]),
        try values(layer(number, "attn.in_proj_bias", ""), shape: [3 * hidden])
      )
    }
    var (weight, bias): ([Float], [Float]) = ([], [])
    for letter in ["q", "k", "v"] {
      let name = layer(number, "", "self_attn.\(letter)_proj")
      weight += try values(name + ".weight", shape: [hidden, hidden])
      bias += try values(name + ".bias", shape: [hidden])
    }
    return (weight, bias)
  }
}
