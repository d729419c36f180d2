import Engine
import Foundation
import Metrics
import Model

/// Encoded videos to search in: in a device's memory (`RetrievalIndex`), or in a file.
///
/// A place holds a video, or one window of a video that is longer than the model reads.
public protocol SearchableVideos {
  /// The number of places.
  var count: Int { get }
  /// Returns the number that results give the video at a place.
  func number(of place: Int) -> Int
  /// Returns the frame of the video at which a place begins.
  func firstFrame(of place: Int) -> Int
  /// Returns the places of a query's own video.
  func places(of own: Int) -> Range<Int>
  /// Returns each query's `kept` best places, by the cosine of the best frame, the best first.
  ///
  /// The list has the best place of each of the `kept` best videos, and no score that is NaN.
  /// - Parameter queries: [m, width], as encoded.
  func best(
    _ queries: Tensor, kept: Int, model: RetrievalModel, tape: Tape
  ) throws -> [[(place: Int, score: Float)]]
  /// Computes the products of span queries with all frames of videos.
  /// - Parameters:
  ///   - queries: [m, width], from `RetrievalModel.spanQueries`.
  ///   - pairs: the query and the video of each product.
  /// - Returns: [1, Σ frames], the pairs concatenated, and the frames of each pair.
  func products(
    _ queries: Tensor, _ pairs: [(query: Int, video: Int)], tape: Tape
  ) throws -> (Tensor, Segments)
  /// Computes the cosines of a query with the best frame at each of several places.
  /// - Parameter query: [1, width], as encoded.
  func scores(_ query: Tensor, at places: Range<Int>, model: RetrievalModel, tape: Tape) throws -> [Float]
}

/// Search from queries to ranked videos and moments (Docs/Computation.md §5).
///
/// Evaluation and search share it.
public struct MomentSearch<Videos: SearchableVideos> {
  /// The model that encodes the queries and scores their products with frames.
  public let model: RetrievalModel
  /// The videos, encoded by the same model.
  public let videos: Videos
  /// The rankings to make, and their lengths.
  public let options: RetrievalEvaluationOptions
  /// Whether a video shorter than the shortest moment counts as one moment; false for `hero eval`.
  public let findsShortVideos: Bool

  /// - Parameter findsShortVideos: true for search; evaluation passes false, like the reference.
  public init(
    model: RetrievalModel, videos: Videos, options: RetrievalEvaluationOptions, findsShortVideos: Bool = false
  ) {
    self.model = model
    self.videos = videos
    self.options = options
    self.findsShortVideos = findsShortVideos
  }

  /// The answer to one query.
  public struct Answer: Sendable {
    /// Ranked whole videos.
    public var videos: [MomentPrediction] = []
    /// Moments of all videos, before suppression.
    public var moments: [MomentPrediction] = []
    /// Moments of the query's own video, where that is known, before suppression.
    public var ownMoments: [MomentPrediction]?
  }

  /// Start and end probabilities of moments for (query, video) pairs, concatenated.
  struct Spans {
    var start: [Float]
    var end: [Float]
    let segments: Segments

    /// - Parameter factor: 1, or the video's score where the scorer weighs videos.
    fileprivate func add(
      _ pair: Int, of video: Int, from firstFrame: Int, factor: Float, to scorer: inout MomentScorer
    ) {
      start.withUnsafeBufferPointer { start in
        end.withUnsafeBufferPointer { end in
          scorer.add(
            video: video, firstFrame: firstFrame, factor: factor,
            start: UnsafeBufferPointer(rebasing: start[segments[pair]]),
            end: UnsafeBufferPointer(rebasing: end[segments[pair]]))
        }
      }
    }
  }

  /// - Parameters:
  ///   - texts: the token ids of each query, including the leading special token.
  ///   - own: each query's own video, where it is known.
  ///   - findsMoments: false skips moments.
  public func answer(_ texts: [[Int32]], own: [Int?], findsMoments: Bool = true) throws -> [Answer] {
    let tape = Tape.inference(model.store.backend)
    let encoded = model.encodeQueries(tape, TextInput(texts, for: model.configuration, on: tape.backend))
    return try rank(encoded, own: own, findsMoments: findsMoments)
  }

  /// Ranks queries that are already encoded.
  /// - Parameter encoded: [m, width].
  public func rank(_ encoded: Tensor, own: [Int?], findsMoments: Bool = true) throws -> [Answer] {
    let tape = Tape.inference(model.store.backend)
    let best = try videos.best(encoded, kept: kept, model: model, tape: tape)
    return try rank(best, encoded, own: own, findsMoments: findsMoments) { try spans(encoded, $0, tape) }
  }

