import Engine
import Foundation
import Metrics
import Model

/// Encoded videos among which is searched: in a device's memory (`RetrievalIndex`), or in a file.
public protocol SearchableVideos {
  /// How many there are.
  var count: Int { get }
  /// The number that results give a video.
  func number(of place: Int) -> Int
  /// Every query's `kept` best videos by the cosine of their best frame, the best first. Scores that are not numbers are
  /// left out.
  /// - Parameter queries: [m, width], as encoded.
  func best(
    _ queries: Tensor, kept: Int, model: RetrievalModel, tape: Tape
  ) throws -> [[(place: Int, score: Float)]]
  /// Products of span queries with all frames of videos.
  /// - Parameters:
  ///   - queries: [m, width], from `RetrievalModel.spanQueries`.
  ///   - pairs: which query and which video.
  /// - Returns: [1, Σ frames], the pairs end to end, and the frames of each.
  func products(
    _ queries: Tensor, _ pairs: [(query: Int, video: Int)], tape: Tape
  ) throws -> (Tensor, Segments)
}

/// From queries to ranked videos and moments (Docs/Computation.md §5): what evaluation and search share.
public struct MomentSearch<Videos: SearchableVideos> {
  public let model: RetrievalModel
  public let videos: Videos
  public let options: RetrievalEvaluationOptions

  public init(model: RetrievalModel, videos: Videos, options: RetrievalEvaluationOptions) {
    self.model = model
    self.videos = videos
    self.options = options
  }

  /// What was found for one query.
  public struct Answer: Sendable {
    /// Videos as wholes.
    public var videos: [MomentPrediction] = []
    /// Moments of all videos; before suppression.
    public var moments: [MomentPrediction] = []
    /// Moments of the query's own video, where that is known; before suppression.
    public var ownMoments: [MomentPrediction]?
  }

  /// Where in videos queries' moments may begin and end: probabilities of pairs of both, end to end.
  private struct Spans {
    let start: [Float]
    let end: [Float]
    let segments: Segments

    /// - Parameter factor: 1, or the video's score where the scorer weighs videos.
    func add(_ pair: Int, of video: Int, factor: Float, to scorer: inout MomentScorer) {
      start.withUnsafeBufferPointer { start in
        end.withUnsafeBufferPointer { end in
          scorer.add(
            video: video, factor: factor, start: UnsafeBufferPointer(rebasing: start[segments[pair]]),
            end: UnsafeBufferPointer(rebasing: end[segments[pair]]))
        }
      }
    }
  }

  /// - Parameters:
  ///   - texts: token ids of each query, the leading special token included.
  ///   - own: the place of each query's own video, where it is known.
  ///   - findsMoments: false leaves moments out.
  public func answer(_ texts: [[Int32]], own: [Int?], findsMoments: Bool = true) throws -> [Answer] {
    let tape = Tape.inference(model.store.backend)
    let encoded = model.encodeQueries(tape, TextInput(texts, for: model.configuration, on: tape.backend))
    return try rank(encoded, own: own, findsMoments: findsMoments)
  }

  /// The same for queries that were encoded before.
  /// - Parameter encoded: [m, width]
  public func rank(_ encoded: Tensor, own: [Int?], findsMoments: Bool = true) throws -> [Answer] {
    let tape = Tape.inference(model.store.backend)
    let kept = min(max(1, options.videosSearched), videos.count)
    let best = try videos.best(encoded, kept: kept, model: model, tape: tape)
    var answers = best.map { ranked in
      Answer(
        videos: ranked.prefix(100).map { place, score in
          MomentPrediction(video: videos.number(of: place), score: weight?.written(score) ?? score)
        })
    }
    guard findsMoments else { return answers }
    let pairs = own.indices.flatMap { query in
      (best[query].map(\.place) + (own[query].map { [$0] } ?? [])).map { (query: query, video: $0) }
    }
    let spans = try spans(encoded, pairs, tape)
    var pair = 0
    for query in own.indices {
      var corpus = scorer(weight)
      for (place, score) in best[query] {
        spans.add(pair, of: videos.number(of: place), factor: score, to: &corpus)
        pair += 1
      }
      answers[query].moments = predictions(corpus)
      guard let place = own[query] else { continue }
      var single = scorer()
      spans.add(pair, of: videos.number(of: place), factor: 1, to: &single)
      pair += 1
      answers[query].ownMoments = predictions(single)
    }
    return answers
  }

  /// The moments of one video for one query, the best first; before suppression.
  /// - Parameter encoded: [1, width], the query.
  public func moments(_ encoded: Tensor, in video: Int, _ tape: Tape) throws -> [MomentPrediction] {
    var scorer = scorer()
    try spans(encoded, [(0, video)], tape).add(0, of: videos.number(of: video), factor: 1, to: &scorer)
    return predictions(scorer)
  }

  /// Start and end probabilities of each query in each of its videos, in that order.
  private func spans(_ encoded: Tensor, _ pairs: [(query: Int, video: Int)], _ tape: Tape) throws -> Spans {
    let backend = tape.backend
    let (similarity, segments) = try videos.products(model.spanQueries(tape, encoded), pairs, tape: tape)
    let logits = model.spanLogits(tape, similarity: similarity, segments)
    for side in [logits.start, logits.end] { backend.segmentSoftmax(side, segments: segments) }
    return Spans(
      start: backend.values(of: logits.start), end: backend.values(of: logits.end), segments: segments)
  }

  private var weight: VideoWeight? { options.videoScoreFactor.map { VideoWeight($0) } }

  /// - Parameter weight: makes factors of videos' scores; nil for moments of one video.
  private func scorer(_ weight: VideoWeight? = nil) -> MomentScorer {
    MomentScorer(
      minLength: options.minLength, maxLength: options.maxLength, capacity: options.kept, weight: weight)
  }

  private func predictions(_ scorer: MomentScorer) -> [MomentPrediction] {
    scorer.predictions(frameInterval: Float(options.frameInterval))
  }
}
