import Corpus
import Formats
import Model
import TestSupport
import Testing

@testable import Tasks

/// The golden corpus for pre-training.
enum PretrainingCorpus {
  static func path(_ name: String) throws -> String { Golden.folder + "/" + name }

  static func reader() throws -> VideoReader {
    let options = try Golden.options()
    return VideoReader(
      features: try FeatureStore(
        path: path("db/video_db/tv"), frameLength: try #require(options["frame_interval"]?.double)),
      subtitles: try SubtitleStore(path: path("db/txt_db/tv_subtitles.db")),
      maxClipLength: try #require(options["max_clip_len"]?.int),
      contextLength: try #require(options["sub_ctx_len"]?.int))
  }

  static func videos() throws -> PretrainingVideos {
    let reader = try reader()
    let ids = try PretrainingVideos.readIDs(path: path("corpus/pretrain_splits/tv_train.json"))
    // Two lists, as in corpora of several stores.
    let half = ids.count / 2
    return try PretrainingVideos([(reader, Array(ids[..<half])), (reader, Array(ids[half...]))])
  }

  static func loader<Asked: Objective>(
    _: Asked.Type, _ configure: (inout PretrainingSettings) -> Void = { _ in }
  ) throws -> PretrainingLoader<Asked> {
    var settings = PretrainingSettings()
    configure(&settings)
    return try PretrainingLoader(
      Asked(settings), videos: videos(), maxTextLength: settings.maxTextLength,
      model: try Golden.configuration(try Golden.checkpoint("pretrain")), skips: skips)
  }

  private static var skips: SkipReport { SkipReport { error, _ in Issue.record("left out: \(error)") } }

  /// Returns the reference's settings, with VSM's span loss from the first update.
  static func settings() throws -> PretrainingSettings {
    var settings = PretrainingSettings()
    settings.ranking = try RetrievalGoldenTests.options()
    settings.curriculum.spanStart = 0
    return settings
  }

  static func source(
    _ objective: PretrainingObjective, _ model: PretrainingModel? = nil
  ) throws -> any PretrainingSource {
    try objective.source(
      named: "\(objective.name)_tv_all",
      model ?? RetrievalGoldenTests.model("pretrain", PretrainingModel.self), videos(), settings(),
      skips: skips)
  }
}
