import Corpus
import Engine
import Formats
import Metrics
import Model

/// Options of ranking moments and videos (Docs/Computation.md §5), with the reference's keys.
public struct RetrievalEvaluationOptions: Equatable, Sendable {
  /// The rankings to make: `full_eval_tasks`.
  public var rankings: [Ranking] = [.videoCorpusMoment, .singleVideoMoment, .video]
  /// The factor α of videos' scores (`q2c_alpha`); nil ranks videos by the raw score (MSR-VTT).
  public var videoScoreFactor: Float? = 20
  /// The number of videos searched for moments: `max_vcmr_video`.
  public var videosSearched = 100
  /// The smallest end − start, in frames: `min_pred_l`.
  public var minLength = 2
  /// One more than the largest end − start, in frames: `max_pred_l`.
  public var maxLength = 16
  /// The number of moments kept per query before suppression: `max_before_nms`.
  public var kept = 200
  /// The number of moments in a final list, with or without suppression: `max_after_nms`.
  public var keptAfterSuppression = 100
  /// The overlap that suppression allows (`nms_thd`); nil for none, −1 in the reference.
  public var suppression: Float?
  /// Seconds per frame: `vfeat_interval`.
  public var frameInterval = 1.5
  /// The number of queries encoded in one pass.
  public var queryBatch = 50
  /// The number of videos encoded in one pass; it costs memory and changes no result.
  public var videoBatch = 16
  /// Whether results are also given by type of query: `eval_with_query_type`.
  public var byQueryType = true
  /// Whether every frame of a query's own video gets a score.
  public var ratesFrames = false

  /// Makes the defaults above; a run's options override each.
  public init() {}

  /// Returns the number of queries ranked together, whatever the number of processes.
  ///
  /// It is twenty passes, because a product with few queries spends half its time reading the
  /// frames. It is fewer where that would leave fewer than sixteen pieces of work to divide.
  public func queriesTogether(of queries: Int) -> Int {
    max(1, queryBatch) * max(1, min(20, queries / (16 * max(1, queryBatch))))
  }
}

/// Evaluation of the queries of a split.
public struct RetrievalEvaluator {
  /// One of the models that rank together, and the videos as it encodes them.
  public typealias Member = (model: RetrievalModel, index: RetrievalIndex)

  private let members: [Member]
  private let queries: QueryStore
  private let options: RetrievalEvaluationOptions
  private let skips: SkipReport
  private var index: RetrievalIndex { members[0].index }

  /// - Parameters:
  ///   - members: the models that rank together, at least one.
  ///   - skips: reports every query that cannot be asked.
  /// - Throws: `DataError` if the members differ in their videos or in the videos' frames.
  public init(
    _ members: [Member], queries: QueryStore, options: RetrievalEvaluationOptions,
    skips: SkipReport = SkipReport()
  ) throws {
    precondition(!members.isEmpty)
    (self.members, self.queries, self.options, self.skips) = (members, queries, options, skips)
    for other in members.dropFirst() {
      let (mine, theirs) = (index.videos, other.index.videos)
      guard mine.names.map({ Name($0) }) == theirs.names.map({ Name($0) }) else {
        throw DataError(
          "the runs read \(mine.names.count) and \(theirs.names.count) videos of the split, which are not the same",
          cure: "Give the runs stores that hold the same videos")
      }
      for (place, name) in mine.names.enumerated()
      where index.segments[place].count != other.index.segments[place].count {
        throw DataError(
          "has \(index.segments[place].count) frames for one run and \(other.index.segments[place].count) for another",
          place: "video \"\(name)\"", cure: "Give the runs features of one frame rate, and one max_clip_len")
      }
    }
  }

  /// Ranks moments and videos for every query, before non-maximum suppression.
  ///
  /// The ranks share the queries. A query is skipped if its row cannot be read, if it has more
  /// tokens than the model reads, or if its video is no usable candidate.
  /// `RetrievalResults.leftOut` names it on all ranks.
  /// - Parameter progress: takes the number of queries done; what it throws ends the work.
  /// - Throws: `DataError` if more than half of the queries cannot be asked.
  public func run(
    among communicator: any Communicator = SoleCommunicator.shared, progress: (Int) throws -> Void = { _ in }
  ) throws -> RetrievalResults {
    let batches = ItemBatches(
      count: queries.ids.count, size: options.queriesTogether(of: queries.ids.count))
    let askable = AskableQueries(
      queries: queries, candidates: index.listed, usable: index.videos,
      models: members.map(\.model.configuration), skips: skips)
    let answers = try communicator.divide(batches, progress: progress) { [queries] items in
      try queries.ids[items].map { (id: $0, query: try askable.query($0)) }
    } work: { batch in
      try batch.filter { $0.query == nil }.map { Answer.leftOut($0.id) } + answer(batch.compactMap(\.query))
    }
    var leftOut: [QueryID] = []
    var found = options.rankings.map { (ranking: $0, queries: [QueryPredictions]()) }
    for answer in answers.joined() {
      switch answer {
      case .leftOut(let id): leftOut.append(QueryID(id))
      case .found(let ranking, let predictions):
        if let place = found.firstIndex(where: { $0.ranking == ranking }) {
          found[place].queries.append(predictions)
        }
      }
    }
    let all = queries.ids.count
    try requireMost(all - leftOut.count, of: all, "queries", file: queries.path)
    let numbers = Dictionary(
      uniqueKeysWithValues: zip(index.listed.names.lazy.map { Name($0) }, index.listed.indices))
    return RetrievalResults(
      videoIndex: numbers, rankings: found.filter { !$0.queries.isEmpty }, leftOut: leftOut)
  }

