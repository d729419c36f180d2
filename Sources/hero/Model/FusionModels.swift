import Engine

/// Fusion of each sentence's vector with its frames, by sum or by concatenation.
///
/// VALUE's `Video_Sub_Feature_Fusion`.
struct FeatureFusion {
  private let sentences: NormedProjection
  /// The projection of the concatenation to the width; nil for sums.
  private let both: NormedProjection?
  private let width: Int

  init(_ scope: ParameterScope, _ model: ModelConfiguration) {
    width = model.cross.hiddenSize
    let dropout = model.cross.hiddenDropout
    sentences = NormedProjection(scope["sub_transform"], width, width, dropout: dropout)
    both =
      model.fusion == .concat
      ? NormedProjection(scope["video_sub_feature_transform"], 2 * width, width, dropout: dropout) : nil
  }

  /// Computes frame + ReLU(W·LN(sentence)), or ReLU(W₂·LN([frame, ReLU(W·LN(sentence))])).
  ///
  /// A frame without a sentence has zero in place of the sentence.
  /// - Parameter frames: [feature rows, width], transformed.
  /// - Returns: [Σ frames, width], and the words' outputs.
  func callAsFunction(
    _ tape: Tape, _ input: VideoInput, frames: Tensor, _ cross: CrossModalTransformer
  ) -> Fused {
    let (matched, words) = matched(tape, input, cross)
    let said = sentences(tape, matched)
    guard let both, let halves = input.halves else {
      return (tape.gatherSum([(frames, input.shared), (said, nil)]), words)
    }
    let side = tape.gatherSum([(frames, halves.frames), (said, halves.sentences)])
    return (both(tape, tape.reshape(side, rows: said.rows, columns: 2 * width)), words)
  }

  /// Returns each frame's sentence vector, [Σ frames, width], and the words' outputs.
  private func matched(_ tape: Tape, _ input: VideoInput, _ cross: CrossModalTransformer) -> Fused {
    guard input.plan.segments.count > 0 else {
      let nothing = tape.backend.makeTensor(rows: input.segments.rows, columns: width)
      tape.backend.run(Fill(nothing, with: 0))
      return (nothing, nil)
    }
    let (maxima, words) = cross.maxima(tape, input.plan)
    return (tape.gather(maxima, input.slots), words)
  }
}

/// Fusion of all frames and then all sentences, one vector each, in one sequence.
///
/// VALUE's `Video_Sub_Sequence_Model`.
struct SequenceFusion {
  private let positions: Embedding
  private let types: Embedding
  private let norm: LayerNorm
  private let frames: FrameEmbedding
  private let dropout: Float

  init(_ scope: ParameterScope, _ model: ModelConfiguration) {
    let (text, width) = (scope["sub_embeddings"], model.cross.hiddenSize)
    dropout = model.cross.hiddenDropout
    // VALUE's model has a word embedding here that it never reads.
    _ = Embedding(text["word_embeddings"], model.vocabularyRows, width)
    positions = Embedding(text["position_embeddings"], model.cross.positions, width)
    types = Embedding(text["token_type_embeddings"], max(2, model.cross.typeVocabulary), width)
    norm = LayerNorm(text["LayerNorm"], width)
    frames = FrameEmbedding(scope["frame_embeddings"], model, dropout: model.temporal.hiddenDropout)
  }

  /// Embeds frames as dropout(LN(W·LN(feature) + position + type)), sentences without W·LN.
  /// - Returns: [Σ frames and sentences, width], and the words' outputs.
  func callAsFunction(_ tape: Tape, _ input: VideoInput, _ cross: CrossModalTransformer) -> Fused {
    guard let sequence = input.sequence else { preconditionFailure("prepared for another model") }
    let table = types.weight.tensor
    let frames = frames(
      tape, input.features, rows: input.shared, mask: nil, positions: input.places,
      types: (table, sequence.frameTypes))
    guard input.plan.segments.count > 0 else { return (frames, nil) }
    let (maxima, words) = cross.maxima(tape, input.plan)
    guard sequence.sentences.count > 0 else { return (frames, words) }
    let sum = tape.gatherSum([
      (maxima, sequence.sentences), (positions.weight.tensor, sequence.sentencePositions),
      (table, sequence.sentenceTypes),
    ])
    let rows = tape.gatherSum([
      (frames, sequence.fromFrames), (norm(tape, sum, outerDropout: dropout), sequence.fromSentences),
    ])
    return (rows, words)
  }
}
