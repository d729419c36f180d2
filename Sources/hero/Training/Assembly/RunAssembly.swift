import Corpus
import Engine
import Formats
import Model
import Tasks

/// Opens what a configuration names: stores, readers, the model's shape.
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

  func subtitles() throws -> SubtitleStore? {
    configuration.task.isVideoOnly
      ? nil : try SubtitleStore(path: try required(configuration.subtitles, "sub_txt_db"))
  }

  /// - Parameter cls: the id of `[CLS]`, the text of a video without subtitles.
  func reader(_ features: FeatureStore, _ subtitles: SubtitleStore?, cls: Int32) -> VideoReader {
    guard let subtitles else {
      return VideoReader(features: features, videoOnly: cls, maxClipLength: configuration.maxClipLength)
    }
    return VideoReader(
      features: features, subtitles: subtitles, maxClipLength: configuration.maxClipLength,
      contextLength: configuration.subtitleContext)
  }

  /// The model's shape: `model_config`, the store's feature width, the checkpoint's frame positions.
  /// - Parameters:
  ///   - json, file: the content of `model_config` and its name.
  ///   - vocabulary: ids that the stores may hold.
  func model(_ json: JSON, file: String, featureWidth: Int, checkpoint: Checkpoint?) throws
    -> ModelConfiguration
  {
    // The reference's MAX_FRM_SEQ_LEN.
    let positions = try checkpoint?.framePositions() ?? max(100, configuration.maxClipLength)
    let model = try ModelConfiguration(
      json, file: file, featureWidth: featureWidth, framePositions: positions)
    guard configuration.maxClipLength <= model.temporal.positions else {
      throw DataError(
        "\"max_clip_len\" is \(configuration.maxClipLength), the model has \(model.temporal.positions) positions",
        file: file, cure: "Lower --max-clip-len or raise \"max_position_embeddings\" of \"c_config\"")
    }
    return model
  }

  /// Takes a checkpoint over where one is given, else draws the weights.
  func initialize(_ store: ParameterStore, from checkpoint: Checkpoint?, log: RunLog) throws {
    store.initialize(seed: UInt64(configuration.seed))
    guard let checkpoint else {
      log.info("no checkpoint: weights are random")
      return
    }
    let report = try store.load(checkpoint)
    log.info("\(checkpoint.path): \(report.loaded.count) parameters loaded")
    if !report.missing.isEmpty {
      log.info("not in the checkpoint: \(Self.brief(report.missing))")
    }
    if !report.unused.isEmpty {
      log.info("without a place in the model: \(Self.brief(report.unused))")
    }
  }

  /// A list of names that fits a log line or two.
  private static func brief(_ names: [String]) -> String {
    let shown = 6
    let head = names.prefix(shown).joined(separator: ", ")
    return names.count > shown ? "\(head) and \(names.count - shown) more" : head
  }

  /// Takes over a checkpoint that must hold the whole model.
  func load(_ store: ParameterStore, _ checkpoint: Checkpoint) throws {
    let report = try store.load(checkpoint)
    // What nothing uses need not be there.
    let missing = report.missing.filter { !$0.contains("pooler.") }
    guard missing.isEmpty else {
      throw DataError(
        "lacks \(missing.count) of the model's parameters, such as \"\(missing[0])\"", file: checkpoint.path,
        cure: "Give a checkpoint of the task")
    }
  }
}
