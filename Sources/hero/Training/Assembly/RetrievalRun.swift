import Corpus
import Engine
import Formats
import Metrics
import Model
import Tasks

/// Fine-tuning and evaluating retrieval: TVR, How2R, DiDeMo, MSR-VTT.
struct RetrievalRun {
  let configuration: RunConfiguration
  let log: RunLog
  private var assembly: RunAssembly { RunAssembly(configuration: configuration) }

  // MARK: Options

  var lossOptions: RetrievalLossOptions {
    var options = RetrievalLossOptions()
    options.ranking.kind = configuration.rankingLoss
    options.ranking.margin = Float(configuration.margin)
    options.ranking.useAllNegatives = configuration.usesAllNegatives
    options.contextWeight = Float(configuration.negativeVideoWeight)
    options.queryWeight = Float(configuration.negativeQueryWeight)
    let hasSpans = configuration.family != .videoRetrieval
    options.spanWeight = hasSpans ? Float(configuration.spanWeight) : 0
    options.spanDropProbability = hasSpans ? Float(configuration.spanDropProbability) : 0
    return options
  }

  var curriculum: RetrievalCurriculum {
    var curriculum = RetrievalCurriculum()
    if configuration.family != .videoRetrieval { curriculum.spanStart = configuration.spanStart }
    let (pools, weights) = (configuration.hardPoolSizes, configuration.hardNegativeWeights)
    curriculum.hardNegatives = configuration.hardNegativeStarts.enumerated().compactMap { stage, start in
      // A stage without a pool or weight of its own has the last that is given.
      guard let pool = pools.dropFirst(min(stage, pools.count - 1)).first,
        let weight = weights.dropFirst(min(stage, weights.count - 1)).first
      else { return nil }
      return (start, pool, Float(weight))
    }
    return curriculum
  }

  var evaluationOptions: RetrievalEvaluationOptions {
    var options = RetrievalEvaluationOptions()
    options.frameInterval = configuration.frameInterval
    guard configuration.family == .momentRetrieval else {
      options.tasks = [.video]
      options.videoScoreFactor = nil
      options.videosSearched = configuration.maxVideosPerQuery
      options.queryBatch = configuration.retrievalQueryBatchSize
      options.videoBatch = configuration.retrievalVideoBatchSize
      return options
    }
    options.tasks = RetrievalTask.allCases.filter(configuration.rankings.contains)
    options.videoScoreFactor = Float(configuration.spanScoreSharpness)
    options.videosSearched = configuration.maxVideosPerMomentQuery
    options.minLength = configuration.minSpanLength
    options.maxLength = configuration.maxSpanLength
    options.kept = configuration.maxBeforeSuppression
    options.keptAfterSuppression = configuration.maxAfterSuppression
    options.suppression =
      configuration.suppressionThreshold == -1 ? nil : Float(configuration.suppressionThreshold)
    options.queryBatch = configuration.evaluationQueryBatchSize
    options.videoBatch = configuration.evaluationVideoBatchSize
    options.byQueryType = configuration.reportsQueryTypes
    return options
  }

  // MARK: Training

  func finetune(folder: RunFolder, resume: Bool, backend: any Backend) throws {
    let queries = try QueryStore(
      path: try assembly.required(configuration.trainQueries, "train_query_txt_db"))
    let validation = try configuration.valQueries.map { try QueryStore(path: $0) }
    let test = try configuration.testQueries.map { try QueryStore(path: $0) }
    let opened = try OpenedRun(configuration, cls: queries.meta.cls, log: log)
    let (reader, shape) = (opened.reader, opened.model.shape)
    let model = RetrievalModel(opened.model.training, backend: backend)
    let loader = try self.loader(queries, reader, shape, maxTextLength: configuration.maxTextLength)
    let validationLoader = try validation.map { try self.loader($0, reader, shape, maxTextLength: -1) }
    try opened.model.begin(model.store, folder: folder, resume: resume)

    let learning = RetrievalLearning(
      name: configuration.task.rawValue, model: model, loader: loader, options: lossOptions,
      curriculum: curriculum)
    let trainer = Trainer(task: learning, configuration: configuration, folder: folder, log: log) { step in
      var result = Validation(scalars: [])
      if let validation, let validationLoader {
        let losses = try ProgressReporter.follow(
          "Validation losses", total: validationLoader.itemCount, unit: "queries"
        ) { progress in
          try learning.validationLosses(
            validationLoader, batchSize: configuration.valBatchSize, progress: progress)
        }
        result.scalars += losses.map {
          ("valid_\(learning.name)/\(learning.name)_loss_\($0.name)", Double($0.value))
        }
        let answer = try evaluate(
          model, validation, reader, split: "val", folder.results + "/val_results_\(step).json")
        if let metrics = answer.metrics {
          result.scalars += metrics.scalars
          result.table = metrics.retrievalTable(title: "val, update \(step)")
          result.headline = metrics.headline
        }
      }
      if let test {
        let answer = try evaluate(
          model, test, reader, split: "test", folder.results + "/test_results_\(step).json")
        result.scalars += answer.metrics?.scalars ?? []
      }
      return result
    }
    try trainer.run(resume: resume)
  }

  private func loader(
    _ queries: QueryStore, _ reader: VideoReader, _ model: ModelConfiguration, maxTextLength: Int
  ) throws -> RetrievalLoader {
    try RetrievalLoader(
      queries: queries, videos: reader, maxTextLength: maxTextLength,
      frameInterval: configuration.frameInterval,
      hasSpans: configuration.family == .momentRetrieval, model: model,
      onSkip: { [skipped = SkippedItems(log: log)] in skipped($0) })
  }

  // MARK: Evaluation

  /// Answers a split's queries, writes the result file and measures where the truth is known.
  private func evaluate(
    _ model: RetrievalModel, _ queries: QueryStore, _ reader: VideoReader, split: String, _ path: String
  ) throws -> RetrievalAnswer {
    let options = evaluationOptions
    let videos = try CandidateVideos(
      split: split, queries: queries, subtitles: reader.subtitles, features: reader.features)
    let index = try ProgressReporter.follow("Encoding", total: videos.count, unit: "videos") { progress in
      try RetrievalIndex(
        videos, reader: reader, model: model, batchSize: options.videoBatch, progress: progress)
    }
    let evaluator = RetrievalEvaluator(model: model, queries: queries, index: index, options: options)
    let results = try ProgressReporter.follow(
      "Searching", total: queries.ids.count, unit: "queries"
    ) { progress in try evaluator.run(progress: progress) }
    let answer = try RetrievalAnswer(results: results, options: options, queries: queries, split: split)
    try answer.final.write(path: path)
    return answer
  }

  /// Evaluates a checkpoint of a run.
  func evaluate(
    folder: RunFolder, checkpoint name: String, split: String, queries path: String, backend: any Backend
  ) throws -> (answer: RetrievalAnswer, path: String) {
    let (file, label) = try folder.checkpoint(named: name)
    let queries = try QueryStore(path: path)
    let opened = try OpenedRun(
      configuration, cls: queries.meta.cls, folder: folder, checkpoint: file, log: log)
    let model = RetrievalModel(opened.model.shape, backend: backend)
    try opened.model.load(model.store)
    let output = folder.evaluationResults(split: split)
    try OutputPlace.make(folder: output)
    let result = "\(output)/results_\(label)_all.json"
    return (try evaluate(model, queries, opened.reader, split: split, result), result)
  }
}
