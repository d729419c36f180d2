import Corpus
import Engine
import Formats
import Model
import Tasks

/// The suite of pre-training: MLM, MFM, FOM and VSM over several corpora.
struct PretrainingSuite: TaskSuite {
  /// One corpus with its stores opened.
  struct Corpus {
    var target: PretrainingTarget
    var readers: [VideoReader]
  }

  let run: RunContext
  private let ranking: RetrievalSettings
  private let targets: [PretrainingTarget]

  init(run: RunContext) throws {
    self.run = run
    ranking = try RetrievalSettings(run.configuration)
    targets = try run.configuration.pretrainingTargets(warn: run.log.warning)
  }

  static var modelParts: Set<ModelKeys.Part> { [.cross, .temporal, .query] }

  /// The settings that the objectives of the splits read from the options.
  private var settings: PretrainingSettings {
    let kinds = Set(targets.flatMap(\.splits).flatMap(\.objectives).flatMap(\.settings))
    var settings = PretrainingSettings()
    settings.maxTextLength = configuration.maxTextLength
    if kinds.contains(.masks) { settings.maskProbability = Float(configuration.maskProbability) }
    if kinds.contains(.temperature) { settings.temperature = Float(configuration.nceTemperature) }
    if kinds.contains(.ranking) {
      (settings.ranking, settings.curriculum) = (ranking.loss, ranking.curriculum)
    }
    return settings
  }

  func openForTraining() throws -> [Corpus] {
    try targets.map { target in
      let subtitles = try run.stores.subtitles(target.subtitles)
      let readers = try target.videos.map { path in
        VideoReader(
          features: try run.stores.features(
            path, featureVersion: configuration.featureVersion, frameLength: target.frameInterval,
            compressed: configuration.compressed),
          subtitles: subtitles, maxClipLength: configuration.maxClipLength,
          contextLength: configuration.subtitleContext)
      }
      for note in readers.compactMap(\.cutNote) { log.info(note) }
      return Corpus(target: target, readers: readers)
    }
  }

  func featureWidth(of corpora: [Corpus]) throws -> Int { try corpora[0].readers[0].features.width() }

  func learning(_ model: PretrainingModel, _ corpora: [Corpus]) throws -> Learning {
    let name = configuration.task.rawValue
    let trained = try corpora.flatMap { try self.sources($0, model, training: true) }
    let measured = try corpora.flatMap { try self.sources($0, model, training: false) }.compactMap(\.source)
    let entries = trained.enumerated().compactMap { number, entry in
      entry.source.map { Mixture.Entry($0, ratio: entry.ratio, number: number) }
    }
    run.tellUndrawn(trained.filter { $0.ratio == 0 }.map(\.name))
    let mixture = try run.isTrained ? Mixture(name, entries) : Mixture(untrained: name, model.store)
    return Learning(mixture: mixture) { step, _ in try validate(measured, step: step) }
  }

  private func validate(_ sources: [any PretrainingSource], step: Int) throws -> Validation {
    let measured = try sources.map { source in
      let measures = try ProgressReporter.follow(
        "Validating \(source.name)", total: source.videoCount, unit: "videos"
      ) { progress in
        try source.measure(batchSize: configuration.valBatchSize, among: communicator, progress: progress)
      }
      return (name: source.name, measures: measures)
    }
    var result = Validation()
    result.scalars = measured.flatMap { source, measures in
      measures.map { ("valid_\(source)/\($0.name)", $0.value) }
    }
    // VSM's loss is the weighted sum of the parts in its other columns.
    result.tables = [
      MetricsTable.measures(
        measured.map { source, measures in
          (source, measures.map { ($0.name == "loss_overall" ? "loss" : $0.name, $0.value) })
        }, title: "validation, update \(step)")
    ]
    return result
  }

  /// An objective of a split, and how often it is drawn.
  private typealias Entry = (name: String, source: (any PretrainingSource)?, ratio: Int)

  /// Makes a source for every objective of every split, except those to train that are never drawn.
  private func sources(
    _ corpus: Corpus, _ model: PretrainingModel, training: Bool
  ) throws -> [Entry] {
    let settings = settings
    return try corpus.target.splits.flatMap { split -> [Entry] in
      let entries = zip(split.objectives, split.ratio).map { objective, ratio in
        (
          name: "\(objective.name)_\(corpus.target.name)_\(split.name)", objective: objective,
          ratio: ratio * corpus.target.ratio
        )
      }
      func isRead(_ ratio: Int) -> Bool { !training || run.isTrained && ratio > 0 }
      guard entries.contains(where: { isRead($0.ratio) }) else {
        return entries.map { ($0.name, nil, $0.ratio) }
      }
      let lists = training ? Array(zip(corpus.readers, split.trainIDs)) : [(corpus.readers[0], split.valIDs)]
      let videos = try PretrainingVideos(
        lists.map { ($0.0, try run.stores.videoIDs($0.1)) })
      for (what, names) in [
        ("they have no frames", videos.withoutFrames), ("no store has them", videos.missing),
      ] {
        guard let first = names.first else { continue }
        let list = "\(corpus.target.name)_\(split.name), \(training ? "train_idx" : "val_idx")"
        log.warning("\(list): left out because \(what): \(names.count), such as \"\(first)\"")
      }
      if !training { try videos.requireUsable(for: model.configuration) }
      return try entries.map { name, objective, ratio in
        guard isRead(ratio) else { return (name, nil, ratio) }
        let source = try objective.source(named: name, model, videos, settings, skips: SkipReport(log: log))
        return (name, source, ratio)
      }
    }
  }
}