  private func answer(_ batch: [Query]) throws -> [Answer] {
    guard !batch.isEmpty else { return [] }
    let texts = batch.map { [queries.meta.cls] + $0.tokens }
    // Only the query's own video can be searched for a moment of a single video.
    let own = batch.map { query in query.video.flatMap { index.videos.place(of: $0) } }
    let encoded = members.map { encode(texts, $0.model) }
    let search = EnsembleSearch(
      members.map { MomentSearch(model: $0.model, videos: $0.index, options: options) })
    let answers = try search.rank(
      encoded, own: own, findsMoments: options.rankings.contains(where: \.findsMoments))
    var found: [Answer] = []
    for (place, (query, answer)) in zip(batch, answers).enumerated() {
      let frameScores =
        options.ratesFrames ? own[place].map { self.frameScores(encoded, of: place, in: $0) } ?? [] : []
      for ranking in options.rankings {
        let predictions =
          switch ranking {
          case .videoCorpusMoment: answer.moments
          case .singleVideoMoment: answer.ownMoments
          case .video: answer.videos
          }
        guard let predictions else { continue }
        found.append(
          .found(
            ranking,
            QueryPredictions(id: QueryID(query.id), predictions: predictions, frameScores: frameScores))
        )
      }
    }
    return found
  }

  /// Computes the cosine of a query with every frame of a video, averaged over the members.
  /// - Parameter encoded: the queries of each member.
  private func frameScores(_ encoded: [Tensor], of query: Int, in video: Int) -> [Float] {
    let scores = zip(members, encoded).map { member, encoded in
      member.index.frameScores(encoded.rowsView(query..<query + 1), in: video, model: member.model)
    }
    guard scores.count > 1 else { return scores[0] }
    return scores[0].indices.map { frame in scores.reduce(0) { $0 + $1[frame] } / Float(scores.count) }
  }

  /// Encodes texts pass by pass into [queries, width].
  private func encode(_ texts: [[Int32]], _ model: RetrievalModel) -> Tensor {
    let backend = model.store.backend
    let tape = Tape.inference(backend)
    let passes = ItemBatches(count: texts.count, size: options.queryBatch)
    let all = backend.makeTensor(rows: texts.count, columns: model.configuration.cross.hiddenSize)
    for pass in 0..<passes.batches {
      let text = TextInput(Array(texts[passes[pass]]), for: model.configuration, on: backend)
      backend.run(Copy(model.encodeQueries(tape, text), to: all.rowsView(passes[pass])))
    }
    return all
  }
}

/// The outcome of a query: skipped, or the predictions of a ranking.
private enum Answer: Parcelled {
  case leftOut(String)
  case found(Ranking, QueryPredictions)

  /// Writes an empty name for a skipped query; a ranking's name is never empty.
  func put(into parcel: inout Parcel) {
    switch self {
    case .leftOut(let id):
      parcel.put("")
      parcel.put(id)
    case .found(let ranking, let query):
      parcel.put(ranking.rawValue)
      parcel.put(query.id.text)
      parcel.put(query.predictions.map { Int32($0.video) })
      parcel.put(query.predictions.flatMap { [$0.start, $0.end, $0.score] })
      parcel.put(query.frameScores)
    }
  }

  init(from parcel: inout Parcel) {
    guard let ranking = Ranking(rawValue: parcel.takeText()) else {
      self = .leftOut(parcel.takeText())
      return
    }
    let (id, videos, figures) = (parcel.takeText(), parcel.take(Int32.self), parcel.take(Float.self))
    let predictions = videos.enumerated().map { place, video in
      MomentPrediction(
        video: Int(video), start: figures[3 * place], end: figures[3 * place + 1],
        score: figures[3 * place + 2])
    }
    self = .found(
      ranking, QueryPredictions(id: QueryID(id), predictions: predictions, frameScores: parcel.take()))
  }
}
