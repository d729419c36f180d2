/// One transformer's settings, as the reference's configuration files give them.
public struct TransformerConfiguration: Equatable, Sendable {
  /// The number of elements of a row: `hidden_size`.
  public var hiddenSize: Int
  /// The number of layers: `num_hidden_layers`.
  public var layers: Int
  /// The number of attention heads, a divisor of ``hiddenSize``: `num_attention_heads`.
  public var heads: Int
  /// The number of elements of a feed-forward layer's row: `intermediate_size`.
  public var intermediateSize: Int
  /// The dropout probability of hidden states: `hidden_dropout_prob`.
  public var hiddenDropout: Float
  /// The dropout probability of attention weights: `attention_probs_dropout_prob`.
  public var attentionDropout: Float
  /// The number of rows of the position table: `max_position_embeddings`.
  public var positions: Int
  /// The number of rows of the type table: `type_vocab_size`.
  public var typeVocabulary: Int
  /// The number of words (`vocab_size`); nil where the transformer has no words of its own.
  public var vocabulary: Int?
  /// The standard deviation of the normal distribution of initial weights: `initializer_range`.
  public var initializerRange: Float

  /// - Precondition: `hiddenSize` is a multiple of `heads`.
  public init(
    hiddenSize: Int, layers: Int, heads: Int, intermediateSize: Int, positions: Int, typeVocabulary: Int = 2,
    vocabulary: Int? = nil, hiddenDropout: Float = 0.1, attentionDropout: Float = 0.1,
    initializerRange: Float = 0.02
  ) {
    precondition(hiddenSize % heads == 0)
    self.hiddenSize = hiddenSize
    self.layers = layers
    self.heads = heads
    self.intermediateSize = intermediateSize
    self.positions = positions
    self.typeVocabulary = typeVocabulary
    self.vocabulary = vocabulary
    self.hiddenDropout = hiddenDropout
    self.attentionDropout = attentionDropout
    self.initializerRange = initializerRange
  }
}

/// How a model fuses the frames of a video with its subtitles.
public enum SubtitleFusion: Equatable, Sendable, CaseIterable {
  /// HERO's: the cross-modal transformer reads each sentence with its frames.
  case hierarchical
  /// VALUE's: each sentence alone gives a vector, which is added to its frames' vectors.
  case add
  /// VALUE's: the same vector is concatenated with the frames' and projected back to the width.
  case concat
  /// VALUE's: all frames and then all sentences, one vector each, form one sequence of the temporal
  /// transformer.
  case sequence
}

/// A model's shape, from the reference's `model_config` file, the stores and the checkpoint.
public struct ModelConfiguration: Equatable, Sendable {
  /// The cross-modal transformer over a sentence and its frames.
  public var cross: TransformerConfiguration
  /// The temporal transformer over a video's frames.
  public var temporal: TransformerConfiguration
  /// The query encoder; the cross-modal settings where the file has none.
  public var query: TransformerConfiguration
  /// The caption decoder, where the file has one.
  public var decoder: TransformerConfiguration?
  /// The number of elements of a frame's feature.
  public var featureWidth: Int
  /// The number of frame positions within one subtitle sentence (the reference's
  /// `max_frm_seq_len`).
  public var framePositions: Int
  /// The number of places that FOM predicts (`max_clip_len`, 100 in all models of the reference).
  public var frameOrderPlaces: Int
  /// How the model fuses frames and subtitles.
  public var fusion: SubtitleFusion

  /// - Parameters:
  ///   - cross: `f_config`.
  ///   - temporal: `c_config`.
  ///   - query: `q_config`.
  ///   - decoder: `d_config`; nil without captions.
  ///   - featureWidth: the number of elements of a frame's feature in the stores.
  ///   - framePositions: the most frames of one sequence.
  ///   - frameOrderPlaces: the number of FOM's classes.
  public init(
    cross: TransformerConfiguration, temporal: TransformerConfiguration, query: TransformerConfiguration,
    decoder: TransformerConfiguration? = nil, featureWidth: Int, framePositions: Int = 100,
    frameOrderPlaces: Int? = nil, fusion: SubtitleFusion = .hierarchical
  ) {
    self.cross = cross
    self.temporal = temporal
    self.query = query
    self.decoder = decoder
    self.featureWidth = featureWidth
    self.framePositions = framePositions
    self.frameOrderPlaces = frameOrderPlaces ?? framePositions
    self.fusion = fusion
  }

  /// The most frames of a video that have positions.
  public var mostFrames: Int {
    fusion == .sequence ? min(framePositions, temporal.positions) : temporal.positions
  }

  /// The number of rows of the word embedding: the vocabulary rounded up to a multiple of 8.
  public var vocabularyRows: Int { ((cross.vocabulary ?? 0) + 7) / 8 * 8 }

  /// Sets one dropout probability everywhere (the reference's `dropout` option).
  public mutating func setDropout(_ probability: Float) {
    func set(_ part: inout TransformerConfiguration) {
      part.hiddenDropout = probability
      part.attentionDropout = probability
    }
    set(&cross)
    set(&temporal)
    set(&query)
    if decoder != nil { set(&decoder!) }
  }
}
