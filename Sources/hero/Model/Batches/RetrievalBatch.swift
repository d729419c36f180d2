import Engine

/// Queries with the videos and spans they should find.
public struct RetrievalBatch: Sendable {
  /// Each video once.
  public var videos: VideoBatch
  /// Token ids, a leading special token only where the task has one.
  public var queries: [[Int32]]
  /// The batch's videos in the order of ranking: query m belongs to slot m / queriesPerSlot.
  public var slots: [Int]
  /// Queries of each slot; 1 in the reference.
  public var queriesPerSlot: Int
  /// First and last frame of each query's moment; −1 where unknown.
  public var targets: [FrameSpan]

  /// - Precondition: `queriesPerSlot` queries for each slot, and a target for each query.
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

  /// Puts the batch into a device's memory. Loading threads do it.
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

/// The same in a device's memory.
public struct RetrievalInput: Sendable {
  /// Places to find within each query's own video, and how many are known.
  package struct Targets: Sendable {
    package let places: Indices
    package let known: Int

    init(_ places: [Int], on backend: any Backend) {
      self.places = backend.makeIndices(places)
      known = places.count { $0 >= 0 }
    }
  }

  /// The videos, and the words of the queries, which pass the cross-modal transformer with them.
  package let videos: VideoInput
  /// The words of each query.
  package let queries: Segments
  /// 0, 1, 2 … within every query.
  let wordPlaces: Indices
  package let slots: Indices
  package let queriesPerSlot: Int
  /// Rows of the batch's frames that each query's own video has, and where its scores for them go.
  package let pairs: RowRanges
  package let places: Segments
  package let starts: Targets
  package let ends: Targets
}
