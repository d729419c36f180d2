import Engine

/// What all models begin with: their parameters, and the encoder of videos.
///
/// Several models may share a trunk, and then they are one model of many tasks: they have its
/// parameters in common, and heads of the same name too (VALUE's `HeroForMultiTask`).
public final class ModelTrunk {
  /// The shape that the parameters were declared with.
  public let configuration: ModelConfiguration
  /// The parameters of every model on the trunk.
  public let store: ParameterStore
  /// What all models encode videos with.
  public let videoEncoder: VideoEncoder
  /// Whether answers and statements have one head, by the name of answers'.
  let joinsAnswers: Bool

  /// - Parameter joinsAnswers: one head scores answers and judges statements, as in VALUE; else
  ///   statements have one of their own name, as in HERO.
  public init(_ configuration: ModelConfiguration, backend: any Backend, joinsAnswers: Bool = false) {
    self.configuration = configuration
    self.joinsAnswers = joinsAnswers
    store = ParameterStore(backend: backend)
    videoEncoder = VideoEncoder(
      ParameterScope(store, deviation: configuration.cross.initializerRange)["v_encoder"], configuration)
  }

  /// Where heads declare their parameters.
  var scope: ParameterScope { ParameterScope(store, deviation: configuration.cross.initializerRange) }
}

/// A model: the trunk, and the heads of a family of tasks.
public protocol HeroModel: AnyObject {
  /// Declares the parameters of the heads that the trunk does not have yet.
  /// - Precondition: no value of a parameter was asked for so far.
  init(sharing trunk: ModelTrunk)
  /// Parameters, configuration and video encoder, which several models may share.
  var trunk: ModelTrunk { get }
  /// `ModelTrunk.joinsAnswers` of a trunk of its own.
  static var joinsAnswers: Bool { get }
}

extension HeroModel {
  /// Statements have a head of their own, as in HERO.
  public static var joinsAnswers: Bool { false }

  /// Declares the parameters, whose values are drawn or loaded afterwards.
  public init(_ configuration: ModelConfiguration, backend: any Backend) {
    self.init(
      sharing: ModelTrunk(configuration, backend: backend, joinsAnswers: Self.joinsAnswers))
  }

  /// The trunk's.
  public var configuration: ModelConfiguration { trunk.configuration }
  /// The trunk's.
  public var store: ParameterStore { trunk.store }
  /// The trunk's.
  public var videoEncoder: VideoEncoder { trunk.videoEncoder }
  /// Words that scores of words are about; later columns are padding.
  public var vocabulary: Int { videoEncoder.cross.head.vocabulary }
}
