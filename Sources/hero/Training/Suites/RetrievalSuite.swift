import Corpus
import Engine
import Formats
import Metrics
import Model
import Tasks

/// The suite that finds moments and videos: TVR, How2R, DiDeMo, MSR-VTT, VALUE's retrieval.
struct RetrievalSuite: EvaluableSuite {
  let run: RunContext
  let settings: RetrievalSettings

  static var modelParts: Set<ModelKeys.Part> { [.cross, .temporal, .query] }

  init(run: RunContext) throws {
    self.run = run
    settings = try RetrievalSettings(run.configuration)
  }

  func learning(_ model: RetrievalModel, _ videos: VideoReader) throws -> Learning {
    let trained = try run.isTrained ? training(model, videos) : nil
    let validated = try validated(model, videos)
    // Without training, a split to validate on is the source of the losses.
    let source = (trained ?? validated.lazy.compactMap(\.loader).first).map {
      RetrievalSource(
        name: configuration.task.rawValue, model: model, loader: $0, options: settings.loss,
        curriculum: settings.curriculum)
    }
    let mixture = trained == nil ? nil : source.map { Mixture($0) }
    return Learning(mixture: mixture ?? Mixture(untrained: configuration.task.rawValue, model.store)) {
      try validate(model, source, validated, videos, step: $0, results: $1)
    }
  }

  private func training(_ model: RetrievalModel, _ videos: VideoReader) throws -> RetrievalLoader {
    let queries: QueryStore = try run.stores.texts(configuration.required(\.trainQueries))
    try configuration.task.require(queries.meta, path: queries.path)
    return try loader(
      model, queries, videos, maxTextLength: configuration.maxTextLength,
      queriesPerVideo: configuration.queriesPerVideo)
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

  /// Opens the queries of a store with their truth.
  func known(_ path: String) throws -> KnownQueries {
    try run.stores.once(path, configuration.task.rawValue) {
      try KnownQueries(run.stores.texts(path), for: configuration.task, skips: SkipReport(log: log))
    }
  }

  // MARK: Validation

  /// Queries to validate on.
  private struct Validated {
    let split: String
    let queries: KnownQueries
    /// The split of `vid2dur_idx.json` that they search.
    let candidates: String
    /// The loader of their losses; nil if these are not measured.
    let loader: RetrievalLoader?
  }

  private func validated(_ model: RetrievalModel, _ videos: VideoReader) throws -> [Validated] {
    try [
      ("val", configuration.valQueries, \RunOptions.valSplit),
      ("test", configuration.testQueries, \.testSplit),
    ].compactMap { split, path, option in
      guard let queries = try path.map(known) else { return nil }
      let candidates = try splitName(split, of: queries.store, videos, option: option)
      try require(queries, in: candidates, for: model, videos)
      return Validated(
        split: split, queries: queries, candidates: candidates,
        loader: split == "val" ? try loader(model, queries.store, videos, maxTextLength: -1) : nil)
    }
  }

  /// Checks that a validation can measure what the options ask for.
  private func require(
    _ queries: KnownQueries, in split: String, for model: RetrievalModel, _ videos: VideoReader
  ) throws {
    try AskableQueries.require(
      queries.store, in: try candidates(split, queries, videos), reader: videos, for: model.configuration)
  }

  /// Returns the videos among which queries search.
  private func candidates(
    _ split: String, _ queries: KnownQueries, _ videos: VideoReader
  ) throws -> CandidateVideos {
    videos.compare(queries.store.meta)
    let candidates = try CandidateVideos(
      split: split, queries: queries.store, subtitles: videos.subtitles, features: videos.features,
      list: run.vid2durIdx)
    try AskableQueries.require(queries.store, in: candidates)
    return candidates
  }

  /// Returns the split of `vid2dur_idx.json` with the candidates of a query store.
  ///
  /// An option names it, or else it is the split that holds the store's videos. The log reports an
  /// unusual name.
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
    _ model: RetrievalModel, _ source: RetrievalSource?, _ validated: [Validated], _ videos: VideoReader,
    step: Int, results: String
  ) throws -> Validation {
    var result = Validation()
    for asked in validated {
      let split = asked.split
      if let loader = asked.loader, let source {
        let losses = try ProgressReporter.follow(
          "Validation losses", total: loader.itemCount, unit: "queries"
        ) { progress in
          try source.validationLosses(
            loader, batchSize: configuration.valBatchSize, among: communicator, progress: progress)
        }
        result.scalars += losses.map {
          ("valid_\(source.name)/\(source.name)_loss_\($0.name)", Double($0.value))
        }
      }
      let report = try evaluate(
        [(model, videos)], asked.queries, split: split, candidates: asked.candidates,
        title: "\(split), update \(step)")
      try report.write("\(results)/\(split)_results_\(step).\(configuration.task.resultEnding)", communicator)
      // The names of retrieval's figures contain the split.
      result.add(report, of: split, group: findsWindows ? "valid_\(split)" : nil)
    }
    return result
  }

  // MARK: Evaluation

