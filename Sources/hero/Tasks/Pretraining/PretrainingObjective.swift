import Corpus
import Engine
import Model

/// What pre-training asks of the model about videos (Docs/Computation.md §3; paper §3.2): how it
/// makes a batch, what it loses and how it is measured.
///
/// A new objective is a type of its own in a file of its own, and a row of
/// ``PretrainingObjective/allCases``.
public protocol Objective: Sendable {
  /// A batch of the objective, as a loading thread makes it.
  associatedtype Batch: TaskBatch
  typealias Input = Batch.Input
  /// The reference's name.
  static var name: String { get }
  /// The settings that it reads.
  static var settings: Set<PretrainingSettings.Kind> { get }
  /// Takes the settings that the objective lists.
  init(_ settings: PretrainingSettings)
  /// A batch of these videos; nil where there is nothing to ask of any of them.
  func batch(of videos: [PretrainingVideo], for model: ModelConfiguration) throws -> Batch?
  /// `Source.loss`.
  func loss(
    _ model: PretrainingModel, _ tape: Tape, _ input: Input?, among share: BatchShare, update: Int,
    random: inout RandomStream
  ) -> [LossTerm]
  /// Adds what the model makes of a batch, without dropout.
  /// - Parameter first: the batch's first item, which names what a loss draws.
  func measure(
    _ model: PretrainingModel, _ tape: Tape, _ input: Input, first: Int, into sums: inout PretrainingSums)
  /// The reference's measures by its names.
  /// - Parameter sums: of one word, frame or query at least.
  func figures(_ sums: PretrainingSums) -> [(name: String, value: Double)]
}

/// Settings of the objectives; keys in the reference's spelling stand beside each.
public struct PretrainingSettings: Sendable {
  /// Settings that go together.
  public enum Kind: Sendable {
    case masks, temperature, ranking
  }

  /// `mask_prob`: share of words masked, of frames masked, of frames moved.
  public var maskProbability: Float = 0.15
  /// `nce_temp`: what products of features are divided by.
  public var temperature: Float = 1
  /// Weights of VSM's losses, and when they come in.
  public var ranking = RetrievalLossOptions()
  /// The updates from which VSM's spans and hard negatives count.
  public var curriculum = RetrievalCurriculum()
  /// Sentences of a video that VSM makes queries.
  public var queriesPerVideo = 5
  /// `max_txt_len`: tokens kept of a sentence that MLM masks or VSM asks for; all if not positive.
  public var maxTextLength = 60

  /// The defaults above; a run's options override each.
  public init() {}
}

/// A row of the table of objectives.
public struct PretrainingObjective: Hashable, Sendable, CustomStringConvertible {
  /// The reference's name.
  public let name: String
  /// The settings that it reads.
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

  /// The table.
  public static let allCases = [
    PretrainingObjective(MaskedWords.self), PretrainingObjective(MaskedFrames.self),
    PretrainingObjective(FeatureRegression.self), PretrainingObjective(FrameOrder.self),
    PretrainingObjective(SubtitleMatching.self),
  ]

  /// The objective of a name; nil where the table has none.
  public init?(name: String) {
    guard let row = Self.allCases.first(where: { $0.name == name }) else { return nil }
    self = row
  }

  /// - Parameters:
  ///   - name: `{objective}_{corpus}_{split}`, as the reference names it in its logs.
  ///   - skips: reports every video that cannot be used.
  /// - Throws: `DataError` where a subtitle store's special tokens are not the model's.
  public func source(
    named name: String, _ model: PretrainingModel, _ videos: PretrainingVideos,
    _ settings: PretrainingSettings, skips: SkipReport = SkipReport()
  ) throws -> any PretrainingSource {
    try make(name, model, videos, settings, skips)
  }

  /// The name in the reference's `tasks`.
  public var description: String { name }
  /// By name: the table has one row of each.
  public static func == (a: PretrainingObjective, b: PretrainingObjective) -> Bool { a.name == b.name }
  /// By name, as equality.
  public func hash(into hasher: inout Hasher) { hasher.combine(name) }
}
