import Corpus
import Engine
import Formats
import Foundation
import Metrics
import Model

/// How moments and videos are ranked (Docs/Computation.md §5); the reference's keys stand beside each.
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

  /// Ranked moments and videos for every query, before and after non-maximum suppression; the queries are divided among
  /// the ranks.
  /// - Parameter progress: called with the number of queries done; what it throws ends the work.
  /// - Throws: `DataError` naming a query whose video is no candidate.
  public func run(
    among communicator: any Communicator = SoleCommunicator.shared, progress: (Int) throws -> Void = { _ in }
  ) throws -> RetrievalResults {
    let hidden = queries.ids.contains { queries.video(of: $0) == nil }
    let batches = ItemBatches(count: queries.ids.count, size: options.queryBatch)
    let parcels = try communicator.divide(batches.batches) { own in
      var parcel = Parcel()
      for number in own {
        try answer(try queries.ids[batches[number]].map { try queries.query($0) }) { task, predictions in
          parcel.put(task, predictions)
        }
        let done = batches.items(of: own.lowerBound..<number + 1)
        try progress(communicator.stretched(done, own: batches.items(of: own), total: batches.count))
      }
      return parcel
    }
    var found = options.tasks.map { (task: $0, queries: [QueryPredictions]()) }
    for var parcel in parcels {
      while let (task, predictions) = parcel.takePredictions() {
        if let place = found.firstIndex(where: { $0.task == task }) {
          found[place].queries.append(predictions)
        }
      }
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
    let encoded = model.encodeQueries(tape, TextInput(texts, for: model.configuration, on: backend))
    let best = bestVideos(tape, encoded)

    // Every query's own video, where it is known.
    let own = try batch.map { query in
      let place = query.video.flatMap { index.videos.place(of: $0) }
      if place == nil, let name = query.video, options.tasks.contains(.singleVideoMoment) {
        throw queries.notACandidate(name, query: query.id)
      }
      return place
    }
    if options.tasks.contains(.video) {
      for (query, videos) in zip(batch, best) {
        let predictions = videos.prefix(100).map { place, score in
          MomentPrediction(video: index.videos.indices[place], score: weight(score))
        }
        report(.video, QueryPredictions(id: QueryID(query.id), predictions: predictions))
      }
    }
    guard options.tasks.contains(where: \.findsMoments) else { return }

    let wanted = batch.indices.map {
      (query: $0, videos: best[$0].map(\.place) + (own[$0].map { [$0] } ?? []))
    }
    let spans = spanProbabilities(tape, encoded, wanted)
    var stretch = 0
    for (number, query) in batch.enumerated() {
      let id = QueryID(query.id)
      var corpus = scorer()
      for (place, score) in best[number] {
        corpus.add(
          video: index.videos.indices[place], factor: weight(score),
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

  /// Every query's best videos with their scores, the best first. Scores that are not numbers are left out.
  private func bestVideos(_ tape: Tape, _ encoded: Tensor) -> [[(place: Int, score: Float)]] {
    let backend = tape.backend
    let similarity = tape.linear(model.normalized(tape, encoded), index.units)
    let scores = tape.segmentMax(similarity, segments: index.segments)
    let kept = min(max(1, options.videosSearched), index.segments.count)
    let best = backend.makeTensor(rows: encoded.rows, columns: kept)
    let places = backend.makeIndices(count: encoded.rows * kept)
    backend.topK(scores, values: best, places: places)
    let ranked = Array(zip(backend.values(of: places).map { Int($0) }, backend.values(of: best)))
    return (0..<encoded.rows).map { query in
      ranked[query * kept..<(query + 1) * kept].prefix { $0.0 >= 0 }.map { (place: $0.0, score: $0.1) }
    }
  }

  /// Start and end probabilities of each query in each of its videos, in that order.
  private func spanProbabilities(
    _ tape: Tape, _ encoded: Tensor, _ wanted: [(query: Int, videos: [Int])]
  ) -> (start: [[Float]], end: [[Float]]) {
    let backend = tape.backend
    let all = tape.linear(model.spanQueries(tape, encoded), index.frames)
    let stretches = wanted.flatMap { query, videos in
      videos.map { video in
        let (columns, row) = (index.segments[video], query * all.columns)
        return row + columns.lowerBound..<row + columns.upperBound
      }
    }
    let segments = Segments(lengths: stretches.map(\.count), on: backend)
    let similarity = tape.gatherStretches(all, RowRanges(stretches, on: backend), places: segments)
    let logits = model.spanLogits(tape, similarity: similarity, segments)
    for side in [logits.start, logits.end] { backend.segmentSoftmax(side, segments: segments) }
    let (start, end) = (backend.values(of: logits.start), backend.values(of: logits.end))
    return (segments.ranges.map { Array(start[$0]) }, segments.ranges.map { Array(end[$0]) })
  }
}

extension QueryStore {
  fileprivate func notACandidate(_ video: String, query: String) -> DataError {
    DataError(
      "its video \"\(video)\" is not among the split's videos", file: path, place: "query \(query)",
      cure: "Name the split that the queries belong to, or list the video in vid2dur_idx.json")
  }
}

extension Parcel {
  fileprivate mutating func put(_ task: RetrievalTask, _ query: QueryPredictions) {
    put(task.rawValue)
    put(query.id.text)
    put(query.predictions.map { Int32($0.video) })
    put(query.predictions.flatMap { [$0.start, $0.end, $0.score] })
  }

  /// Nil at the end.
  fileprivate mutating func takePredictions() -> (task: RetrievalTask, query: QueryPredictions)? {
    guard !isAtEnd, let task = RetrievalTask(rawValue: takeText()) else { return nil }
    let (id, videos) = (takeText(), take(Int32.self))
    let figures = take(Float.self)
    let predictions = videos.enumerated().map { place, video in
      MomentPrediction(
        video: Int(video), start: figures[3 * place], end: figures[3 * place + 1],
        score: figures[3 * place + 2])
    }
    return (task, QueryPredictions(id: QueryID(id), predictions: predictions))
  }
}
