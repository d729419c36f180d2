import Corpus

/// The stores and the model of a run on one corpus, opened and checked.
struct OpenedRun {
  let reader: VideoReader
  let model: OpenedModel

  /// - Parameters:
  ///   - cls: the id of `[CLS]`, which is the text of a task without subtitles; nil for subtitles in any case.
  ///   - folder: a run to evaluate; its own model configuration counts then.
  ///   - checkpoint: the checkpoint to evaluate; else the configuration's.
  init(
    _ configuration: RunConfiguration, cls: Int32? = nil, folder: RunFolder? = nil,
    checkpoint: String? = nil, log: RunLog
  ) throws {
    let assembly = RunAssembly(configuration: configuration)
    let features = try assembly.features()
    if let cls, configuration.task.isVideoOnly {
      reader = VideoReader(
        features: features, videoOnly: cls, maxClipLength: configuration.maxClipLength)
    } else {
      reader = VideoReader(
        features: features, subtitles: try assembly.subtitles(), maxClipLength: configuration.maxClipLength,
        contextLength: configuration.subtitleContext)
    }
    model = try OpenedModel(
      configuration, featureWidth: try features.width(), folder: folder, checkpoint: checkpoint, log: log)
  }
}
