import Corpus
import Engine
import Formats
import Model

/// A loader of batches of queries, each with its video (Docs/Computation.md §1, §3 "VCMR target").
///
/// The reference's `VcmrDataset`.
public struct RetrievalLoader: BatchLoader {
  /// The store of the texts and their moments.
  public let queries: QueryStore
  /// The frames and subtitles of the queries' videos.
  public let videos: VideoReader
  /// The queries to use.
  public let ids: [String]
  /// Seconds between frames.
  public let frameInterval: Double
  /// Whether queries have moments; false for MSR-VTT, whose queries are about whole videos.
  public let hasSpans: Bool
  /// The number of queries that share one encoding of their video: `queries_per_video`.
  public let queriesPerVideo: Int
  /// The shape of the model that reads the batches.
  public let model: ModelConfiguration
  /// The report of the queries that cannot be used.
  public let skips: SkipReport
  /// Each video's queries, as places in `ids`, and each item's video; nil for one query per item.
  private let groups: (videos: [[Int]], items: [Int])?

  /// - Parameters:
  ///   - maxTextLength: skips queries with more tokens, unless it is 0 or negative.
  ///   - queriesPerVideo: with 1, an item is a query. With n > 1, an item is a video with n of its
  ///     queries, drawn anew each time. An epoch has enough items of a video to hold all its
  ///     queries; a video with fewer than n queries repeats them.
  ///   - skips: reports every query that cannot be used.
  /// - Throws: `DataError` if the stores lack the videos of more than half of the queries.
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

  /// The number of queries, or of videos with their queries where ``queriesPerVideo`` is above 1.
  public var itemCount: Int { groups?.items.count ?? ids.count }
  /// Returns the number of frames of the query's video.
  public func frames(of item: Int) -> Int {
    let query = groups.map { $0.videos[$0.items[item]][0] } ?? item
    return queries.video(of: ids[query]).flatMap { videos.frameCount(of: $0) } ?? 0
  }
  /// The items in words: `4000 items` or `900 items of 5 queries`.
  public var summary: String {
    groups.map { "\($0.items.count) items of \(queriesPerVideo) queries" } ?? "\(itemCount) items"
  }

  /// Reads the videos of these items, each once, with their queries and the frames of the moments.
  ///
  /// - Returns: nil if no query can be used.
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

  /// Returns the first usable queries of one video, at most `queriesPerVideo`, and reads the video.
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

  /// Returns the target moment: the first annotated one, or a random one where all of them answer.
  private func span(of query: Query, random: inout RandomStream) -> TimeSpan? {
    guard queries.holdsWindows else { return query.spans.first }
    return query.spans.randomElement(using: &random)
  }

  private func target(_ span: TimeSpan?, of id: String, within video: VideoItem) -> FrameSpan {
    guard hasSpans, let span else { return .unknown }
    return span.target(of: "query \(id)", in: queries.path, within: video, interval: frameInterval)
  }
}
