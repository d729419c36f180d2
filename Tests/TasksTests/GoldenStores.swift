import Corpus
import Engine
import Formats
import Model
import Testing

@testable import Tasks

/// The reference's stores, read with the options that made its answers.
enum GoldenStores {
  static func path(_ name: String) throws -> String {
    Golden.folder + "/" + name
  }

  static func interval() throws -> Double { try #require(try Golden.options()["frame_interval"]?.double) }

  static func videos(maxClipLength: Int? = nil) throws -> VideoReader {
    let options = try Golden.options()
    return VideoReader(
      features: try FeatureStore(path: path("db/video_db/tv"), frameLength: interval()),
      subtitles: try SubtitleStore(path: path("db/txt_db/tv_subtitles.db")),
      maxClipLength: try maxClipLength ?? #require(options["max_clip_len"]?.int),
      contextLength: try #require(options["sub_ctx_len"]?.int))
  }

  static func model(_ checkpoint: String) throws -> ModelConfiguration {
    try Golden.configuration(Golden.checkpoint(checkpoint))
  }

  static func questions(
    _ split: String, _ purpose: QuestionLoader<QAStore>.Purpose = .training(maxTextLength: -1),
    model: ModelConfiguration? = nil, onSkip: @escaping @Sendable (DataError) -> Void = { _ in }
  ) throws -> QuestionLoader<QAStore> {
    try QuestionLoader(
      QAStore(path: path("db/txt_db/tvqa_\(split).db")), videos: videos(), purpose: purpose,
      frameInterval: interval(), model: model ?? self.model("tvqa"),
      skips: SkipReport { error, _ in onSkip(error) })
  }

  static func statements(
    _ split: String, _ purpose: QuestionLoader<ViolinStore>.Purpose
  ) throws -> QuestionLoader<ViolinStore> {
    try QuestionLoader(
      ViolinStore(path: path("db/txt_db/violin_\(split).db")), videos: videos(), purpose: purpose,
      frameInterval: interval(), model: model("violin"))
  }

  static func captions(
    _ split: String, maxTextLength: Int = -1, captionsPerVideo: Int = -1, maxClipLength: Int? = nil,
    onSkip: @escaping @Sendable (DataError) -> Void = { _ in }
  ) throws -> CaptionLoader {
    try CaptionLoader(
      captions: [CaptionStore(path: path("db/txt_db/tvc_\(split).db"))],
      videos: videos(maxClipLength: maxClipLength), maxTextLength: maxTextLength,
      captionsPerVideo: captionsPerVideo, frameInterval: interval(), model: model("tvc"),
      skips: SkipReport { error, _ in onSkip(error) })
  }
}

extension VideoBatch {
  /// The rows of features in one array.
  var allFeatures: [Float] { features.flatMap { $0 } }
}

/// One video of a batch by itself, however the batch shares or numbers rows.
struct Pass: Equatable {
  var features: [Float]
  var sequences: [SubtitleSequence]

  static func all(of batch: VideoBatch) -> [Pass] {
    var first = 0
    return batch.lengths.map { length in
      let frames = first..<first + length
      first += length
      let rows = frames.map { batch.featureRows?[$0] ?? $0 }
      return Pass(
        features: rows.flatMap { row in
          batch.allFeatures[row * batch.featureWidth..<(row + 1) * batch.featureWidth]
        },
        sequences: batch.sequences.filter { $0.frames.contains(where: frames.contains) }.map { sequence in
          SubtitleSequence(
            frames: sequence.frames.map { $0 - frames.lowerBound }, tokens: sequence.tokens)
        })
    }
  }
}

/// Returns the item of which a loader makes a matching batch.
func item<Loader: BatchLoader>(
  of loader: Loader, where matches: (Loader.Batch) -> Bool
) throws -> Int {
  let found = try (0..<loader.itemCount).first { item in
    try loader.batch(of: [item], random: RandomStream(seed: 0, stream: 0)).map(matches) ?? false
  }
  return try #require(found, "no item makes that batch")
}
