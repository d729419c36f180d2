import Corpus
import Engine
import Formats
import Model
import Tasks

/// `hero pretrain`: MLM, MFM, FOM and VSM over several corpora.
public struct PretrainingRun {
  private let configuration: RunConfiguration
  private let log: RunLog
  private var assembly: RunAssembly { RunAssembly(configuration: configuration) }

  public init(_ configuration: RunConfiguration, log: RunLog) {
    self.configuration = configuration
    self.log = log
  }

  /// One corpus, opened.
  private struct Corpus {
    var target: PretrainingTarget
    var readers: [VideoReader]
  }

  /// - Parameter resume: go on with the run in the output folder, or begin where there is none.
  public func run(resume: Bool, backend: any Backend) throws {
    let folder = RunFolder(path: try assembly.required(configuration.outputDirectory, "output_dir"))
    if !resume { try folder.requireUnused() }
    let corpora = try configuration.pretrainingTargets(warn: log.warning).map(open)
    let width = try corpora[0].readers[0].features.width()
    let opened = try OpenedModel(configuration, featureWidth: width, log: log)
    let sources = try corpora.flatMap { try self.sources($0, opened.shape, training: true) }
    let validations = try corpora.flatMap { try self.sources($0, opened.shape, training: false) }
    let model = RetrievalModel(opened.training, backend: backend)
    try opened.begin(model.store, folder: folder, resume: resume)

    let retrieval = RetrievalRun(configuration: configuration, log: log)
    let learning = PretrainingLearning(
      model: model, mixture: try PretrainingMixture(sources), ranking: retrieval.lossOptions,
      curriculum: retrieval.curriculum, temperature: Float(configuration.nceTemperature))
    try Trainer(task: learning, configuration: configuration, folder: folder, log: log) { step in
      let measured = try validations.map { source in
        try ProgressReporter.follow(
          "Validating \(source.name)", total: source.loader.itemCount, unit: "videos"
        ) { progress in
          (
            source.name,
            try learning.validate(source.loader, batchSize: configuration.valBatchSize, progress: progress)
          )
        }
      }
      return Validation(
        scalars: measured.flatMap { source, measures in
          measures.map { ("valid_\(source)/\($0.name)", $0.value) }
        },
        // VSM's loss is the weighted sum of the parts in its other columns.
        table: MetricsTable.measures(
          measured.map { source, measures in
            (source, measures.map { ($0.name == "loss_overall" ? "loss" : $0.name, $0.value) })
          }, title: "validation, update \(step)"))
    }.run(resume: resume)
  }

  private func open(_ target: PretrainingTarget) throws -> Corpus {
    let subtitles = try SubtitleStore(path: target.subtitles)
    let readers = try target.videos.map { path in
      VideoReader(
        features: try FeatureStore(
          path: path, featureVersion: configuration.featureVersion, frameLength: target.frameInterval,
          compressed: configuration.compressed),
        subtitles: subtitles, maxClipLength: configuration.maxClipLength,
        contextLength: configuration.subtitleContext)
    }
    return Corpus(target: target, readers: readers)
  }

  /// One source for every objective of every split.
  private func sources(_ corpus: Corpus, _ model: ModelConfiguration, training: Bool) throws
    -> [PretrainingSource]
  {
    var options = PretrainingOptions()
    options.maskProbability = Float(configuration.maskProbability)
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
      return try zip(split.tasks, split.ratio).map { task, ratio in
        guard let objective = PretrainingObjective(rawValue: task) else {
          throw DataError(
            "there is no pre-training task \"\(task)\"", cure: "Use mlm, mfm-nce, mffr, fom or vsm")
        }
        return PretrainingSource(
          name: "\(task)_\(corpus.target.name)_\(split.name)", ratio: ratio * corpus.target.ratio,
          loader: try PretrainingLoader(
            objective, videos: videos, options: options, model: model,
            onSkip: { [skipped = SkippedItems(log: log)] in skipped($0) }))
      }
    }
  }
}