  func evaluate(
    _ members: [(model: RetrievalModel, videos: VideoReader)], store: String, split: String
  ) throws -> SplitReport {
    try evaluate(
      members, known(store), split: split, candidates: split,
      title: "\(configuration.task.rawValue), \(split)")
  }

  private func evaluate(
    _ members: [(model: RetrievalModel, videos: VideoReader)], _ queries: KnownQueries, split: String,
    candidates name: String, title: String
  ) throws -> SplitReport {
    let options = settings.evaluation
    let encoded = try encode(members, queries, candidates: name)
    let evaluator = try RetrievalEvaluator(
      encoded, queries: queries.store, options: options, skips: queries.skips)
    let results = try ProgressReporter.follow("Searching", total: queries.store.ids.count, unit: "queries") {
      progress in try evaluator.run(among: communicator, progress: progress)
    }
    let (listed, usable) = (encoded[0].index.listed.count, encoded[0].index.videos.count)
    if listed > usable {
      log.warning(
        "\(split): \(listed - usable) of \(listed) candidate videos are left out, and so are their queries")
    }
    // The figures count the queries that could be asked and whose truth is known.
    let counted = queries.without(Set(results.leftOut))
    tell(split, counted: counted.truthCount, leftOut: results.leftOut.count, queries)
    if findsWindows {
      let windows = counted.windows.flatMap(\.windows)
      let longest = Double(options.maxLength) * options.frameInterval
      let tooLong = windows.count { $0.end - $0.start > longest }
      if tooLong > 0 {
        log.warning(
          "\(split): \(tooLong) of \(windows.count) true windows are longer than max_pred_l "
            + "(\(options.maxLength)) frames allow")
      }
      tellLate(split, counted.windows.map { (counted.facts[$0.id]?.video, $0.windows) }, encoded[0].index)
    } else {
      tellLate(split, counted.truths.map { ($0.video, $0.spans) }, encoded[0].index)
      if settings.hasSpans, let note = RetrievalTruth.momentless(counted.truths) {
        log.warning("\(split): \(note)")
      }
      tellOptions(split, isHidden: counted.truths.isEmpty)
    }
    return try report(results, counted, options, split: split, title: title)
  }

  /// Encodes the candidates of a split with each model.
  func encode(
    _ members: [(model: RetrievalModel, videos: VideoReader)], _ queries: KnownQueries,
    candidates name: String
  ) throws -> [RetrievalEvaluator.Member] {
    // If some models read subtitles, their subtitle store numbers the videos, as in VALUE's
    // two-stream evaluation.
    let numbering = members.first { $0.videos.subtitles != nil } ?? members[0]
    let candidates = try candidates(name, queries, numbering.videos)
    return try members.map { model, videos in
      let index = try ProgressReporter.follow("Encoding", total: candidates.count, unit: "videos") {
        progress in
        try RetrievalIndex(
          candidates, reader: videos, model: model, batchSize: settings.evaluation.videoBatch,
          skips: queries.skips, among: communicator, progress: progress)
      }
      return (model: model, index: index)
    }
  }

  /// Reports what was found, measured by the truth of the queries that count.
  func report(
    _ results: RetrievalResults, _ counted: KnownQueries, _ options: RetrievalEvaluationOptions,
    split: String, title: String
  ) throws -> SplitReport {
    if let headline = configuration.task.windowHeadline {
      return try SplitReport(
        results, options: options, facts: counted.facts, truths: counted.windows, headline: headline,
        title: title)
    }
    return try SplitReport(
      results, options: options, truths: counted.truths, split: split, title: title,
      idsAreText: !settings.hasSpans)
  }

  /// Warns of queries that the figures do not count.
  private func tell(_ split: String, counted: Int, leftOut: Int, _ queries: KnownQueries) {
    let asked = queries.store.ids.count
    if counted > 0, counted < asked {
      log.warning("\(split): the figures count \(counted) of \(asked) queries")
    } else if leftOut > 0 {
      log.warning("\(split): \(leftOut) of \(asked) queries are left out")
    }
  }

  /// Warns of true moments that cannot be found, because they begin after their video's last frame.
  ///
  /// Possible reasons are times in another unit, features of another length, or a video that is cut
  /// to max_clip_len.
  private func tellLate(
    _ split: String, _ moments: [(video: String?, spans: [TimeSpan])], _ index: RetrievalIndex
  ) {
    let interval = settings.evaluation.frameInterval
    var (late, example) = (0, "")
    for (video, spans) in moments {
      guard let video, let place = index.videos.place(of: video) else { continue }
      let frames = index.segments[place].count
      for span in spans where span.start >= Double(frames) * interval {
        if late == 0 {
          example = "\(span.start) s of \"\(video)\", of which \(frames) frames of \(interval) s are read"
        }
        late += 1
      }
    }
    guard late > 0 else { return }
    log.warning(
      "\(split): \(late) of \(moments.reduce(0) { $0 + $1.spans.count }) true moments begin after the last frame of "
        + "their video, such as that at \(example); they cannot be found")
  }

  /// Logs what scores mean, and what is not done for a hidden split.
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
