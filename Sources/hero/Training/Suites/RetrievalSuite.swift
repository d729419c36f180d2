import Corpus
import Engine
import Formats
import Metrics
import Model
import Tasks

/// Finding moments and videos: TVR, How2R, DiDeMo, MSR-VTT, VALUE's retrieval.
struct RetrievalSuite: EvaluableSuite {
  let run: RunContext
  private let settings: RetrievalSettings

  static func check(_ configuration: RunConfiguration) throws { try RetrievalSettings.check(configuration) }
  static var modelParts: Set<ModelKeys.Part> { [.cross, .temporal, .query] }

  init(run: RunContext) throws {
    self.run = run
    settings = RetrievalSettings(run.configuration)
  }

  func learning(_ model: RetrievalModel, _ videos: VideoReader) throws -> Learning {
    let queries = try QueryStore(path: try configuration.required(\.trainQueries))
    let source = RetrievalSource(
      name: configuration.task.rawValue, model: model,
      loader: try loader(model, queries, videos, maxTextLength: configuration.maxTextLength),
      options: settings.loss, curriculum: settings.curriculum)
    let validated = try validated(model, videos)
    return Learning(mixture: Mixture(source)) { try validate(source, validated, step: $0, results: $1) }
  }

  private func loader(
    _ model: RetrievalModel, _ queries: QueryStore, _ videos: VideoReader, maxTextLength: Int
  ) throws -> RetrievalLoader {
    try RetrievalLoader(
      queries: queries, videos: videos, maxTextLength: maxTextLength,
      frameInterval: configuration.frameInterval, hasSpans: settings.hasSpans, model: model.configuration,
      skips: SkipReport(log: log))
  }

  // MARK: Validation

  private struct Validated {
    /// The queries to validate on, with the loader of their losses.
    var validation: (queries: KnownQueries, candidates: String, loader: RetrievalLoader)?
    var test: (queries: KnownQueries, candidates: String)?
    var videos: VideoReader
  }

  private func validated(_ model: RetrievalModel, _ videos: VideoReader) throws -> Validated {
    var validated = Validated(videos: videos)
    if let path = configuration.valQueries {
      let queries = try KnownQueries(path: path, skips: SkipReport(log: log))
      let split = try splitName("val", of: queries.store, videos, option: \.valSplit)
      _ = try candidates(split, queries, videos)
      validated.validation = (
        queries, split, try loader(model, queries.store, videos, maxTextLength: -1)
      )
    }
    if let path = configuration.testQueries {
      let queries = try KnownQueries(path: path, skips: SkipReport(log: log))
      let split = try splitName("test", of: queries.store, videos, option: \.testSplit)
      _ = try candidates(split, queries, videos)
      validated.test = (queries, split)
    }
    return validated
  }

  /// The videos among which queries search.
  /// - Throws: `DataError` where most of the queries are about others.
  private func candidates(
    _ split: String, _ queries: KnownQueries, _ videos: VideoReader
  ) throws -> CandidateVideos {
    let candidates = try CandidateVideos(
      split: split, queries: queries.store, subtitles: videos.subtitles, features: videos.features)
    try AskableQueries.require(queries.store, in: candidates)
    return candidates
  }

  /// The split of `vid2dur_idx.json` with the candidates of a query store: the one that an option names, else the one
  /// that holds the store's videos, which is told where its name is not the usual one.
  private func splitName(
    _ usual: String, of queries: QueryStore, _ videos: VideoReader,
    option: KeyPath<RunOptions, RunOption<String?>>
  ) throws -> String {
    let name = RunOptions.shared[keyPath: option].name
    let choice = try SplitChoice(
      usual: usual, named: configuration[dynamicMember: option], option: name, queries: queries,
      subtitles: videos.subtitles)
    if choice.name != usual {
      log.info("\(queries.path): its videos are searched among those of the split \"\(choice.name)\"")
    }
    return choice.name
  }

