import Formats
import Foundation

@testable import Vision

/// An image encoder of two layers, and its expected results.
struct TinyCLIP {
  let arrays = TinyArrays()
  static let (hidden, head, patch, edge, width) = (16, 8, 4, 2, 6)
  static var side: Int { patch * edge }
  static let tower = CLIPFiles.Tower(activation: .quickGELU, heads: hidden / head)

  init() {
    let hidden = Self.hidden
    arrays.add("visual.class_embedding", [hidden])
    arrays.add("visual.positional_embedding", [Self.edge * Self.edge + 1, hidden])
    arrays.add("visual.proj", [hidden, Self.width])
    arrays.add("visual.conv1.weight", [hidden, 3, Self.patch, Self.patch], scale: 0.3)
    for norm in ["visual.ln_pre", "visual.ln_post"] { addNorm(norm) }
    for number in 0..<2 {
      let layer = "visual.transformer.resblocks.\(number)"
      arrays.add("\(layer).attn.in_proj_weight", [3 * hidden, hidden], scale: 0.5)
      arrays.add("\(layer).attn.in_proj_bias", [3 * hidden], scale: 0.5)
      for (name, shape) in [
        ("attn.out_proj", [hidden, hidden]), ("mlp.c_fc", [4 * hidden, hidden]),
        ("mlp.c_proj", [hidden, 4 * hidden]),
      ] {
        arrays.add("\(layer).\(name).weight", shape, scale: 0.4)
        arrays.add("\(layer).\(name).bias", [shape[0]], scale: 0.4)
      }
      addNorm("\(layer).ln_1")
      addNorm("\(layer).ln_2")
    }
    arrays.add("text_projection", [3, 3])
  }

  private func addNorm(_ name: String) {
    arrays.add("\(name).weight", [Self.hidden], scale: 0.3, around: 1)
    arrays.add("\(name).bias", [Self.hidden], scale: 0.3)
  }

  /// The same weights under Hugging Face's names.
  var huggingFace: NetworkWeights {
    let hidden = Self.hidden
    let renamed: [(name: String, array: NDArray)] = arrays.list.flatMap {
      name, array -> [(name: String, array: NDArray)] in
      var new = name.replacingOccurrences(of: "visual.", with: "vision_model.")
      for (old, other) in [
        ("class_embedding", "embeddings.class_embedding"),
        ("positional_embedding", "embeddings.position_embedding.weight"),
        ("conv1.weight", "embeddings.patch_embedding.weight"), ("ln_pre", "pre_layrnorm"),
        ("ln_post", "post_layernorm"), ("transformer.resblocks", "encoder.layers"),
        ("attn.out_proj", "self_attn.out_proj"),
        ("ln_1", "layer_norm1"), ("ln_2", "layer_norm2"), ("mlp.c_fc", "mlp.fc1"), ("mlp.c_proj", "mlp.fc2"),
      ] { new = new.replacingOccurrences(of: old, with: other) }
      if name.contains("in_proj") {
        let values = array.floats()
        let each = values.count / 3
        return ["q", "k", "v"].enumerated().map { number, letter in
          let part = Array(values[number * each..<(number + 1) * each])
          let ending = name.hasSuffix("weight") ? "weight" : "bias"
          return (
            new.replacingOccurrences(
              of: "attn.in_proj_\(ending)", with: "self_attn.\(letter)_proj.\(ending)"),
            NDArray(floats: part, shape: ending == "weight" ? [hidden, hidden] : [hidden])
          )
        }
      }
      if name == "visual.proj" {
        let values = array.floats()
        let turned = (0..<values.count).map { values[$0 % hidden * Self.width + $0 / hidden] }
        return [("visual_projection.weight", NDArray(floats: turned, shape: [Self.width, hidden]))]
      }
      return [(new, array)]
    }
    return NetworkWeights(path: "tiny", arrays: renamed)
  }

