import Engine

/// The cross-modal transformer `v_encoder.f_encoder`: a sentence's frames and words together (Docs/Computation.md §2; paper §3.1).
public final class CrossModalTransformer {
  private let config: TransformerConfiguration
  let words: Embedding
  private let positions: Embedding
  private let types: Embedding
  private let textNorm: LayerNorm
  private let imageLinear: Linear
  private let imageInputNorm: LayerNorm
  private let imagePositions: Embedding
  private let imageMask: Embedding
  private let imageNorm: LayerNorm
  private let encoder: TransformerEncoder
  let head: LanguageModelHead

  init(_ scope: ParameterScope, _ model: ModelConfiguration) {
    config = model.cross
    let width = config.hiddenSize
    encoder = TransformerEncoder(scope["encoder"], config)
    let text = scope["embeddings"]
    words = Embedding(text["word_embeddings"], model.vocabularyRows, width)
    positions = Embedding(text["position_embeddings"], config.positions, width)
    types = Embedding(text["token_type_embeddings"], max(2, config.typeVocabulary), width)
    textNorm = LayerNorm(text["LayerNorm"], width)
    let image = scope["img_embeddings"]
    imageLinear = Linear(image["img_linear"], model.featureWidth, width)
    imageInputNorm = LayerNorm(image["img_LayerNorm"], model.featureWidth)
    imagePositions = Embedding(image["position_embeddings"], model.framePositions, width)
    imageMask = Embedding(image["mask_embedding"], 2, model.featureWidth, zeroRows: 1)
    imageNorm = LayerNorm(image["LayerNorm"], width)
    _ = Linear(scope["pooler"]["dense"], width, width)
    head = LanguageModelHead(scope["lm_head"], words: words, model)
  }

  /// Frames and words of every sequence.
  /// - Parameters:
  ///   - features: [feature rows, featureWidth]
  ///   - rows: the feature row of every frame of a sequence.
  ///   - mask: per feature row 1 (masked) or −1; nil if nothing is masked.
  ///   - selection: the rows wanted.
  /// - Returns: the wanted rows of the last layer, in the sequences' order.
  func callAsFunction(
    _ tape: Tape, _ plan: CrossModalPlan, features: Tensor, rows: Indices, mask: Indices?,
    selection: RowSelection
  ) -> Tensor {
    let text = embedText(tape, plan)
    var input = text
    if !plan.frameNumbers.isEmpty {
      let frames = embedFrames(tape, plan, features: features, rows: rows, mask: mask)
      input = tape.gatherSum([(frames, plan.fromFrames), (text, plan.fromTokens)])
    }
    return encoder(tape, input, plan.segments, selection: selection)
  }

  /// Text alone, as for queries: all rows of the last layer.
  func callAsFunction(_ tape: Tape, _ text: TextInput) -> Tensor {
    encoder(tape, embed(tape, text), text.segments)
  }

  /// Embedded words without the layers (video question answering feeds them to the temporal transformer).
  func embed(_ tape: Tape, _ text: TextInput) -> Tensor { embedText(tape, text.plan) }

  /// dropout(LN(word + position + type)).
  private func embedText(_ tape: Tape, _ plan: CrossModalPlan) -> Tensor {
    let sum = tape.gatherSum([
      (words.weight.tensor, plan.tokens), (positions.weight.tensor, plan.tokenPositions),
      (types.weight.tensor, plan.tokenTypes),
    ])
    return textNorm(tape, sum, outerDropout: config.hiddenDropout)
  }

  /// dropout(LN(W·LN(feature) + position + type)), a row per frame of a sequence.
  private func embedFrames(
    _ tape: Tape, _ plan: CrossModalPlan, features: Tensor, rows: Indices, mask: Indices?
  ) -> Tensor {
    let visible = maskedFeatures(tape, features, mask: mask, embedding: imageMask)
    let projected = imageLinear(tape, imageInputNorm(tape, visible))
    let sum = tape.gatherSum([
      (projected, rows), (imagePositions.weight.tensor, plan.framePositions),
      (types.weight.tensor, plan.frameTypes),
    ])
    return imageNorm(tape, sum, outerDropout: config.hiddenDropout)
  }
}

/// The features, with the mask embedding's row 1 added where a frame is hidden (its feature is zero).
func maskedFeatures(_ tape: Tape, _ features: Tensor, mask: Indices?, embedding: Embedding) -> Tensor {
  guard let mask else { return features }
  return tape.gatherSum([(features, nil), (embedding.weight.tensor, mask)])
}

/// dense → GELU → LN → words, the word scores tied to the word embedding. Parameters `dense.*`,
/// `LayerNorm.*`, `bias`.
final class LanguageModelHead {
  private let dense: Linear
  private let norm: LayerNorm
  private let bias: Parameter
  private let words: Embedding
  let vocabulary: Int

  init(_ scope: ParameterScope, words: Embedding, _ model: ModelConfiguration) {
    let width = model.cross.hiddenSize
    bias = scope.bias(model.vocabularyRows)
    dense = Linear(scope["dense"], width, width)
    norm = LayerNorm(scope["LayerNorm"], width)
    self.words = words
    vocabulary = model.cross.vocabulary ?? 0
  }

  /// [n, width] → [n, vocabulary rounded up to 8]; the padding's columns mean nothing.
  func callAsFunction(_ tape: Tape, _ x: Tensor) -> Tensor {
    tape.linear(norm(tape, dense(tape, x, activation: .gelu)), words.weight.tensor, bias.tensor)
  }
}
