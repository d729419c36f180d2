import Corpus
import Model

/// Gathers the passes of a batch: each video is read once, however many texts are asked of it.
struct AskedVideos {
  private let reader: VideoReader
  private let model: ModelConfiguration
  private var places: [String: Int] = [:]
  private var videos: [VideoItem] = []
  private(set) var passes: [(video: Int, text: [Int32])] = []

  init(_ reader: VideoReader, model: ModelConfiguration) {
    self.reader = reader
    self.model = model
  }

  /// Adds a pass with each of the texts over a video.
  /// - Parameter item: what asks, for messages.
  /// - Returns: the video's frames.
  mutating func ask(_ name: String, _ texts: [[Int32]], item: String) throws -> Int {
    for text in texts { try checkTokens(text, model, item) }
    if places[name] == nil {
      let video = try reader.read(name)
      places[name] = videos.count
      videos.append(video)
    }
    let place = places[name, default: 0]
    passes += texts.map { (place, $0) }
    return videos[place].frameCount
  }

  /// The batch of the passes so far.
  func batch(
    pairsPerQuestion: [Int], targets: [Int], spans: [FrameSpan] = []
  ) throws -> QuestionBatch {
    QuestionBatch(
      videos: try VideoBatch(videos, passes: passes, model: model), texts: passes.map(\.text),
      pairsPerQuestion: pairsPerQuestion, targets: targets, spans: spans)
  }
}
