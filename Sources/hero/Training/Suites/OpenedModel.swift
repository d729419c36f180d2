import Engine
import Formats
import Foundation
import Model

/// The model of a run: its shape, and the checkpoint that it starts from or is evaluated with.
struct OpenedModel {
  /// The shape that the files say.
  let shape: ModelConfiguration
  /// The shape with the run's dropout.
  let training: ModelConfiguration
  private let checkpoint: Checkpoint?
  private let json: JSON
  private let file: String
  private let configuration: RunConfiguration
  private let log: RunLog

  /// - Parameters:
  ///   - parts: the parts that the model is built of.
  ///   - featureWidth: the width of the features in the stores.
  ///   - saved: a run and its weights to evaluate; the run's own model configuration then counts.
  init(
    _ configuration: RunConfiguration, parts: Set<ModelKeys.Part>, featureWidth: Int,
    saved: (run: RunFolder, weights: Checkpoint)? = nil, log: RunLog
  ) throws {
    (self.configuration, self.log) = (configuration, log)
    // A folder in the Hub's layout contains the shape of its model.
    file =
      try saved?.run.modelConfiguration ?? configuration.modelConfiguration
      ?? configuration.checkpoint.flatMap(ModelCard.configuration)
      ?? configuration.required(\.modelConfiguration)
    json = try JSON.read(path: file)
    let dropout = saved == nil ? Float(configuration.dropout) : nil
    let keys = try ModelKeys(json, file: file, parts: parts, dropout: dropout)
    for key in keys.unknown { log.warning("\(file): \(key)") }
    if saved == nil, !keys.idle.isEmpty {
      log.info("\(file): keys without effect here: \(keys.idle.joined(separator: "; "))")
    }
    checkpoint =
      try saved?.weights ?? configuration.checkpoint.map { try Checkpoint(path: RunFolder.weights($0)) }
    checkpoint?.notes.forEach(log.info)
    // A model to evaluate has the shape of its checkpoint. A model to train may have longer clips
    // than the checkpoint that it starts from.
    shape = try ModelConfiguration(
      json, file: file, featureWidth: featureWidth, checkpoint: checkpoint,
      clipLength: saved == nil ? configuration.maxClipLength : 0)
    guard configuration.maxClipLength <= shape.temporal.positions else {
      throw DataError(
        "\"max_clip_len\" is \(configuration.maxClipLength), the model has \(shape.temporal.positions) positions",
        file: file, cure: "Lower --max-clip-len or raise \"max_position_embeddings\" of \"c_config\"")
    }
    var dropped = shape
    if let dropout { dropped.setDropout(dropout) }
    training = dropped
    try checkFusion()
  }

  /// - Throws: `DataError` if the run asks one of VALUE's fusion models for what it cannot do.
  private func checkFusion() throws {
    guard shape.fusion != .hierarchical else { return }
    guard configuration.family != .pretraining else {
      throw DataError(
        "asks for VALUE's fusion model \(shape.fusion), which is fine-tuned alone", file: file,
        cure: "Pre-train with HERO's model, and start --checkpoint from that")
    }
    guard configuration.videoChannels != .subtitles else {
      throw DataError(
        "asks for VALUE's fusion model \(shape.fusion), which reads frames", file: file,
        cure: "Train subtitles alone with HERO's model, or give --channels both or video")
    }
  }

  /// - Throws: `DataError` if the model exceeds the limits of the device's kernels.
  func require(_ backend: any Backend) throws { try shape.require(backend.limits, file: file) }

  /// Initializes the weights, and takes what fits from the checkpoint to start from.
  /// - Returns: what the weights start from, for the log.
  func draw(_ store: ParameterStore) throws -> String {
    store.initialize(seed: UInt64(configuration.seed))
    var start = "no checkpoint: weights are random"
    if let checkpoint {
      if configuration.skipsLayers, !checkpoint.isLanguageModel {
        log.info("skip_layer_loading has no effect: \(checkpoint.path) is a HERO, whose layers are all taken")
      }
      let report = try store.start(
        from: checkpoint, layers: shape.cross.layers, skippingLayers: configuration.skipsLayers)
      start = "\(checkpoint.path)\n\(report.table.rendered())"
    }
    return start
  }

  /// Makes the run's folder and begins its log.
  func begin(_ folder: RunFolder, resume: Bool) throws {
    try folder.create(configuration: configuration, modelConfiguration: json, resuming: resume)
    try log.attach(path: folder.logFile)
  }

  /// Loads a checkpoint that must hold the whole model.
  func load(_ store: ParameterStore) throws {
    guard let checkpoint else { throw DataError("no checkpoint is given", cure: "Give --checkpoint") }
    let report = try store.load(checkpoint)
    for note in report.notes { log.info("\(checkpoint.path): \(note)") }
    // Nothing uses the poolers, so they may be missing.
    let missing = report.missing.filter { !$0.contains("pooler.") }
    guard missing.isEmpty else {
      throw DataError(
        "lacks \(missing.count) of the model's parameters, such as \"\(missing[0])\""
          + (report.unused.first.map { "; it holds others, such as \"\($0.prefix(100))\"" } ?? ""),
        file: checkpoint.path,
        cure: "Give a checkpoint of the task")
    }
  }
}
