import Corpus
import Model

extension VideoBatch {
  /// Packs videos as the stores hold them.
  init(_ videos: [VideoItem]) {
    var features: [Float] = []
    features.reserveCapacity(videos.reduce(0) { $0 + $1.features.count })
    var sequences: [SubtitleSequence] = []
    var first = 0
    for video in videos {
      features += video.features
      sequences += video.subtitles.map { subtitle in
        SubtitleSequence(frames: subtitle.frames.map { first + $0 }, tokens: subtitle.tokens)
      }
      first += video.frameCount
    }
    self.init(
      features: features, featureWidth: videos.first?.featureWidth ?? 0, lengths: videos.map(\.frameCount),
      sequences: sequences)
  }
}
