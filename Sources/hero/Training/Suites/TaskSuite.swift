import Corpus
import Engine
import Formats
import Metrics
import Model
import Tasks

/// What a family of tasks adds to the runs that train and evaluate all families.
///
/// These runs are `TrainingRun` and `EvaluationRun`.
protocol TaskSuite {
  associatedtype Model: HeroModel
  /// The opened stores of the videos.
  associatedtype Videos

  /// The parts of a model configuration that the family's model is built of.
  static var modelParts: Set<ModelKeys.Part> { get }
  /// Decodes the options that the family reads, once.
  /// - Throws: `DataError` for options that do not fit together.
  init(run: RunContext) throws
  var run: RunContext { get }
  /// - Throws: `DataError` for a model that lacks a part that the family needs.
  func check(_ model: ModelConfiguration) throws
  func openForTraining() throws -> Videos
  /// Returns the width of the frames' features.
  func featureWidth(of videos: Videos) throws -> Int
  /// Returns what is learnt and measured, and opens all stores before any work is done.
  func learning(_ model: Model, _ videos: Videos) throws -> Learning
}

/// What a run learns, and how it measures that while it trains.
struct Learning {
  let mixture: Mixture
  /// The function that validates after an update.
  /// - Parameter results: the folder for the predictions.
  let validate: (_ step: Int, _ results: String) throws -> Validation
}

extension TaskSuite {
  var configuration: RunConfiguration { run.configuration }
  var log: RunLog { run.log }
  var communicator: any Communicator { run.communicator }

  static var modelParts: Set<ModelKeys.Part> { [.cross, .temporal] }
  func check(_ model: ModelConfiguration) throws {}
}

/// A family whose models are measured on splits and read the videos of one corpus.
protocol EvaluableSuite: TaskSuite where Videos == VideoReader {
  /// Returns the text stores to train on, at least one.
  func trainingStores() throws -> [String]
  /// The text stores to measure on.
  var measuredStores: [String] { get }
  /// Opens the videos of a split to evaluate on.
  /// - Parameter store: the split's text store.
  func open(toEvaluate store: String) throws -> VideoReader
  /// Returns the answers of one or several models to a split, measured if the truth is known.
  ///
  /// Each model reads its own videos.
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

/// The predictions of a model for a split, and their figures.
public struct SplitReport {
  /// The figures by the reference's names; empty for a hidden split.
  public var scalars: [(name: String, value: Double)] = []
  /// The figures as a table for people.
  public var table: MetricsTable?
  /// The figure that chooses the best checkpoint.
  var headline: Validation.Headline?
  /// The figure that VALUE's meta-average counts.
  var figure: MetaAverage.Figure?
  /// The scores that answers are chosen by, `{item: [scores]}`; nil if items have no such scores.
  var logits: JSON?
  private let writing: (_ path: String, _ form: Submission.Form) throws -> Void

  init(write: @escaping (_ path: String) throws -> Void) { writing = { path, _ in try write(path) } }
  init(writeAs write: @escaping (_ path: String, _ form: Submission.Form) throws -> Void) { writing = write }

  /// Writes the predictions to a file, on the first rank only.
  func write(_ path: String, _ communicator: any Communicator) throws {
    if communicator.isFirst { try writing(path, .task) }
  }

  /// Writes the predictions to a file in the submission format.
  func write(_ path: String, form: Submission.Form) throws { try writing(path, form) }
}

/// The figures of a validation.
public struct Validation {
  /// A figure that chooses the best checkpoint.
  public typealias Headline = (name: String, value: Double, higherIsBetter: Bool)

  /// The figures by their TensorBoard names.
  public var scalars: [(name: String, value: Double)] = []
  /// The figure of the split `val`; nil if that split was not measured.
  public var headline: Headline?
  /// The figure that VALUE's meta-average counts.
  public var figure: MetaAverage.Figure?
  /// The tables for people, one per split.
  public var tables: [MetricsTable] = []

  /// Makes a validation without figures.
  public init() {}

  /// Adds the report of a split; that of `val` chooses the best checkpoint.
  /// - Parameter group: the prefix of the figures' names, such as `valid_tvqa`; nil if they have
  ///   one.
  mutating func add(_ report: SplitReport, of split: String, group: String?) {
    scalars += report.scalars.map { ((group.map { $0 + "/" } ?? "") + $0.name, $0.value) }
    tables += [report.table].compactMap { $0 }
    if split == "val" { (headline, figure) = (report.headline, report.figure) }
  }
}

extension TaskSuite {
  /// Returns the reference's prefix for the names of a split's figures.
  func group(of split: String) -> String {
    "\(split == "val" ? "valid" : split)_\(configuration.task.rawValue)"
  }
}

extension TaskFamily {
  /// The suite that trains and evaluates the family's tasks.
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
