import Engine

/// The model of video corpus moment retrieval (Docs/Computation.md §2; paper §3.2 "VSM").
///
/// It has the video encoder, a query encoder, a video score and two span predictors.
public final class RetrievalModel: HeroModel {
  /// The parameters, configuration and video encoder.
  public let trunk: ModelTrunk
  private let queryEncoder: QueryEncoder
  private let spanQuery: Linear
  private let startKernel: Parameter
  private let endKernel: Parameter

  /// Declares the query encoder `q_feat_attn`, the span query and two span convolutions of five
  /// frames.
  public init(sharing trunk: ModelTrunk) {
    self.trunk = trunk
    let configuration = trunk.configuration
    let (scope, width) = (trunk.scope, configuration.cross.hiddenSize)
    spanQuery = Linear(scope["video_query_linear"], width, width)
    // PyTorch's initial values of a convolution: uniform within 1/√(inputs).
    let bound = 1 / Float(5).squareRoot()
    startKernel = scope["video_st_predictor"].parameter("weight", [1, 1, 5], .uniform(bound: bound))
    endKernel = scope["video_ed_predictor"].parameter("weight", [1, 1, 5], .uniform(bound: bound))
    queryEncoder = QueryEncoder(scope["q_feat_attn"], configuration)
  }

  /// Encodes queries into [queries, width].
  public func encodeQueries(_ tape: Tape, _ queries: TextInput) -> Tensor {
    queryEncoder(tape, videoEncoder.cross(tape, queries), queries.segments, places: queries.places)
  }

  /// Encodes videos and queries, which pass the cross-modal transformer together.
  /// - Returns: [Σ frames, width], the videos one after the other, and [queries, width].
  package func encode(_ tape: Tape, _ input: RetrievalInput) -> (frames: Tensor, queries: Tensor) {
    let (rows, words) = videoEncoder.fuse(tape, input.videos)
    guard let words else { preconditionFailure("prepared without queries") }
    // The queries come first, so that backpropagation reaches the words' gradient when it needs it.
    let queries = queryEncoder(tape, words, input.queries, places: input.wordPlaces)
    return (videoEncoder.encode(tape, fused: rows, input.videos), queries)
  }

  /// Computes the cosine similarity of every query with the best frame of every video.
  /// - Parameters:
  ///   - queries: [m, width].
  ///   - frames: [Σ frames, width].
  /// - Returns: [m, videos].
  public func videoScores(_ tape: Tape, queries: Tensor, frames: Tensor, videos: Segments) -> Tensor {
    let similarity = tape.linear(normalized(tape, queries), normalized(tape, frames))
    return tape.segmentMax(similarity, segments: videos)
  }

  /// Scales rows to unit length, as `videoScores` compares them.
  public func normalized(_ tape: Tape, _ rows: Tensor) -> Tensor { tape.normalizeRows(rows, floor: 1e-5) }

  /// Computes the span queries, [m, width] → [m, width], to multiply with encoded frames.
  public func spanQueries(_ tape: Tape, _ queries: Tensor) -> Tensor { spanQuery(tape, queries) }

  /// Computes start and end logits from the products of span queries and frames.
  /// - Parameter similarity: [1, Σ frames], one range of frames after the other.
  /// - Returns: two tensors of [1, Σ frames].
  public func spanLogits(
    _ tape: Tape, similarity: Tensor, _ segments: Segments
  ) -> (start: Tensor, end: Tensor) {
    (
      tape.convolve(similarity, kernel: startKernel.tensor, segments: segments),
      tape.convolve(similarity, kernel: endKernel.tensor, segments: segments)
    )
  }

  /// Computes the start and end logits of query q over the frames `pairs[q]`.
  /// - Parameter places: segments of the pairs' lengths.
  /// - Returns: two tensors of [1, Σ frames of the pairs], in `places`.
  public func spanLogits(
    _ tape: Tape, queries: Tensor, frames: Tensor, pairs: RowRanges, places: Segments
  ) -> (start: Tensor, end: Tensor) {
    let similarity = tape.pairDot(spanQueries(tape, queries), frames, pairs: pairs, places: places)
    return spanLogits(tape, similarity: similarity, places)
  }
}
