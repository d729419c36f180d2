import Engine
import Model
import Testing

@testable import Tasks

/// The initial weights without a checkpoint.
///
/// Linear and embedding weights are N(0, `initializer_range`²), biases 0, norms 1 and 0. That holds
/// for the query side as well, where the reference's code leaves PyTorch's defaults. From random
/// weights this decides how well retrieval learns (Docs/FromTheReference.md).
struct InitializationTests {
  /// A model wide enough for statistics.
  private static let model: ModelConfiguration = {
    func part(_ layers: Int, vocabulary: Int? = nil) -> TransformerConfiguration {
      TransformerConfiguration(
        hiddenSize: 64, layers: layers, heads: 4, intermediateSize: 128, positions: 64,
        vocabulary: vocabulary,
        initializerRange: 0.03)
    }
    return ModelConfiguration(
      cross: part(1, vocabulary: 200), temporal: part(1), query: part(0), decoder: part(1), featureWidth: 48)
  }()

  private func expectStart(_ store: ParameterStore) {
    store.initialize(seed: 5)
    for parameter in store.parameters {
      let values = store.values(of: parameter).map { Double($0) }
      let name = parameter.name
      if name.hasSuffix("bias") {
        #expect(values.allSatisfy { $0 == 0 }, "\(name)")
      } else if name.contains("LayerNorm") || name.hasSuffix("feat_regress.net.2.weight") {
        #expect(values.allSatisfy { $0 == 1 }, "\(name)")
      } else if name.hasSuffix("_predictor.weight") {
        // A convolution of one channel starts as in PyTorch, in the reference too.
        #expect(values.allSatisfy { abs($0) <= 1 / 5.0.squareRoot() }, "\(name)")
      } else {
        // Row 0 of a mask embedding means "nothing is masked".
        let zeros = name.hasSuffix("mask_embedding.weight") ? parameter.shape[1] : 0
        #expect(values.prefix(zeros).allSatisfy { $0 == 0 }, "\(name)")
        let drawn = values.dropFirst(zeros)
        let count = Double(drawn.count)
        let mean = drawn.reduce(0, +) / count
        let deviation = (drawn.reduce(0) { $0 + $1 * $1 } / count).squareRoot()
        // Five standard errors of a normal sample's mean and deviation.
        #expect(abs(mean) <= 5 * 0.03 / count.squareRoot(), "\(name): mean \(mean)")
        #expect(
          abs(deviation - 0.03) <= 5 * 0.03 / (2 * count).squareRoot(), "\(name): deviation \(deviation)")
      }
    }
  }

  @Test func retrieval() throws {
    let model = RetrievalModel(Self.model, backend: try CPUBackend(threads: 1))
    expectStart(model.store)
    let querySide = model.store.parameters.map(\.name).filter {
      $0.hasPrefix("q_feat_attn.") || $0.hasPrefix("video_query_linear.")
    }
    #expect(
      querySide.contains("q_feat_attn.query_pos_embed.position_embeddings.weight")
        && querySide.contains("q_feat_attn.query_self_attention.self.query.weight")
        && querySide.contains("video_query_linear.weight") && querySide.contains("video_query_linear.bias"))
  }

  @Test func questions() throws {
    expectStart(QuestionModel(Self.model, backend: try CPUBackend(threads: 1)).store)
    expectStart(StatementModel(Self.model, backend: try CPUBackend(threads: 1)).store)
  }

  @Test func captions() throws {
    expectStart(CaptionModel(Self.model, backend: try CPUBackend(threads: 1)).store)
  }
}