  private func validate(
    _ source: RetrievalSource, _ validated: Validated, step: Int, results: String
  ) throws -> Validation {
    var result = Validation()
    if let (queries, candidates, loader) = validated.validation {
      let losses = try ProgressReporter.follow(
        "Validation losses", total: loader.itemCount, unit: "queries"
      ) { progress in
        try source.validationLosses(
          loader, batchSize: configuration.valBatchSize, among: communicator, progress: progress)
      }
      result.scalars += losses.map {
        ("valid_\(source.name)/\(source.name)_loss_\($0.name)", Double($0.value))
      }
      let report = try evaluate(
        [(source.model, validated.videos)], queries, split: "val", candidates: candidates,
        title: "val, update \(step)")
      try report.write("\(results)/val_results_\(step).json", communicator)
      result.scalars += report.scalars
      result.tables += [report.table].compactMap { $0 }
      result.headline = report.headline
      result.figure = report.figure
    }
    if let (queries, candidates) = validated.test {
      let report = try evaluate(
        [(source.model, validated.videos)], queries, split: "test", candidates: candidates,
        title: "test, update \(step)")
      try report.write("\(results)/test_results_\(step).json", communicator)
      result.scalars += report.scalars
      result.tables += [report.table].compactMap { $0 }
    }
    return result
  }

  // MARK: Evaluation

  func evaluate(
    _ members: [(model: RetrievalModel, videos: VideoReader)], store: String, split: String
  ) throws -> SplitReport {
    try evaluate(
      members, try KnownQueries(path: store, skips: SkipReport(log: log)), split: split,
      candidates: split,
      title: "\(configuration.task.rawValue), \(split)")
  }

  private func evaluate(
    _ members: [(model: RetrievalModel, videos: VideoReader)], _ queries: KnownQueries, split: String,
    candidates name: String, title: String
  ) throws -> SplitReport {
    let options = settings.evaluation
    // Where some read subtitles, their store numbers the videos, as in VALUE's two-stream evaluation.
    let numbering = members.first { $0.videos.subtitles != nil } ?? members[0]
    let candidates = try candidates(name, queries, numbering.videos)
    let encoded = try members.map { model, videos in
      let index = try ProgressReporter.follow("Encoding", total: candidates.count, unit: "videos") {
        progress in
        try RetrievalIndex(
          candidates, reader: videos, model: model, batchSize: options.videoBatch, skips: queries.skips,
          among: communicator, progress: progress)
      }
      return (model: model, index: index)
    }
    let index = encoded[0].index
    let evaluator = try RetrievalEvaluator(
      encoded, queries: queries.store, options: options, skips: queries.skips)
    let results = try ProgressReporter.follow("Searching", total: queries.store.ids.count, unit: "queries") {
      progress in try evaluator.run(among: communicator, progress: progress)
    }
    let report = try RetrievalReport(results, options: options, queries: queries)
    tell(split, candidates: candidates.count - index.videos.count, of: candidates.count, queries, report)
    return report.report(split: split, title: title)
  }

  /// Says what figures do not count, and what is not done for a hidden split.
  private func tell(
    _ split: String, candidates: Int, of all: Int, _ queries: KnownQueries, _ report: RetrievalReport
  ) {
    if candidates > 0 {
      log.warning("\(split): \(candidates) of \(all) candidate videos are left out, and so are their queries")
    }
    let asked = queries.store.ids.count
    if report.counted > 0, report.counted < asked {
      log.warning("\(split): the figures count \(report.counted) of \(asked) queries")
    } else if !report.final.leftOut.isEmpty {
      log.warning("\(split): \(report.final.leftOut.count) of \(asked) queries are left out")
    }
    if let alpha = settings.evaluation.videoScoreFactor, VideoWeight(alpha).isLogarithmic {
      log.info(
        "\(split): q2c_alpha is \(alpha), above \(VideoWeight.largestExponent), so scores of VCMR and VR are logarithms"
      )
    }
    if report.counted == 0, settings.evaluation.suppression != nil {
      log.info(
        "\(split): its truth is hidden, so the best \(settings.evaluation.keptAfterSuppression) moments are kept "
          + "without suppression")
    }
  }
}
