import Corpus
import Engine
import Formats
import Foundation
import Metrics
import Model

/// How moments and videos are ranked (spec §8); the reference's keys stand beside each.
public struct RetrievalEvaluationOptions: Equatable, Sendable {
  /// `full_eval_tasks`
  public var tasks: [RetrievalTask] = [.videoCorpusMoment, .singleVideoMoment, .video]
  /// `q2c_alpha`; nil ranks videos by the raw score (MSR-VTT).
  public var videoScoreFactor: Float? = 20
  /// `max_vcmr_video`
  public var videosSearched = 100
  /// `min_pred_l`, `max_pred_l`
  public var minLength = 2
  public var maxLength = 16
  /// `max_before_nms`, `max_after_nms`
  public var kept = 200
  public var keptAfterSuppression = 100
  /// `nms_thd`; nil (−1 in the reference) for none.
  public var suppression: Float?
  /// `vfeat_interval`
  public var frameInterval = 1.5
  /// Queries a pass, videos a pass.
  public var queryBatch = 50
  public var videoBatch = 16
  /// `eval_with_query_type`
  public var byQueryType = true

  public init() {}
}

/// Answers the queries of a split.
public struct RetrievalEvaluator {
  private let model: RetrievalModel
  private let queries: QueryStore
  private let index: RetrievalIndex
  private let options: RetrievalEvaluationOptions

  public init(
    model: RetrievalModel, queries: QueryStore, index: RetrievalIndex, options: RetrievalEvaluationOptions
  ) {
    self.model = model
    self.queries = queries
    self.index = index
    self.options = options
  }

  /// Ranked moments and videos for every query, before and after non-maximum suppression.
  /// - Parameter progress: called with the number of queries done; what it throws ends the work.
  /// - Throws: `DataError` naming a query whose video is no candidate.
  public func run(progress: (Int) throws -> Void = { _ in }) throws -> RetrievalResults {
    var found = options.tasks.map { (task: $0, queries: [QueryPredictions]()) }
    let hidden = queries.ids.contains { queries.video(of: $0) == nil }
    for first in stride(from: 0, to: queries.ids.count, by: max(1, options.queryBatch)) {
      let ids = queries.ids[first..<min(queries.ids.count, first + max(1, options.queryBatch))]
      try answer(try ids.map { try queries.query($0) }) { task, predictions in
        if let place = found.firstIndex(where: { $0.task == task }) {
          found[place].queries.append(predictions)
        }
      }
      try progress(first + ids.count)
    }
    // Where videos are hidden nobody can say in which one to look.
    if hidden { found.removeAll { $0.task == .singleVideoMoment } }
    let numbers = Dictionary(uniqueKeysWithValues: zip(index.videos.names, index.videos.indices))
    return RetrievalResults(videoIndex: numbers, tasks: found.filter { !$0.queries.isEmpty })
  }

  private func answer(_ batch: [Query], _ report: (RetrievalTask, QueryPredictions) -> Void) throws {
    let backend = model.store.backend
    let tape = Tape.inference(backend)
    let texts = batch.map { [queries.meta.cls] + $0.tokens }
    for (text, query) in zip(texts, batch) {
      try checkTokens(text, model.configuration, "query \(query.id)")
    }
    let encoded = model.encodeQueries(tape, texts)
    let similarity = tape.linear(model.normalized(tape, encoded), index.units)
    let scores = backend.values(of: tape.segmentMax(similarity, segments: index.segments))
    let videos = index.segments.count

    // Every query's best videos, and its own last where it is known.
    var ranked: [[Int]] = []
    var own: [Int?] = []
    for (number, query) in batch.enumerated() {
      ranked.append(
        topRanked(
          Array(scores[number * videos..<(number + 1) * videos]), count: max(1, options.videosSearched)))
      let place = query.video.flatMap { index.videos.place(of: $0) }
      if place == nil, let name = query.video, options.tasks.contains(.singleVideoMoment) {
        throw queries.notACandidate(name, query: query.id)
      }
      own.append(place)
    }
    if options.tasks.contains(.video) {
      for (number, query) in batch.enumerated() {
        let predictions = ranked[number].prefix(100).map { place in
          MomentPrediction(video: index.videos.indices[place], score: weight(scores[number * videos + place]))
        }
        report(.video, QueryPredictions(id: QueryID(query.id), predictions: predictions))
      }
    }
    guard options.tasks.contains(where: \.findsMoments) else { return }

    let wanted = batch.indices.map { (query: $0, videos: ranked[$0] + (own[$0].map { [$0] } ?? [])) }
    let spans = spanProbabilities(tape, encoded, wanted)
    var stretch = 0
    for (number, query) in batch.enumerated() {
      let id = QueryID(query.id)
      var corpus = scorer()
      for place in ranked[number] {
        corpus.add(
          video: index.videos.indices[place], factor: weight(scores[number * videos + place]),
          start: spans.start[stretch], end: spans.end[stretch])
        stretch += 1
      }
      if options.tasks.contains(.videoCorpusMoment) {
        report(.videoCorpusMoment, QueryPredictions(id: id, predictions: predictions(corpus)))
      }
      guard let place = own[number] else { continue }
      var single = scorer()
      single.add(video: index.videos.indices[place], start: spans.start[stretch], end: spans.end[stretch])
      stretch += 1
      if options.tasks.contains(.singleVideoMoment) {
        report(.singleVideoMoment, QueryPredictions(id: id, predictions: predictions(single)))
      }
    }
  }

  private func weight(_ score: Float) -> Float { options.videoScoreFactor.map { exp($0 * score) } ?? score }

  private func scorer() -> MomentScorer {
    MomentScorer(minLength: options.minLength, maxLength: options.maxLength, capacity: options.kept)
  }

  private func predictions(_ scorer: MomentScorer) -> [MomentPrediction] {
    scorer.predictions(frameInterval: Float(options.frameInterval))
  }

  /// Start and end probabilities of each query in each of its videos, in that order.
  private func spanProbabilities(
    _ tape: Tape, _ encoded: Tensor, _ wanted: [(query: Int, videos: [Int])]
  ) -> (start: [[Float]], end: [[Float]]) {
    let backend = tape.backend
    let all = backend.values(of: tape.linear(model.spanQueries(tape, encoded), index.frames))
    var chosen: [Float] = []
    var lengths: [Int] = []
    for (query, videos) in wanted {
      for place in videos {
        let rows = index.segments[place]
        let start = query * index.segments.rows
        chosen += all[start + rows.lowerBound..<start + rows.upperBound]
        lengths.append(rows.count)
      }
    }
    let segments = Segments(lengths: lengths)
    let logits = model.spanLogits(
      tape, similarity: backend.makeTensor(chosen, rows: 1, columns: chosen.count), segments)
    return (
      softmax(backend.values(of: logits.start), segments), softmax(backend.values(of: logits.end), segments)
    )
  }

  private func softmax(_ logits: [Float], _ segments: Segments) -> [[Float]] {
    segments.ranges.map { range in
      let most = logits[range].max() ?? 0
      let powers = logits[range].map { exp($0 - most) }
      let total = powers.reduce(0, +)
      return powers.map { $0 / total }
    }
  }
}

extension QueryStore {
  fileprivate func notACandidate(_ video: String, query: String) -> DataError {
    DataError(
      "its video \"\(video)\" is not among the split's videos", file: path, place: "query \(query)",
      cure: "Name the split that the queries belong to, or list the video in vid2dur_idx.json")
  }
}
