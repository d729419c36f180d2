import Formats

/// The array names of CLIP's image encoder, in OpenAI's files and in Hugging Face's.
struct CLIPNames {
  let isHuggingFace: Bool
  private let weights: NetworkWeights

  static let cure = "Give the weights of CLIP ViT-B/32, B/16, L/14 or RN50x4"

  init(_ weights: NetworkWeights) throws {
    self.weights = weights
    isHuggingFace = weights.contains("vision_model.embeddings.class_embedding")
    guard isHuggingFace || weights.contains("visual.class_embedding") else {
      throw DataError(
        "holds no image encoder of CLIP's", file: weights.path, cure: Self.cure)
    }
  }

  private func name(_ openAI: String, _ huggingFace: String) -> String {
    isHuggingFace ? "vision_model.\(huggingFace)" : "visual.\(openAI)"
  }

  private func layer(_ number: Int, _ openAI: String, _ huggingFace: String) -> String {
    name("transformer.resblocks.\(number).\(openAI)", "encoder.layers.\(number).\(huggingFace)")
  }

  var classToken: String { name("class_embedding", "embeddings.class_embedding") }
  var patches: String { name("conv1.weight", "embeddings.patch_embedding.weight") }
  var positions: String { name("positional_embedding", "embeddings.position_embedding.weight") }
  /// Hugging Face spells it `layrnorm`.
  var firstNorm: String { name("ln_pre", "pre_layrnorm") }
  var lastNorm: String { name("ln_post", "post_layernorm") }
  var projection: String { isHuggingFace ? "visual_projection.weight" : "visual.proj" }
  var layers: Int { get throws { try weights.blocks { layer($0, "", "") } } }

  func attentionNorm(_ number: Int) -> String { layer(number, "ln_1", "layer_norm1") }
  func attentionResult(_ number: Int) -> String { layer(number, "attn.out_proj", "self_attn.out_proj") }
  func feedForwardNorm(_ number: Int) -> String { layer(number, "ln_2", "layer_norm2") }
  func up(_ number: Int) -> String { layer(number, "mlp.c_fc", "mlp.fc1") }
  func down(_ number: Int) -> String { layer(number, "mlp.c_proj", "mlp.fc2") }

  /// Returns [3·hidden, hidden] and its bias: queries, then keys, then values.
  func queriesKeysValues(_ number: Int, hidden: Int) throws -> (weight: [Float], bias: [Float]) {
    let parts: [(weight: String, bias: String)] =
      isHuggingFace
      ? ["q", "k", "v"].map {
        let name = layer(number, "", "self_attn.\($0)_proj")
        return (name + ".weight", name + ".bias")
      } : [(layer(number, "attn.in_proj_weight", ""), layer(number, "attn.in_proj_bias", ""))]
    var (weight, bias): ([Float], [Float]) = ([], [])
    for part in parts {
      weight += try weights.array(part.weight, dimensions: 2).floats()
      bias += try weights.array(part.bias, dimensions: 1).floats()
    }
    guard weight.count == 3 * hidden * hidden, bias.count == 3 * hidden else {
      throw DataError(
        "\(weight.count) elements where \(3 * hidden * hidden) are needed", file: weights.path,
        place: "parameter “\(parts[0].weight)”")
    }
    return (weight, bias)
  }
}
