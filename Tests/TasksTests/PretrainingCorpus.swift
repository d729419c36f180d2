import Corpus
import Formats
import Model
import TestSupport
import Testing

@testable import Tasks

/// The golden corpus, to pre-train on.
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
    // In two lists, as corpora of several stores have them.
    let half = ids.count / 2
    return try PretrainingVideos([(reader, Array(ids[..<half])), (reader, Array(ids[half...]))])
  }

  static func loader(
    _ objective: PretrainingObjective, options: PretrainingOptions = PretrainingOptions()
  ) throws -> PretrainingLoader {
    try PretrainingLoader(
      objective, videos: videos(), options: options,
      model: try Golden.configuration(try Golden.checkpoint("pretrain")),
      skips: SkipReport { error, _ in Issue.record("left out: \(error)") })
  }
}
