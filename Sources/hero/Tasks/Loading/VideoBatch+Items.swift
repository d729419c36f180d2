import Corpus
import Formats
import Model

extension VideoBatch {
  /// Packs videos as the stores hold them.
  /// - Parameter model: what it reads: the width of features, the ids it knows.
  /// - Throws: `DataError` naming a video whose text has other ids, or whose frames have another width.
  init(_ videos: [VideoItem], model: ModelConfiguration) throws {
    var features: [Float] = []
    features.reserveCapacity(videos.reduce(0) { $0 + $1.features.count })
    var sequences: [SubtitleSequence] = []
    var first = 0
    for video in videos {
      guard video.featureWidth == model.featureWidth else {
        throw DataError(
          "its features are \(video.featureWidth) wide, the model reads \(model.featureWidth)",
          place: "video \"\(video.name)\"", cure: "Make the feature store from one set of features")
      }
      features += video.features
      for subtitle in video.subtitles {
        try checkTokens(subtitle.tokens, model, "video \"\(video.name)\"")
        guard subtitle.frames.count <= model.framePositions else {
          throw DataError(
            "a sentence has \(subtitle.frames.count) frames, the model \(model.framePositions) positions",
            place: "video \"\(video.name)\"", cure: "Lower max_clip_len")
        }
        sequences.append(
          SubtitleSequence(frames: subtitle.frames.map { first + $0 }, tokens: subtitle.tokens))
      }
      first += video.frameCount
    }
    self.init(
      features: features, featureWidth: model.featureWidth, lengths: videos.map(\.frameCount),
      sequences: sequences)
  }
}

/// - Throws: `DataError` for ids that the model's vocabulary lacks.
func checkTokens(_ tokens: [Int32], _ model: ModelConfiguration, _ place: String) throws {
  for token in tokens where token < 0 || token >= model.vocabularyRows {
    throw DataError(
      "holds the token \(token), the model knows \(model.vocabularyRows)", place: place,
      cure: "Use the stores and the model of one tokenizer")
  }
}
