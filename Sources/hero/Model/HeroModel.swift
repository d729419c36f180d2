import Engine

/// The common part of all models: their parameters and the video encoder.
///
/// Models that share a trunk are one model of several tasks. They share its parameters and also
/// heads of the same name (VALUE's `HeroForMultiTask`).
public final class ModelTrunk {
  /// The shape of the parameters.
  public let configuration: ModelConfiguration
  /// The parameters of every model on the trunk.
  public let store: ParameterStore
  /// The encoder of videos of all models.
  public let videoEncoder: VideoEncoder
  /// Whether answers and statements share one head, under the name of the answers' head.
  let joinsAnswers: Bool

  /// - Parameter joinsAnswers: true for one head that scores answers and judges statements, as in
  ///   VALUE; false for a separate head of statements, as in HERO.
  public init(_ configuration: ModelConfiguration, backend: any Backend, joinsAnswers: Bool = false) {
    self.configuration = configuration
    self.joinsAnswers = joinsAnswers
    store = ParameterStore(backend: backend)
    videoEncoder = VideoEncoder(
      ParameterScope(store, deviation: configuration.cross.initializerRange)["v_encoder"], configuration)
  }

  /// The scope in which heads declare their parameters.
  var scope: ParameterScope { ParameterScope(store, deviation: configuration.cross.initializerRange) }
}

/// A model: the trunk, and the heads of a family of tasks.
public protocol HeroModel: AnyObject {
  /// Declares the heads' parameters that the trunk lacks.
  /// - Precondition: No value of a parameter has been read so far.
  init(sharing trunk: ModelTrunk)
  /// The parameters, configuration and video encoder, which several models may share.
  var trunk: ModelTrunk { get }
  /// The value of `ModelTrunk.joinsAnswers` for a trunk that the model makes itself.
  static var joinsAnswers: Bool { get }
}

extension HeroModel {
  /// Whether statements share the answers' head: false, as in HERO.
  public static var joinsAnswers: Bool { false }

  /// Declares the parameters; their values are drawn or loaded afterwards.
  public init(_ configuration: ModelConfiguration, backend: any Backend) {
    self.init(
      sharing: ModelTrunk(configuration, backend: backend, joinsAnswers: Self.joinsAnswers))
  }

  /// The trunk's configuration.
  public var configuration: ModelConfiguration { trunk.configuration }
  /// The trunk's parameters.
  public var store: ParameterStore { trunk.store }
  /// The trunk's video encoder.
  public var videoEncoder: VideoEncoder { trunk.videoEncoder }
  /// The number of words that scores cover; later columns are padding.
  public var vocabulary: Int { videoEncoder.cross.head.vocabulary }
}
