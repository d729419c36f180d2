import Corpus
import Engine
import Formats
import Model

/// Batches of queries, each with its video (Docs/Computation.md §1, §3 "VCMR target"; the
/// reference's `VcmrDataset`).
public struct RetrievalLoader: BatchLoader {
  public let queries: QueryStore
  public let videos: VideoReader
  /// The queries to use.
  public let ids: [String]
  /// Seconds between frames.
  public let frameInterval: Double
  /// False for MSR-VTT, whose queries are about whole videos.
  public let hasSpans: Bool
  /// What the batches are for.
  public let model: ModelConfiguration
  public let skips: SkipReport

  /// - Parameters:
  ///   - maxTextLength: queries with more tokens are left out; none are if it is not positive.
  ///   - skips: told of every query that cannot be used.
  /// - Throws: `DataError` where the stores lack the videos of more than half of the queries.
  public init(
    queries: QueryStore, videos: VideoReader, maxTextLength: Int, frameInterval: Double, hasSpans: Bool,
    model: ModelConfiguration, skips: SkipReport = SkipReport()
  ) throws {
    self.model = model
    self.skips = skips
    self.queries = queries
    self.videos = videos
    self.frameInterval = frameInterval
    self.hasSpans = hasSpans
    ids = queries.ids(maxTextLength: maxTextLength).filter { queries.video(of: $0) != nil }
    try videos.requireMost(ids.lazy.map { queries.video(of: $0) }, "queries", file: queries.path)
  }

  public var itemCount: Int { ids.count }

  public func batch(of items: [Int], random: RandomStream) throws -> RetrievalBatch? {
    var read = BatchVideos(videos, model: model)
    var texts: [[Int32]] = []
    var slots: [Int] = []
    var targets: [FrameSpan] = []
    for (number, item) in items.enumerated() {
      do {
        let query = try queries.query(ids[item])
        guard let name = query.video else { continue }
        let text = [queries.meta.cls] + query.tokens
        try checkQuery(text, model, "query \(query.id)")
        let place = try read.place(of: name)
        texts.append(text)
        slots.append(place)
        let span = span(of: query, random: random.following(number))
        targets.append(target(span, frames: read.items[place].frameCount))
      } catch let error as DataError {
        skips.skip("query \(ids[item])", file: queries.path, error)
      }
    }
    guard !texts.isEmpty else { return nil }
    return RetrievalBatch(
      videos: try VideoBatch(read.items, model: model), queries: texts, slots: slots, targets: targets)
  }

  /// The moment to learn: the first that was marked, or one at random where all of them answer.
  private func span(of query: Query, random: RandomStream) -> TimeSpan? {
    guard queries.holdsWindows else { return query.spans.first }
    var random = random
    return query.spans.randomElement(using: &random)
  }

  private func target(_ span: TimeSpan?, frames: Int) -> FrameSpan {
    guard hasSpans, let span else { return .unknown }
    return span.target(frames: frames, interval: frameInterval)
  }
}