  func rows(_ pictures: Pictures) -> [[Double]] {
    let x = pictures.volume(
      mean: [0.48145466, 0.4578275, 0.40821073], deviation: [0.26862954, 0.26130258, 0.27577711], times: 1)
    return (0..<x.shape[0]).map { encoded(x, picture: $0) }
  }

  private func encoded(_ x: Volume, picture: Int) -> [Double] {
    let (hidden, patch, edge) = (Self.hidden, Self.patch, Self.edge)
    let kernel = arrays["visual.conv1.weight"]
    let positions = arrays["visual.positional_embedding"]
    var tokens = [arrays["visual.class_embedding"]]
    for place in 0..<edge * edge {
      var token = [Double](repeating: 0, count: hidden)
      for pixel in 0..<3 * patch * patch {
        let (channel, row, column) = (pixel / (patch * patch), pixel / patch % patch, pixel % patch)
        let (y, z) = (place / edge * patch + row, place % edge * patch + column)
        let value: Double = x[[picture, channel, 0, y, z]]
        for output in 0..<hidden { token[output] += kernel[output * 3 * patch * patch + pixel] * value }
      }
      tokens.append(token)
    }
    for (number, token) in tokens.enumerated() {
      tokens[number] = token.enumerated().map { $1 + positions[number * hidden + $0] }
    }
    tokens = tokens.map { norm($0, "visual.ln_pre") }
    for number in 0..<2 {
      let layer = "visual.transformer.resblocks.\(number)"
      let attended = attention(tokens.map { norm($0, "\(layer).ln_1") }, layer)
      tokens = zip(tokens, attended).map { zip($0, linear($1, "\(layer).attn.out_proj")).map(+) }
      tokens = tokens.map { token in
        let wide = linear(norm(token, "\(layer).ln_2"), "\(layer).mlp.c_fc").map {
          $0 / (1 + exp(-1.702 * $0))
        }
        return zip(token, linear(wide, "\(layer).mlp.c_proj")).map(+)
      }
    }
    let last = norm(tokens[0], "visual.ln_post")
    let projection = arrays["visual.proj"]
    var row = [Double](repeating: 0, count: Self.width)
    for (place, value) in last.enumerated() {
      for column in 0..<Self.width { row[column] += value * projection[place * Self.width + column] }
    }
    return row
  }

  private func norm(_ x: [Double], _ name: String) -> [Double] {
    let count = Double(x.count)
    let mean: Double = x.reduce(0, +) / count
    let variance: Double = x.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / count
    let deviation = (variance + 1e-5).squareRoot()
    let (scale, shift) = (arrays["\(name).weight"], arrays["\(name).bias"])
    return x.indices.map { place -> Double in
      let unit = (x[place] - mean) / deviation
      return unit * scale[place] + shift[place]
    }
  }

  private func linear(_ x: [Double], _ name: String) -> [Double] {
    product(x, arrays["\(name).weight"], arrays["\(name).bias"])
  }

  private func product(_ x: [Double], _ weight: [Double], _ bias: [Double]) -> [Double] {
    bias.indices.map { row -> Double in
      var sum = bias[row]
      for place in x.indices { sum += x[place] * weight[row * x.count + place] }
      return sum
    }
  }

  private func attention(_ tokens: [[Double]], _ layer: String) -> [[Double]] {
    let (hidden, head) = (Self.hidden, Self.head)
    let all = tokens.map {
      product($0, arrays["\(layer).attn.in_proj_weight"], arrays["\(layer).attn.in_proj_bias"])
    }
    return tokens.indices.map { query -> [Double] in
      (0..<hidden).map { column -> Double in
        let first = column / head * head
        var (sum, total) = (0.0, 0.0)
        for key in tokens.indices {
          var score = 0.0
          for place in first..<first + head { score += all[query][place] * all[key][hidden + place] }
          let weight = exp(score / Double(head).squareRoot())
          sum += weight * all[key][2 * hidden + column]
          total += weight
        }
        return sum / total
      }
    }
  }
}
