import Engine
import Formats
import Model
import Testing

/// A model beyond the limits of a device's kernels is refused before it is made.
@Suite struct ModelLimitTests {
  private func configuration(
    width: Int, heads: Int, decoderHeads: Int? = nil, features: Int = 100
  ) -> ModelConfiguration {
    let part = TransformerConfiguration(
      hiddenSize: width, layers: 1, heads: heads, intermediateSize: 8, positions: 8, vocabulary: 10)
    var decoder = part
    decoder.heads = decoderHeads ?? heads
    return ModelConfiguration(
      cross: part, temporal: part, query: part, decoder: decoder, featureWidth: features)
  }

  @Test func refusals() throws {
    let limits = BackendLimits(normColumns: 8192, headColumns: 128)
    func problem(_ model: ModelConfiguration) -> String? {
      do {
        try model.require(BackendLimits(), file: "model.json")
        try model.require(limits, file: "model.json")
        return nil
      } catch {
        return "\(error)"
      }
    }
    #expect(problem(configuration(width: 768, heads: 12)) == nil)
    #expect(problem(configuration(width: 4096, heads: 32, features: 8192)) == nil)
    for (model, words) in [
      (configuration(width: 1032, heads: 8), ["\"f_config\"", "129 wide", "128"]),
      (configuration(width: 1024, heads: 8, decoderHeads: 4), ["\"d_config\"", "256 wide"]),
      (configuration(width: 4224, heads: 33), ["\"hidden_size\" 4224", "8192"]),
      (configuration(width: 768, heads: 12, features: 8193), ["8193 wide", "8192"]),
    ] {
      let text = try #require(problem(model))
      for word in words + ["model.json", "--device cpu"] { #expect(text.contains(word), "\(text)") }
    }
  }
}
