import Corpus
import Formats

extension RunConfiguration {
  /// The value of an option that the work cannot do without.
  func required(_ option: KeyPath<RunOptions, RunOption<String?>>) throws -> String {
    let name = RunOptions.shared[keyPath: option].name
    guard let value = self[dynamicMember: option], !value.isEmpty else {
      throw DataError("\"\(name)\" is not given", cure: "Set it in the configuration file or as --\(name)")
    }
    return value
  }

  /// The reader of the stores that the options name.
  /// - Parameter store: the text store that goes with them; where the task has no subtitles its `[CLS]` is their text.
  func videoReader(for store: String) throws -> VideoReader {
    let features = try FeatureStore(
      path: try required(\.videos), featureVersion: self.featureVersion, frameLength: self.frameInterval,
      compressed: self.compressed)
    if task.isVideoOnly {
      return VideoReader(
        features: features, videoOnly: try StoreMeta(path: store + "/meta.json").cls,
        maxClipLength: self.maxClipLength)
    }
    return VideoReader(
      features: features, subtitles: try SubtitleStore(path: try required(\.subtitles)),
      maxClipLength: self.maxClipLength, contextLength: self.subtitleContext)
  }
}
