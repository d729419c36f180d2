import Engine

/// Queries with the videos and spans to find.
public struct RetrievalBatch: Sendable {
  /// The videos, each once.
  public var videos: VideoBatch
  /// The token ids of each query, with a leading special token only if the task has one.
  public var queries: [[Int32]]
  /// The batch's videos in the order of ranking: query m belongs to slot m / queriesPerSlot.
  public var slots: [Int]
  /// The number of queries of each slot; 1 in the reference.
  public var queriesPerSlot: Int
  /// The first and last frame of each query's moment; −1 where unknown.
  public var targets: [FrameSpan]

  /// - Precondition: Each slot has `queriesPerSlot` queries, and each query a target.
  public init(
    videos: VideoBatch, queries: [[Int32]], slots: [Int], queriesPerSlot: Int = 1,
    targets: [FrameSpan]
  ) {
    precondition(queries.count == slots.count * queriesPerSlot && targets.count == queries.count)
    self.videos = videos
    self.queries = queries
    self.slots = slots
    self.queriesPerSlot = queriesPerSlot
    self.targets = targets
  }

  /// Copies the batch into a device's memory, on a loading thread.
  public func prepared(for model: ModelConfiguration, on backend: any Backend) -> RetrievalInput {
    let videos = videos.prepared(for: model, with: queries, on: backend)
    let words = Segments(lengths: queries.map(\.count), on: backend)
    let pairs = queries.indices.map { videos.segments[slots[$0 / queriesPerSlot]] }
    return RetrievalInput(
      videos: videos, queries: words, wordPlaces: rowPositions(words, on: backend),
      slots: backend.makeIndices(slots), queriesPerSlot: queriesPerSlot, pairs: RowRanges(pairs, on: backend),
      places: Segments(lengths: pairs.map(\.count), on: backend),
      starts: RetrievalInput.Targets(targets.map(\.start), on: backend),
      ends: RetrievalInput.Targets(targets.map(\.end), on: backend))
  }
}

/// A ``RetrievalBatch`` in a device's memory.
public struct RetrievalInput: Sendable {
  /// The frames to find within each query's own video, and the number of known ones.
  package struct Targets: Sendable {
    package let places: Indices
    package let known: Int

    init(_ places: [Int], on backend: any Backend) {
      self.places = backend.makeIndices(places)
      known = places.count { $0 >= 0 }
    }
  }

  /// The videos, with which the queries' words pass the cross-modal transformer.
  package let videos: VideoInput
  /// The words of each query.
  package let queries: Segments
  /// The position of each word in its query, from 0.
  let wordPlaces: Indices
  package let slots: Indices
  package let queriesPerSlot: Int
  /// The rows of frames of each query's own video, and the places of its scores for them.
  package let pairs: RowRanges
  package let places: Segments
  package let starts: Targets
  package let ends: Targets
}
