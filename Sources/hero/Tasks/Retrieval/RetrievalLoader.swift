import Corpus
import Engine
import Formats
import Model

/// Batches of queries, each with its video (Docs/Computation.md §1, §3 "VCMR target"; the
/// reference's `VcmrDataset`).
public struct RetrievalLoader: BatchLoader {
  /// Where the texts and their moments come from.
  public let queries: QueryStore
  /// Where the frames and subtitles of the queries' videos come from.
  public let videos: VideoReader
  /// The queries to use.
  public let ids: [String]
  /// Seconds between frames.
  public let frameInterval: Double
  /// False for MSR-VTT, whose queries are about whole videos.
  public let hasSpans: Bool
  /// `queries_per_video`: queries that share one encoding of their video.
  public let queriesPerVideo: Int
  /// What the batches are for.
  public let model: ModelConfiguration
  /// Which queries went unused, and why.
  public let skips: SkipReport
  /// Where queries share their video: the queries of each video, as places in `ids`, and the video
  /// that each item is of.
  private let groups: (videos: [[Int]], items: [Int])?

  /// - Parameters:
  ///   - maxTextLength: leaves out queries with more tokens, unless it is 0 or negative.
  ///   - queriesPerVideo: with 1, an item is a query. Else it is a video with so many of its
  ///     queries, drawn anew each time. An epoch has as many items of a video as all its queries
  ///     fill, and a video with fewer queries repeats them.
  ///   - skips: reports every query that cannot be used.
  /// - Throws: `DataError` where the stores lack the videos of more than half of the queries.
  public init(
    queries: QueryStore, videos: VideoReader, maxTextLength: Int, queriesPerVideo: Int = 1,
    frameInterval: Double, hasSpans: Bool, model: ModelConfiguration, skips: SkipReport = SkipReport()
  ) throws {
    self.queriesPerVideo = queriesPerVideo
    self.model = model
    self.skips = skips
    self.queries = queries
    self.videos = videos
    self.frameInterval = frameInterval
    self.hasSpans = hasSpans
    ids = queries.ids(maxTextLength: maxTextLength).filter { queries.video(of: $0) != nil }
    groups = queriesPerVideo > 1 ? Self.groups(of: ids, in: queries, each: queriesPerVideo) : nil
    try videos.require(queries.meta, for: model)
    try videos.requireMost(ids.lazy.map { queries.video(of: $0) }, "queries", file: queries.path)
  }

  private static func groups(
    of ids: [String], in queries: QueryStore, each size: Int
  ) -> (videos: [[Int]], items: [Int]) {
    var places: [Name: Int] = [:]
    var videos: [[Int]] = []
    for (query, id) in ids.enumerated() {
      guard let name = queries.video(of: id).map({ Name($0) }) else { continue }
      if let place = places[name] {
        videos[place].append(query)
      } else {
        places[name] = videos.count
        videos.append([query])
      }
    }
    let items = videos.indices.flatMap { video in
      Array(repeating: video, count: (videos[video].count + size - 1) / size)
    }
    return (videos, items)
  }

  /// Queries, or videos with their queries where ``queriesPerVideo`` is above 1.
  public var itemCount: Int { groups?.items.count ?? ids.count }
  /// Of the query's video.
  public func frames(of item: Int) -> Int {
    let query = groups.map { $0.videos[$0.items[item]][0] } ?? item
    return queries.video(of: ids[query]).flatMap { videos.frameCount(of: $0) } ?? 0
  }
  /// As in "4000 items" or "900 items of 5 queries".
  public var summary: String {
    groups.map { "\($0.items.count) items of \(queriesPerVideo) queries" } ?? "\(itemCount) items"
  }

  /// The videos of these items, each once, with their queries and the frames of the queries'
  /// moments.
  ///
  /// - Returns: nil where no query can be used.
  public func batch(of items: [Int], random: RandomStream) throws -> RetrievalBatch? {
    var read = BatchVideos(videos, model: model)
    var texts: [[Int32]] = []
    var slots: [Int] = []
    var targets: [FrameSpan] = []
    for (number, item) in items.enumerated() {
      var random = random.following(number)
      let queries = groups.map { $0.videos[$0.items[item]].shuffled(using: &random) } ?? [item]
      let usable = try self.usable(queries, among: &read, random: &random)
      guard let first = usable.first else { continue }
      slots.append(first.place)
      for query in 0..<queriesPerVideo {
        texts.append(usable[query % usable.count].text)
        targets.append(usable[query % usable.count].target)
      }
    }
    guard !texts.isEmpty else { return nil }
    return RetrievalBatch(
      videos: try VideoBatch(read.items, model: model), queries: texts, slots: slots,
      queriesPerSlot: queriesPerVideo, targets: targets)
  }

  /// The first queries of one video that can be used, `queriesPerVideo` of them or as many as there
  /// are; reads their video.
  private func usable(
    _ queries: [Int], among read: inout BatchVideos, random: inout RandomStream
  ) throws -> [(place: Int, text: [Int32], target: FrameSpan)] {
    var usable: [(place: Int, text: [Int32], target: FrameSpan)] = []
    for query in queries where usable.count < queriesPerVideo {
      do {
        let query = try self.queries.query(ids[query])
        guard let name = query.video else { continue }
        let text = [self.queries.meta.cls] + query.tokens
        try checkQuery(text, model, "query \(query.id)")
        let place = try read.place(of: name)
        let span = span(of: query, random: &random)
        usable.append((place, text, target(span, of: query.id, within: read.items[place])))
      } catch let error as DataError {
        skips.skip("query \(ids[query])", file: self.queries.path, error)
      }
    }
    return usable
  }

  /// The moment to learn: the first that was marked, or one at random where all of them answer.
  private func span(of query: Query, random: inout RandomStream) -> TimeSpan? {
    guard queries.holdsWindows else { return query.spans.first }
    return query.spans.randomElement(using: &random)
  }

  private func target(_ span: TimeSpan?, of id: String, within video: VideoItem) -> FrameSpan {
    guard hasSpans, let span else { return .unknown }
    return span.target(of: "query \(id)", in: queries.path, within: video, interval: frameInterval)
  }
}
