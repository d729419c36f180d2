import Corpus
import Formats

extension RunConfiguration {
  /// Returns the value of an option that the work requires.
  func required(_ option: KeyPath<RunOptions, RunOption<String?>>) throws -> String {
    guard let value = self[dynamicMember: option], !value.isEmpty else { throw missing(option) }
    return value
  }

  func missing(_ option: PartialKeyPath<RunOptions>) -> DataError {
    let name = RunOptions.named(option)
    return DataError(
      "\"\(name)\" is not given",
      cure: "Set it in the configuration file or as \(RunOptions.named(name)?.flag ?? name)")
  }

  /// The channels of a video that the run reads.
  var videoChannels: VideoChannels { self.channels ?? task.channels }

  /// - Throws: `DataError` if `channels` contradicts the task's name.
  func checkChannels() throws {
    guard let channels = self.channels, task.namesChannels, channels != task.channels else { return }
    throw DataError(
      "\"channels\" is \(channels.rawValue), but the task \(task.rawValue) reads \(task.channels.rawValue)",
      cure: "Leave one of the two out")
  }

  /// Makes a reader of the stores that the options name.
  /// - Parameter cls: the id of `[CLS]`, which replaces the text if no subtitles are read.
  func videoReader(of stores: OpenedStores, cls: @autoclosure () throws -> Int32) throws -> VideoReader {
    try videoReader(
      required(\.videos), subtitles: videoChannels == .video ? nil : required(\.subtitles), of: stores,
      cls: cls())
  }

  /// Makes a reader of stores that cuts and joins videos as the options say.
  /// - Parameters:
  ///   - subtitles: nil for frames alone.
  ///   - stores: the open stores.
  ///   - cls: the id of `[CLS]`.
  func videoReader(
    _ features: String, subtitles: String?, of stores: OpenedStores, cls: @autoclosure () throws -> Int32
  ) throws -> VideoReader {
    let features = try stores.features(
      features, featureVersion: self.featureVersion, frameLength: self.frameInterval,
      compressed: self.compressed)
    guard let subtitles, videoChannels != .video else {
      return VideoReader(features: features, videoOnly: try cls(), maxClipLength: self.maxClipLength)
    }
    return VideoReader(
      features: features, subtitles: try stores.subtitles(subtitles), maxClipLength: self.maxClipLength,
      contextLength: self.subtitleContext, textAlone: videoChannels == .subtitles)
  }
}
