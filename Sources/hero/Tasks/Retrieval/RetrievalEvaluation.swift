import Corpus
import Engine
import Formats
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

  /// Queries that are ranked together, whatever the number of processes: twenty passes, because a product with few queries
  /// spends half its time on reading the frames; fewer where that would leave less than sixteen pieces of work to divide.
  public func queriesTogether(of queries: Int) -> Int {
    max(1, queryBatch) * max(1, min(20, queries / (16 * max(1, queryBatch))))
  }
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
    let batches = ItemBatches(
      count: queries.ids.count, size: options.queriesTogether(of: queries.ids.count))
    let parcels = try communicator.divide(batches, progress: progress) { [queries] items in
      try queries.ids[items].map { try queries.query($0) }
    } work: { batch, parcel in
      try answer(batch) { task, predictions in parcel.put(task, predictions) }
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
    let numbers = Dictionary(
      uniqueKeysWithValues: zip(index.videos.names.lazy.map { Name($0) }, index.videos.indices))
    return RetrievalResults(videoIndex: numbers, tasks: found.filter { !$0.queries.isEmpty })
  }

  private func answer(_ batch: [Query], _ report: (RetrievalTask, QueryPredictions) -> Void) throws {
    let texts = batch.map { [queries.meta.cls] + $0.tokens }
    for (text, query) in zip(texts, batch) {
      try checkQuery(text, model.configuration, "query \(query.id)")
    }
    // Every query's own video, where it is known.
    let own = try batch.map { query in
      let place = query.video.flatMap { index.videos.place(of: $0) }
      if place == nil, let name = query.video, options.tasks.contains(.singleVideoMoment) {
        throw queries.notACandidate(name, query: query.id)
      }
      return place
    }
    let answers = try MomentSearch(model: model, videos: index, options: options).rank(
      encode(texts), own: own, findsMoments: options.tasks.contains(where: \.findsMoments))
    for (query, answer) in zip(batch, answers) {
      for task in options.tasks {
        let predictions =
          switch task {
          case .videoCorpusMoment: answer.moments
          case .singleVideoMoment: answer.ownMoments
          case .video: answer.videos
          }
        guard let predictions else { continue }
        report(task, QueryPredictions(id: QueryID(query.id), predictions: predictions))
      }
    }
  }

  /// [queries, width], some queries a pass.
  private func encode(_ texts: [[Int32]]) -> Tensor {
    let backend = model.store.backend
    let tape = Tape.inference(backend)
    let passes = ItemBatches(count: texts.count, size: options.queryBatch)
    let all = backend.makeTensor(rows: texts.count, columns: model.configuration.cross.hiddenSize)
    for pass in 0..<passes.batches {
      let text = TextInput(Array(texts[passes[pass]]), for: model.configuration, on: backend)
      backend.copy(model.encodeQueries(tape, text), to: all.rowsView(passes[pass]))
    }
    return all
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
    var figures: [Float] = []
    figures.reserveCapacity(3 * query.predictions.count)
    for prediction in query.predictions {
      figures.append(prediction.start)
      figures.append(prediction.end)
      figures.append(prediction.score)
    }
    put(figures)
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
