import Corpus
import Engine
import Model

/// A pre-training objective (Docs/Computation.md §3; paper §3.2): its batches, loss and measures.
///
/// A new objective is a type in its own file, and a row of ``PretrainingObjective/allCases``.
public protocol Objective: Sendable {
  /// A batch of the objective, as a loading thread makes it.
  associatedtype Batch: TaskBatch
  typealias Input = Batch.Input
  /// The objective's name in the reference.
  static var name: String { get }
  /// The settings that the objective reads.
  static var settings: Set<PretrainingSettings.Kind> { get }
  /// Makes the objective with the settings that it reads.
  init(_ settings: PretrainingSettings)
  /// Returns the batch of these videos; nil if there is nothing to ask about any of them.
  func batch(of videos: [PretrainingVideo], for model: ModelConfiguration) throws -> Batch?
  /// Computes `Source.loss`.
  func loss(
    _ model: PretrainingModel, _ tape: Tape, _ input: Input?, among share: BatchShare, update: Int,
    random: inout RandomStream
  ) -> [LossTerm]
  /// Adds the measures of a batch, without dropout.
  /// - Parameter first: the batch's first item, which numbers the draws of a loss.
  func measure(
    _ model: PretrainingModel, _ tape: Tape, _ input: Input, first: Int, into sums: inout PretrainingSums)
  /// Returns the measures under the reference's names.
  /// - Parameter sums: the sums of at least one word, frame or query.
  func figures(_ sums: PretrainingSums) -> [(name: String, value: Double)]
}

/// Settings of the objectives, with the reference's keys.
public struct PretrainingSettings: Sendable {
  /// A group of settings.
  public enum Kind: Sendable {
    case masks, temperature, ranking
  }

  /// The share of words masked, of frames masked, or of frames shuffled: `mask_prob`.
  public var maskProbability: Float = 0.15
  /// The divisor of products of features: `nce_temp`.
  public var temperature: Float = 1
  /// The weights and settings of VSM's losses.
  public var ranking = RetrievalLossOptions()
  /// The updates at which VSM's spans and hard negatives begin.
  public var curriculum = RetrievalCurriculum()
  /// The number of a video's sentences that VSM turns into queries.
  public var queriesPerVideo = 5
  /// The tokens kept of a sentence for MLM's masks or VSM's queries; all if not positive
  /// (`max_txt_len`).
  public var maxTextLength = 60

  /// Makes the defaults above; a run's options override each.
  public init() {}
}

/// A row of the table of objectives.
public struct PretrainingObjective: Hashable, Sendable, CustomStringConvertible {
  /// The objective's name in the reference.
  public let name: String
  /// The settings that the objective reads.
  public let settings: Set<PretrainingSettings.Kind>
  private let make:
    @Sendable (
      _ name: String, PretrainingModel, PretrainingVideos, PretrainingSettings, SkipReport
    ) throws -> any PretrainingSource

  private init<Asked: Objective>(_: Asked.Type) {
    (name, settings) = (Asked.name, Asked.settings)
    make = { name, model, videos, settings, skips in
      let loader = try PretrainingLoader(
        Asked(settings), videos: videos, maxTextLength: settings.maxTextLength, model: model.configuration,
        skips: skips)
      return ObjectiveSource(name: name, model: model, loader: loader)
    }
  }

  /// The table of objectives.
  public static let allCases = [
    PretrainingObjective(MaskedWords.self), PretrainingObjective(MaskedFrames.self),
    PretrainingObjective(FeatureRegression.self), PretrainingObjective(FrameOrder.self),
    PretrainingObjective(SubtitleMatching.self),
  ]

  /// Makes the objective of a name; nil if the table has none.
  public init?(name: String) {
    guard let row = Self.allCases.first(where: { $0.name == name }) else { return nil }
    self = row
  }

  /// Makes a source of this objective.
  ///
  /// - Parameters:
  ///   - name: `{objective}_{corpus}_{split}`, as in the reference's logs.
  ///   - skips: reports every video that cannot be used.
  /// - Throws: `DataError` if a subtitle store's special tokens lie outside the model's vocabulary.
  public func source(
    named name: String, _ model: PretrainingModel, _ videos: PretrainingVideos,
    _ settings: PretrainingSettings, skips: SkipReport = SkipReport()
  ) throws -> any PretrainingSource {
    try make(name, model, videos, settings, skips)
  }

  /// The name in the reference's `tasks`.
  public var description: String { name }
  /// Compares names: the table has one row of each.
  public static func == (a: PretrainingObjective, b: PretrainingObjective) -> Bool { a.name == b.name }
  /// Hashes the name.
  public func hash(into hasher: inout Hasher) { hasher.combine(name) }
}
