import Corpus
import Engine
import Formats
import Model
import Tasks

/// Pre-training: MLM, MFM, FOM and VSM over several corpora.
struct PretrainingSuite: TaskSuite {
  /// One corpus, opened.
  struct Corpus {
    var target: PretrainingTarget
    var readers: [VideoReader]
  }

  let run: RunContext
  private let settings: RetrievalSettings
  private let targets: [PretrainingTarget]

  static func check(_ configuration: RunConfiguration) throws {
    try RetrievalSettings.check(configuration)
    _ = try configuration.pretrainingTargets()
  }

  init(run: RunContext) throws {
    self.run = run
    settings = RetrievalSettings(run.configuration)
    targets = try run.configuration.pretrainingTargets(warn: run.log.warning)
  }

  static var modelParts: Set<ModelKeys.Part> { [.cross, .temporal, .query] }

  /// Whether some split has one of some objectives.
  private func learns(_ objectives: [PretrainingObjective]) -> Bool {
    targets.flatMap(\.splits).contains { !Set($0.objectives).isDisjoint(with: objectives) }
  }

  func openForTraining() throws -> [Corpus] {
    try targets.map { target in
      let subtitles = try SubtitleStore(path: target.subtitles)
      let readers = try target.videos.map { path in
        VideoReader(
          features: try FeatureStore(
            path: path, featureVersion: configuration.featureVersion, frameLength: target.frameInterval,
            compressed: configuration.compressed),
          subtitles: subtitles, maxClipLength: configuration.maxClipLength,
          contextLength: configuration.subtitleContext)
      }
      for note in readers.compactMap(\.cutNote) { log.info(note) }
      return Corpus(target: target, readers: readers)
    }
  }

  func featureWidth(of corpora: [Corpus]) throws -> Int { try corpora[0].readers[0].features.width() }

  func learning(_ model: PretrainingModel, _ corpora: [Corpus]) throws -> PretrainingLearning {
    let sources = try corpora.flatMap { try self.sources($0, model.configuration, training: true) }
    let matches = learns([.vsm])
    return PretrainingLearning(
      model: model, mixture: try PretrainingMixture(sources),
      ranking: matches ? settings.loss : RetrievalLossOptions(),
      curriculum: matches ? settings.curriculum : RetrievalCurriculum(),
      temperature: learns([.mfmNCE]) ? Float(configuration.nceTemperature) : 1)
  }

  func validated(_ model: PretrainingModel, _ corpora: [Corpus]) throws -> [PretrainingSource] {
    try corpora.flatMap { try self.sources($0, model.configuration, training: false) }
  }

  func validate(
    _ learning: PretrainingLearning, _ sources: [PretrainingSource], step: Int, folder: RunFolder
  ) throws -> Validation {
    let measured = try sources.map { source in
      let measures = try ProgressReporter.follow(
        "Validating \(source.name)", total: source.loader.itemCount, unit: "videos"
      ) { progress in
        try learning.validate(
          source.loader, batchSize: configuration.valBatchSize, among: communicator, progress: progress)
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

  /// One source for every objective of every split.
  private func sources(
    _ corpus: Corpus, _ model: ModelConfiguration, training: Bool
  ) throws -> [PretrainingSource] {
    var options = PretrainingOptions()
    if learns([.mlm, .mfmNCE, .mffr, .fom]) {
      options.maskProbability = Float(configuration.maskProbability)
    }
    options.maxTextLength = configuration.maxTextLength
    return try corpus.target.splits.flatMap { split -> [PretrainingSource] in
      let lists = training ? Array(zip(corpus.readers, split.trainIDs)) : [(corpus.readers[0], split.valIDs)]
      let videos = try PretrainingVideos(
        lists.map { ($0.0, try PretrainingVideos.readIDs(path: $0.1)) })
      for (what, names) in [
        ("they have no frames", videos.withoutFrames), ("no store has them", videos.missing),
      ] {
        guard let first = names.first else { continue }
        let list = "\(corpus.target.name)_\(split.name), \(training ? "train_idx" : "val_idx")"
        log.warning("\(list): left out because \(what): \(names.count), such as \"\(first)\"")
      }
      return try zip(split.objectives, split.ratio).map { objective, ratio in
        PretrainingSource(
          name: "\(objective.rawValue)_\(corpus.target.name)_\(split.name)",
          ratio: ratio * corpus.target.ratio,
          loader: try PretrainingLoader(
            objective, videos: videos, options: options, model: model, skips: SkipReport(log: log)))
      }
    }
  }
}
