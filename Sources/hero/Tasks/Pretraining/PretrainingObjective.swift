/// What pre-training asks of the model (Docs/Computation.md §3; paper §3.2). Raw values are the reference's names.
public enum PretrainingObjective: String, Sendable, CaseIterable {
  /// Masked words from a sentence's frames and other words.
  case mlm
  /// A masked frame's feature, told from the batch's other frames.
  case mfmNCE = "mfm-nce"
  /// A masked frame's feature by regression.
  case mffr
  /// Where moved frames came from.
  case fom
  /// The video and the span of a sentence of its own subtitles.
  case vsm
}

/// Settings of the objectives' masks and samples; keys in the reference's spelling stand beside each.
public struct PretrainingOptions: Equatable, Sendable {
  /// `mask_prob`: share of words masked, of frames masked, of frames moved.
  public var maskProbability: Float = 0.15
  /// `max_txt_len`: tokens kept of a sentence that MLM masks or VSM asks for; all if not positive.
  public var maxTextLength = 60
  /// Sentences of a video that VSM makes queries.
  public var queriesPerVideo = 5

  public init() {}
}
