import Corpus
import Engine
import Formats
import Metrics
import Model
import Tasks
import Text

/// Fine-tuning the captioner and captioning clips: TVC.
public struct CaptionRun {
  private let configuration: RunConfiguration
  private let log: RunLog
  private var assembly: RunAssembly { RunAssembly(configuration: configuration) }
  private var onSkip: @Sendable (DataError) -> Void {
    let skipped = SkippedItems(log: log)
    return { skipped($0) }
  }

  init(configuration: RunConfiguration, log: RunLog) {
    self.configuration = configuration
    self.log = log
  }

  /// - Parameters:
  ///   - path: the folder of a run of this program or of the reference.
  ///   - arguments: options that overrule the run's.
  public init(path: String, arguments: [String], log: RunLog) throws {
    var configuration = try RunFolder(path: path).configuration(task: .tvc)
    try configuration.apply(try RunArguments(arguments))
    try configuration.validate()
    self.init(configuration: configuration, log: log)
  }

  // MARK: Training

  func finetune(folder: RunFolder, resume: Bool, backend: any Backend) throws {
    let opened = try OpenedRun(configuration, log: log)
    try requireDecoder(opened.model.shape)
    let captions = try CaptionStore(path: try assembly.required(configuration.trainCaptions, "train_db"))
    let validation = try configuration.valCaptions.map { try CaptionStore(path: $0) }
    let model = CaptionModel(opened.model.training, backend: backend)
    let loader = try CaptionLoader(
      captions: captions, videos: opened.reader, maxTextLength: configuration.maxTextLength,
      captionsPerVideo: configuration.maxCaptionsPerVideo, frameInterval: configuration.frameInterval,
      model: opened.model.shape, onSkip: onSkip)
    let tokenizer = try validation.map { try self.tokenizer(nil, store: $0.meta) }
    try opened.model.begin(model.store, folder: folder, resume: resume)
    let learning = CaptionLearning(
      name: configuration.task.rawValue, model: model, loader: loader,
      smoothing: Float(configuration.labelSmoothing))
    try Trainer(task: learning, configuration: configuration, folder: folder, log: log) { step in
      guard let validation, let tokenizer else { return Validation(scalars: []) }
      let references =
        try configuration.valReferences.map { try CaptionRow.read(path: $0) } ?? validation.rows()
      let rows = try caption(references, generator(model, opened.reader, tokenizer, DecodingChoice()))
      try write(rows, to: "\(folder.results)/val_captions_\(step).jsonl")
      let scores = try CaptionScorer(rows, references: references, meteor: nil)
      var result = Validation(scalars: scores.corpus.map { ("valid_tvc/\($0.name)", $0.value) })
      result.table = Self.table(scores, title: "val, update \(step)")
      if let cider = scores.corpus.first(where: { $0.name == "CIDEr" }) {
        result.headline = (cider.name, cider.value, true)
      }
      return result
    }.run(resume: resume)
  }

  private func requireDecoder(_ shape: ModelConfiguration) throws {
    guard shape.decoder != nil else {
      throw DataError(
        "has no \"d_config\"", file: configuration.modelConfiguration,
        cure: "Use Configs/hero_tvc.json or add a decoder")
    }
  }

  // MARK: Captioning

  /// How captions are searched for.
  public struct DecodingChoice: Sendable {
    public var beams = 1
    public var lengthPenalty: Float = 1
    /// Nil for the run's.
    public var maximumSteps: Int?

    public init() {}
  }

  /// Captions for the clips of a file.
  /// - Parameters:
  ///   - folder: of the run; `checkpoint` is one of its steps, `best`, `latest` or a file.
  ///   - clips: JSON lines with `vid_name`, `clip_id`, `ts`.
  ///   - tokenizer: its folder; nil for the one that the run's stores were made with.
  /// - Returns: the captioned rows, which stand in `output` too, and the rows of `clips`.
  public func caption(
    folder path: String, checkpoint: String, clips: String, output: String, tokenizer: String?,
    _ choice: DecodingChoice, backend: any Backend
  ) throws -> (captions: [CaptionRow], clips: [CaptionRow]) {
    let folder = RunFolder(path: path)
    let (file, _) = try folder.checkpoint(named: checkpoint)
    let opened = try OpenedRun(configuration, folder: folder, checkpoint: file, log: log)
    try requireDecoder(opened.model.shape)
    let rows = try CaptionRow.read(path: clips)
    let model = CaptionModel(opened.model.shape, backend: backend)
    try opened.model.load(model.store)
    let text = try self.tokenizer(tokenizer, store: opened.reader.subtitles?.meta)
    let captions = try caption(rows, generator(model, opened.reader, text, choice))
    try write(captions, to: output)
    return (captions, rows)
  }

  private func caption(_ clips: [CaptionRow], _ generator: CaptionGenerator) throws -> [CaptionRow] {
    try ProgressReporter.follow("Captioning", total: clips.count, unit: "clips") { progress in
      try generator.run(clips, progress: progress)
    }
  }

  private func generator(
    _ model: CaptionModel, _ reader: VideoReader, _ tokenizer: Tokenizer, _ choice: DecodingChoice
  ) -> CaptionGenerator {
    var options = CaptionGenerationOptions()
    options.maximumSteps = choice.maximumSteps ?? configuration.maxGenerationSteps
    options.beams = choice.beams
    options.lengthPenalty = choice.lengthPenalty
    options.frameInterval = configuration.frameInterval
    options.videoBatch = configuration.valBatchSize
    return CaptionGenerator(
      model: model, videos: reader, tokenizer: tokenizer, options: options, onSkip: onSkip)
  }

  private func tokenizer(_ path: String?, store: StoreMeta?) throws -> Tokenizer {
    guard let folder = path ?? store?.tokenizer else {
      throw DataError("the stores do not say which tokenizer made them", cure: "Give --tokenizer")
    }
    do {
      return try Tokenizer(directory: folder)
    } catch let error as DataError {
      throw error.located(cure: "Give --tokenizer the folder with vocab.json and merges.txt")
    }
  }

  private func write(_ rows: [CaptionRow], to path: String) throws {
    let writer = try CaptionWriter(path: path)
    for row in rows { try writer.write(row) }
    try writer.finish()
  }

  // MARK: Scores

  /// The scores for people.
  public static func table(_ scores: CaptionScorer, title: String) -> MetricsTable {
    var table = MetricsTable(title: title, headings: ["", "%"])
    for (name, value) in scores.corpus { table.add(name, [value]) }
    return table
  }
}
