import Corpus
import Engine
import Formats
import Metrics
import Model
import Tasks

/// What a family of tasks brings to the runs that train and evaluate them all (`TrainingRun`,
/// `EvaluationRun`).
protocol TaskSuite {
  associatedtype Model: HeroModel
  /// The stores that videos are read from, opened.
  associatedtype Videos

  /// The parts of a model configuration that the family's model is built of.
  static var modelParts: Set<ModelKeys.Part> { get }
  /// Decodes the options that the family reads, once.
  /// - Throws: `DataError` for options that do not go together.
  init(run: RunContext) throws
  var run: RunContext { get }
  /// - Throws: `DataError` for a model that lacks a part that the family needs.
  func check(_ model: ModelConfiguration) throws
  func openForTraining() throws -> Videos
  /// Width of the frames' features.
  func featureWidth(of videos: Videos) throws -> Int
  /// What is learnt and measured; all stores are opened before any work is done.
  func learning(_ model: Model, _ videos: Videos) throws -> Learning
}

/// What a run learns, and how it measures that while it trains.
struct Learning {
  let mixture: Mixture
  /// - Parameter results: the folder that takes the predictions.
  let validate: (_ step: Int, _ results: String) throws -> Validation
}

extension TaskSuite {
  var configuration: RunConfiguration { run.configuration }
  var log: RunLog { run.log }
  var communicator: any Communicator { run.communicator }

  static var modelParts: Set<ModelKeys.Part> { [.cross, .temporal] }
  func check(_ model: ModelConfiguration) throws {}
}

/// A family whose models are measured on splits, and read the videos of one corpus.
protocol EvaluableSuite: TaskSuite where Videos == VideoReader {
  /// The text stores to train on, one at least.
  func trainingStores() throws -> [String]
  /// The text stores to measure on.
  var measuredStores: [String] { get }
  /// - Parameter store: the split's text store.
  func open(toEvaluate store: String) throws -> VideoReader
  /// The answers to a split of a model, or of several together, each with the videos that it reads;
  /// measured where the truth is known.
  func evaluate(
    _ members: [(model: Model, videos: VideoReader)], store: String, split: String
  ) throws -> SplitReport
}

extension EvaluableSuite {
  func trainingStores() throws -> [String] { [try configuration.required(\.trainQueries)] }
  var measuredStores: [String] { [configuration.valQueries, configuration.testQueries].compactMap { $0 } }
  func openForTraining() throws -> VideoReader {
    let measured = run.isTrained ? nil : measuredStores.first
    return try open(toEvaluate: measured ?? trainingStores()[0])
  }
  func open(toEvaluate store: String) throws -> VideoReader {
    let videos = try configuration.videoReader(
      of: run.stores, cls: StoreMeta(path: store + "/meta.json").cls)
    if let note = videos.cutNote { log.info(note) }
    return videos
  }
  func featureWidth(of videos: VideoReader) throws -> Int { try videos.features.width() }
}

/// What a model made of a split.
public struct SplitReport {
  /// Figures by the reference's names; empty for a hidden split.
  public var scalars: [(name: String, value: Double)] = []
  /// The same for people.
  public var table: MetricsTable?
  /// What tells which checkpoint is best.
  var headline: Validation.Headline?
  /// What VALUE's meta-average counts.
  var figure: MetaAverage.Figure?
  /// What the answers were chosen by, `{item: [scores]}`; nil where items have no such scores.
  var logits: JSON?
  private let writing: (_ path: String, _ form: Submission.Form) throws -> Void

  init(write: @escaping (_ path: String) throws -> Void) { writing = { path, _ in try write(path) } }
  init(writeAs write: @escaping (_ path: String, _ form: Submission.Form) throws -> Void) { writing = write }

  /// Writes the predictions to a file; of several ranks the first does.
  func write(_ path: String, _ communicator: any Communicator) throws {
    if communicator.isFirst { try writing(path, .task) }
  }

  /// Writes the predictions to a file in the submission format.
  func write(_ path: String, form: Submission.Form) throws { try writing(path, form) }
}

/// What a validation found.
public struct Validation {
  /// A figure that tells which checkpoint is best.
  public typealias Headline = (name: String, value: Double, higherIsBetter: Bool)

  /// Figures by their TensorBoard names.
  public var scalars: [(name: String, value: Double)] = []
  /// The figure of the split `val`; nil where that split was not measured.
  public var headline: Headline?
  /// What VALUE's meta-average counts.
  public var figure: MetaAverage.Figure?
  /// Tables for people, one a split.
  public var tables: [MetricsTable] = []

  /// No figure yet.
  public init() {}

  /// Takes in what was made of a split; that of `val` tells which checkpoint is best.
  /// - Parameter group: of the figures' names, as `valid_tvqa`; nil where they have one.
  mutating func add(_ report: SplitReport, of split: String, group: String?) {
    scalars += report.scalars.map { ((group.map { $0 + "/" } ?? "") + $0.name, $0.value) }
    tables += [report.table].compactMap { $0 }
    if split == "val" { (headline, figure) = (report.headline, report.figure) }
  }
}

extension TaskSuite {
  /// What the reference puts before the names of a split's figures.
  func group(of split: String) -> String {
    "\(split == "val" ? "valid" : split)_\(configuration.task.rawValue)"
  }
}

extension TaskFamily {
  /// What trains and evaluates the family's tasks.
  var suite: any TaskSuite.Type {
    switch self {
    case .momentRetrieval, .videoRetrieval: RetrievalSuite.self
    case .questionAnswering: QuestionSuite<QuestionModel>.self
    case .inference: QuestionSuite<StatementModel>.self
    case .captioning: CaptionSuite.self
    case .multitask: MultitaskSuite.self
    case .pretraining: PretrainingSuite.self
    }
  }
}
