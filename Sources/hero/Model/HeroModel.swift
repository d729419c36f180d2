import Engine

/// What all models begin with: their parameters, and the encoder of videos.
public final class ModelTrunk {
  public let configuration: ModelConfiguration
  public let store: ParameterStore
  public let videoEncoder: VideoEncoder

  public init(_ configuration: ModelConfiguration, backend: any Backend) {
    self.configuration = configuration
    store = ParameterStore(backend: backend)
    videoEncoder = VideoEncoder(
      ParameterScope(store, deviation: configuration.cross.initializerRange)["v_encoder"], configuration)
  }

  /// Where heads declare their parameters.
  var scope: ParameterScope { ParameterScope(store, deviation: configuration.cross.initializerRange) }
}

/// A model: the trunk, and the heads of a family of tasks.
public protocol HeroModel: AnyObject {
  /// Declares the parameters, whose values are drawn or loaded afterwards.
  init(_ configuration: ModelConfiguration, backend: any Backend)
  var trunk: ModelTrunk { get }
}

extension HeroModel {
  public var configuration: ModelConfiguration { trunk.configuration }
  public var store: ParameterStore { trunk.store }
  public var videoEncoder: VideoEncoder { trunk.videoEncoder }
  /// Words that scores of words are about; later columns are padding.
  public var vocabulary: Int { videoEncoder.cross.head.vocabulary }
}
