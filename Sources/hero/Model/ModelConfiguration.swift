/// One transformer's settings, as the reference's configuration files give them.
public struct TransformerConfiguration: Equatable, Sendable {
  /// `hidden_size`: elements of a row.
  public var hiddenSize: Int
  /// `num_hidden_layers`
  public var layers: Int
  /// `num_attention_heads`; divides ``hiddenSize``.
  public var heads: Int
  /// `intermediate_size`: elements of the feed-forward layers.
  public var intermediateSize: Int
  /// `hidden_dropout_prob`
  public var hiddenDropout: Float
  /// `attention_probs_dropout_prob`
  public var attentionDropout: Float
  /// `max_position_embeddings`
  public var positions: Int
  /// `type_vocab_size`
  public var typeVocabulary: Int
  /// Nil where the transformer has no words of its own.
  public var vocabulary: Int?
  /// `initializer_range`: the standard deviation of the normal distribution that weights start
  /// from.
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

/// How a model brings the frames of a video together with its subtitles.
public enum SubtitleFusion: Equatable, Sendable, CaseIterable {
  /// HERO's: each sentence with its frames through the cross-modal transformer.
  case hierarchical
  /// VALUE's: a sentence by itself, as one vector that is added to what its frames are.
  case add
  /// VALUE's: the same vector beside what its frames are, and both projected back to the width.
  case concat
  /// VALUE's: all frames, then all sentences as a vector each, in one sequence of the temporal
  /// transformer.
  case sequence
}

/// A model's shape: the reference's `model_config` file plus what the stores and the checkpoint
/// fix.
public struct ModelConfiguration: Equatable, Sendable {
  /// The cross-modal transformer over a sentence and its frames.
  public var cross: TransformerConfiguration
  /// The temporal transformer over a video's frames.
  public var temporal: TransformerConfiguration
  /// The query encoder; the cross-modal settings where the file has none.
  public var query: TransformerConfiguration
  /// The caption decoder, where the file has one.
  public var decoder: TransformerConfiguration?
  /// Width of a frame's feature.
  public var featureWidth: Int
  /// Positions a frame can have within one subtitle sentence (the reference's `max_frm_seq_len`).
  public var framePositions: Int
  /// Places that FOM can predict (the reference's `max_clip_len`, 100 in every model that it
  /// makes).
  public var frameOrderPlaces: Int
  /// How frames and subtitles come together.
  public var fusion: SubtitleFusion

  /// - Parameters:
  ///   - cross: `f_config`.
  ///   - temporal: `c_config`.
  ///   - query: `q_config`.
  ///   - decoder: `d_config`; nil without captions.
  ///   - featureWidth: numbers per frame in the feature stores.
  ///   - framePositions: frames of one sequence.
  ///   - frameOrderPlaces: classes of FOM.
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

  /// Frames of a video at most: there are no positions beyond.
  public var mostFrames: Int {
    fusion == .sequence ? min(framePositions, temporal.positions) : temporal.positions
  }

  /// Rows of the word embedding: the vocabulary rounded up to a multiple of 8, as the reference
  /// pads it.
  public var vocabularyRows: Int { ((cross.vocabulary ?? 0) + 7) / 8 * 8 }

  /// One dropout probability everywhere, the reference's `dropout` option.
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
