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
    try queries.require(windows: findsWindows)
    let source = RetrievalSource(
      name: configuration.task.rawValue, model: model,
      loader: try loader(
        model, queries, videos, maxTextLength: configuration.maxTextLength,
        queriesPerVideo: configuration.queriesPerVideo),
      options: settings.loss, curriculum: settings.curriculum)
    let validated = try validated(model, videos)
    return Learning(mixture: Mixture(source)) { try validate(source, validated, step: $0, results: $1) }
  }

  private func loader(
    _ model: RetrievalModel, _ queries: QueryStore, _ videos: VideoReader, maxTextLength: Int,
    queriesPerVideo: Int = 1
  ) throws -> RetrievalLoader {
    try RetrievalLoader(
      queries: queries, videos: videos, maxTextLength: maxTextLength, queriesPerVideo: queriesPerVideo,
      frameInterval: configuration.frameInterval, hasSpans: settings.hasSpans, model: model.configuration,
      skips: SkipReport(log: log))
  }

  private var findsWindows: Bool { configuration.task.findsWindows }
  private var resultEnding: String { configuration.task.resultEnding }

  private func known(_ path: String) throws -> KnownQueries {
    try KnownQueries(path: path, findsWindows: findsWindows, skips: SkipReport(log: log))
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
      let queries = try known(path)
      let split = try splitName("val", of: queries.store, videos, option: \.valSplit)
      try require(queries, in: split, for: model, videos)
      validated.validation = (
        queries, split, try loader(model, queries.store, videos, maxTextLength: -1)
      )
    }
    if let path = configuration.testQueries {
      let queries = try known(path)
      let split = try splitName("test", of: queries.store, videos, option: \.testSplit)
      try require(queries, in: split, for: model, videos)
      validated.test = (queries, split)
    }
    return validated
  }

  /// Looks whether a validation can measure what it is asked to.
  private func require(
    _ queries: KnownQueries, in split: String, for model: RetrievalModel, _ videos: VideoReader
  ) throws {
    try AskableQueries.require(
      queries.store, in: try candidates(split, queries, videos), reader: videos, for: model.configuration)
  }

  /// The videos among which queries search.
  private func candidates(
    _ split: String, _ queries: KnownQueries, _ videos: VideoReader
  ) throws -> CandidateVideos {
    let candidates = try CandidateVideos(
      split: split, queries: queries.store, subtitles: videos.subtitles, features: videos.features,
      list: run.vid2durIdx)
    try AskableQueries.require(queries.store, in: candidates)
    return candidates
  }

  /// The split of `vid2dur_idx.json` with the candidates of a query store: the one that an option
  /// names, else the one that holds the store's videos, which is told where its name is not the
  /// usual one.
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
      try report.write("\(results)/val_results_\(step).\(resultEnding)", communicator)
      result.scalars += tags(report, "val")
      result.tables += [report.table].compactMap { $0 }
      result.headline = report.headline
      result.figure = report.figure
    }
    if let (queries, candidates) = validated.test {
      let report = try evaluate(
        [(source.model, validated.videos)], queries, split: "test", candidates: candidates,
        title: "test, update \(step)")
      try report.write("\(results)/test_results_\(step).\(resultEnding)", communicator)
      result.scalars += tags(report, "test")
      result.tables += [report.table].compactMap { $0 }
    }
    return result
  }

  /// The figures' names in a run, where splits stand side by side. Those of retrieval have the
  /// split in them.
  private func tags(_ report: SplitReport, _ split: String) -> [(name: String, value: Double)] {
    findsWindows ? report.scalars.map { ("valid_\(split)/\($0.name)", $0.value) } : report.scalars
  }

  // MARK: Evaluation

  func evaluate(
    _ members: [(model: RetrievalModel, videos: VideoReader)], store: String, split: String
  ) throws -> SplitReport {
    try evaluate(
      members, try known(store), split: split,
      candidates: split,
      title: "\(configuration.task.rawValue), \(split)")
  }

  private func evaluate(
    _ members: [(model: RetrievalModel, videos: VideoReader)], _ queries: KnownQueries, split: String,
    candidates name: String, title: String
  ) throws -> SplitReport {
    let options = settings.evaluation
    // Where some read subtitles, their store numbers the videos, as in VALUE's two-stream
    // evaluation.
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
    if candidates.count > index.videos.count {
      log.warning(
        "\(split): \(candidates.count - index.videos.count) of \(candidates.count) candidate videos are left out, "
          + "and so are their queries")
    }
    if let headline = configuration.task.windowHeadline {
      let report = try WindowReport(results, options: options, queries: queries)
      tell(split, counted: report.counted, leftOut: results.leftOut.count, queries)
      if report.tooLong.windows > 0 {
        log.warning(
          "\(split): \(report.tooLong.windows) of \(report.tooLong.of) true windows are longer than max_pred_l "
            + "(\(options.maxLength)) frames allow")
      }
      return report.report(headline: headline, title: title)
    }
    let report = try RetrievalReport(results, options: options, queries: queries)
    tell(split, counted: report.counted, leftOut: results.leftOut.count, queries)
    tellOptions(split, isHidden: report.counted == 0)
    return report.report(split: split, title: title, idsAreText: !settings.hasSpans)
  }

  /// Says what figures do not count.
  private func tell(_ split: String, counted: Int, leftOut: Int, _ queries: KnownQueries) {
    let asked = queries.store.ids.count
    if counted > 0, counted < asked {
      log.warning("\(split): the figures count \(counted) of \(asked) queries")
    } else if leftOut > 0 {
      log.warning("\(split): \(leftOut) of \(asked) queries are left out")
    }
  }

  /// Says what scores are, and what is not done for a hidden split.
  private func tellOptions(_ split: String, isHidden: Bool) {
    if let alpha = settings.evaluation.videoScoreFactor, VideoWeight(alpha).isLogarithmic {
      log.info(
        "\(split): q2c_alpha is \(alpha), above \(VideoWeight.largestExponent), so scores of VCMR and VR are logarithms"
      )
    }
    if isHidden, settings.evaluation.suppression != nil {
      log.info(
        "\(split): its truth is hidden, so the best \(settings.evaluation.keptAfterSuppression) moments are kept "
          + "without suppression")
    }
  }
}
