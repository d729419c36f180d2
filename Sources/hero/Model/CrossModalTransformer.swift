import Engine

/// The cross-modal transformer `v_encoder.f_encoder` over a sentence's frames and words.
///
/// Docs/Computation.md §2; paper §3.1.
public final class CrossModalTransformer {
  private let config: TransformerConfiguration
  let words: Embedding
  private let positions: Embedding
  private let types: Embedding
  private let textNorm: LayerNorm
  private let image: FrameEmbedding
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
    image = FrameEmbedding(scope["img_embeddings"], model, dropout: config.hiddenDropout)
    _ = Linear(scope["pooler"]["dense"], width, width)
    head = LanguageModelHead(scope["lm_head"], words: words, model)
  }

  /// Encodes the frames and words of every sequence.
  /// - Parameters:
  ///   - features: [feature rows, featureWidth]
  ///   - rows: the feature row of every frame of a sequence.
  ///   - mask: per feature row, 1 if masked, else −1; nil if nothing is masked.
  ///   - selection: the rows to output.
  /// - Returns: these rows of the last layer, in the sequences' order.
  func callAsFunction(
    _ tape: Tape, _ plan: CrossModalPlan, features: Tensor, rows: Indices, mask: Indices?,
    selection: RowSelection
  ) -> Tensor {
    let text = embedText(tape, plan)
    var input = text
    if !plan.frameNumbers.isEmpty {
      let frames = image(
        tape, features, rows: rows, mask: mask, positions: plan.framePositions,
        types: (types.weight.tensor, plan.frameTypes))
      input = tape.gatherSum([(frames, plan.fromFrames), (text, plan.fromTokens)])
    }
    return encoder(tape, input, plan.segments, selection: selection)
  }

  /// Encodes text alone, as for queries: all rows of the last layer.
  func callAsFunction(_ tape: Tape, _ text: TextInput) -> Tensor {
    encoder(tape, embed(tape, text), text.segments)
  }

  /// Encodes sentences alone and takes the maximum of their words' outputs in every column.
  /// - Returns: [texts of the plan, width], and the words' outputs, [Σ words, width].
  func maxima(_ tape: Tape, _ texts: CrossModalPlan) -> (maxima: Tensor, words: Tensor) {
    let words = encoder(tape, embedText(tape, texts), texts.segments)
    let maxima = tape.transpose(tape.segmentMax(tape.transpose(words), segments: texts.segments))
    return (maxima, words)
  }

  /// Embeds words without the layers; question answering feeds them to the temporal transformer.
  func embed(_ tape: Tape, _ text: TextInput) -> Tensor { embedText(tape, text.plan) }

  /// Computes dropout(LN(word + position + type)).
  private func embedText(_ tape: Tape, _ plan: CrossModalPlan) -> Tensor {
    let sum = tape.gatherSum([
      (words.weight.tensor, plan.tokens), (positions.weight.tensor, plan.tokenPositions),
      (types.weight.tensor, plan.tokenTypes),
    ])
    return textNorm(tape, sum, outerDropout: config.hiddenDropout)
  }
}

/// The embedding of frames as rows of a transformer.
///
/// Parameters: `img_linear.*`, `img_LayerNorm.*`, `position_embeddings`, `mask_embedding`,
/// `LayerNorm.*`.
struct FrameEmbedding {
  private let linear: Linear
  private let inputNorm: LayerNorm
  private let positions: Embedding
  private let mask: Embedding
  private let norm: LayerNorm
  private let dropout: Float

  init(_ scope: ParameterScope, _ model: ModelConfiguration, dropout: Float) {
    let width = model.cross.hiddenSize
    linear = Linear(scope["img_linear"], model.featureWidth, width)
    inputNorm = LayerNorm(scope["img_LayerNorm"], model.featureWidth)
    positions = Embedding(scope["position_embeddings"], model.framePositions, width)
    mask = Embedding(scope["mask_embedding"], 2, model.featureWidth, zeroRows: 1)
    norm = LayerNorm(scope["LayerNorm"], width)
    self.dropout = dropout
  }

  /// Computes dropout(LN(W·LN(feature) + position + type)).
  /// - Parameters:
  ///   - rows: the feature row of every frame; nil where frames and feature rows are the same.
  ///   - mask: per feature row, 1 if hidden, else −1; nil if nothing is hidden.
  ///   - positions: the position of each frame.
  ///   - types: the table of types, and each frame's row of it.
  func callAsFunction(
    _ tape: Tape, _ features: Tensor, rows: Indices?, mask: Indices?, positions: Indices,
    types: (table: Tensor, rows: Indices)
  ) -> Tensor {
    let visible = maskedFeatures(tape, features, mask: mask, embedding: self.mask)
    let sum = tape.gatherSum([
      (linear(tape, inputNorm(tape, visible)), rows), (self.positions.weight.tensor, positions),
      (types.table, types.rows),
    ])
    return norm(tape, sum, outerDropout: dropout)
  }
}

/// Adds the mask embedding's row 1 to the features of hidden frames, which are zero.
func maskedFeatures(_ tape: Tape, _ features: Tensor, mask: Indices?, embedding: Embedding) -> Tensor {
  guard let mask else { return features }
  return tape.gatherSum([(features, nil), (embedding.weight.tensor, mask)])
}

/// The head dense → GELU → LN → words, whose word scores are tied to the word embedding.
///
/// Parameters: `dense.*`, `LayerNorm.*`, `bias`.
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

  /// Maps [n, width] to [n, vocabulary rounded up to 8]; the padding's columns are meaningless.
  func callAsFunction(_ tape: Tape, _ x: Tensor) -> Tensor {
    tape.linear(norm(tape, dense(tape, x, activation: .gelu)), words.weight.tensor, bias.tensor)
  }
}