  /// The number of places to search for moments.
  var kept: Int { min(max(1, options.videosSearched), videos.count) }

  /// Ranks moments at every query's best places.
  /// - Parameters:
  ///   - best: each query's places, the best first.
  ///   - encoded: the queries, [m, width].
  ///   - spans: returns the start and end probabilities of pairs.
  func rank(
    _ best: [[(place: Int, score: Float)]], _ encoded: Tensor, own: [Int?], findsMoments: Bool,
    spans: ([(query: Int, video: Int)]) throws -> Spans
  ) throws -> [Answer] {
    let tape = Tape.inference(model.store.backend)
    var answers = best.map { ranked in
      // A video scores as its best window does.
      var seen: Set<Int> = []
      let ranked = ranked.filter { seen.insert(videos.number(of: $0.place)).inserted }
      return Answer(
        videos: ranked.prefix(100).map { place, score in
          MomentPrediction(video: videos.number(of: place), score: weight?.written(score) ?? score)
        })
    }
    guard findsMoments else { return answers }
    let pairs = own.indices.flatMap { query in
      (best[query].map(\.place) + (own[query].map { Array(videos.places(of: $0)) } ?? [])).map {
        (query: query, video: $0)
      }
    }
    let spans = try spans(pairs)
    var pair = 0
    for query in own.indices {
      var corpus = scorer(weight)
      for (place, score) in best[query] {
        spans.add(
          pair, of: videos.number(of: place), from: videos.firstFrame(of: place), factor: score, to: &corpus)
        pair += 1
      }
      answers[query].moments = predictions(corpus)
      guard let own = own[query] else { continue }
      let places = videos.places(of: own)
      answers[query].ownMoments = predictions(
        try single(
          encoded.rowsView(query..<query + 1), spans, pairs: pair..<pair + places.count, places, tape))
      pair += places.count
    }
    return answers
  }

  /// Returns the moments of one video for one query, the best first, before suppression.
  /// - Parameter encoded: the query, [1, width].
  public func moments(_ encoded: Tensor, in video: Int, _ tape: Tape) throws -> [MomentPrediction] {
    let places = videos.places(of: video)
    let spans = try spans(encoded, places.map { (0, $0) }, tape)
    return predictions(try single(encoded, spans, pairs: 0..<places.count, places, tape))
  }

  /// Scores the moments of one video for one query.
  ///
  /// The windows of a long video weigh by how well they fit the query; the best weighs 1.
  private func single(
    _ query: Tensor, _ spans: Spans, pairs: Range<Int>, _ places: Range<Int>, _ tape: Tape
  ) throws -> MomentScorer {
    var factors = [Float](repeating: 1, count: places.count)
    if places.count > 1 {
      let scores = try videos.scores(query, at: places, model: model, tape: tape)
      let best = scores.reduce(-.infinity) { max($0, $1) }
      factors = scores.map { score in options.videoScoreFactor.map { exp($0 * (score - best)) } ?? 1 }
    }
    var scorer = scorer()
    for (pair, (place, factor)) in zip(pairs, zip(places, factors)) {
      spans.add(
        pair, of: videos.number(of: place), from: videos.firstFrame(of: place), factor: factor, to: &scorer)
    }
    return scorer
  }

  /// Computes the start and end probabilities of each pair, in order.
  func spans(_ encoded: Tensor, _ pairs: [(query: Int, video: Int)], _ tape: Tape) throws -> Spans {
    let backend = tape.backend
    let (similarity, segments) = try videos.products(model.spanQueries(tape, encoded), pairs, tape: tape)
    let logits = model.spanLogits(tape, similarity: similarity, segments)
    for side in [logits.start, logits.end] { backend.run(SegmentSoftmax(side, segments: segments)) }
    return Spans(
      start: backend.values(of: logits.start), end: backend.values(of: logits.end), segments: segments)
  }

  private var weight: VideoWeight? { options.videoScoreFactor.map { VideoWeight($0) } }

  /// - Parameter weight: turns videos' scores into factors; nil for moments of one video.
  private func scorer(_ weight: VideoWeight? = nil) -> MomentScorer {
    MomentScorer(
      minLength: options.minLength, maxLength: options.maxLength, capacity: options.kept, weight: weight,
      findsShortVideos: findsShortVideos)
  }

  private func predictions(_ scorer: MomentScorer) -> [MomentPrediction] {
    scorer.predictions(frameInterval: Float(options.frameInterval))
  }
}
