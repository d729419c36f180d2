import Corpus
import Formats

/// Opens what a configuration names.
struct RunAssembly {
  let configuration: RunConfiguration

  /// The value of an option that the work cannot do without.
  func required(_ value: String?, _ name: String) throws -> String {
    guard let value, !value.isEmpty else {
      throw DataError("\"\(name)\" is not given", cure: "Set it in the configuration file or as --\(name)")
    }
    return value
  }

  func features() throws -> FeatureStore {
    try FeatureStore(
      path: try required(configuration.videos, "vfeat_db"), featureVersion: configuration.featureVersion,
      frameLength: configuration.frameInterval, compressed: configuration.compressed)
  }

  func subtitles() throws -> SubtitleStore {
    try SubtitleStore(path: try required(configuration.subtitles, "sub_txt_db"))
  }
}
