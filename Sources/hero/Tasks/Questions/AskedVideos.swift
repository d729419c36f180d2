import Corpus
import Formats
import Model

/// The videos of a batch: each is read once, however often it is asked for.
struct BatchVideos {
  let reader: VideoReader
  let model: ModelConfiguration
  private var places: [Name: Int] = [:]
  private(set) var items: [VideoItem] = []

  init(_ reader: VideoReader, model: ModelConfiguration) { (self.reader, self.model) = (reader, model) }

  /// The place of a video among `items`.
  /// - Throws: `DataError` for a video that cannot be read, or that the model cannot.
  mutating func place(of name: String) throws -> Int {
    if let place = places[name] { return place }
    let item = try reader.read(name)
    try item.check(model)
    items.append(item)
    places[name] = items.count - 1
    return items.count - 1
  }
}

/// Gathers the passes of a batch.
struct AskedVideos {
  private let model: ModelConfiguration
  private var videos: BatchVideos
  private(set) var passes: [(video: Int, text: [Int32])] = []

  init(_ reader: VideoReader, model: ModelConfiguration) {
    videos = BatchVideos(reader, model: model)
    self.model = model
  }

  /// Adds a pass with each of the texts over a video.
  /// - Parameter item: what asks, for messages.
  /// - Returns: the video's frames.
  mutating func ask(_ name: String, _ texts: [[Int32]], item: String) throws -> Int {
    for text in texts { try checkTokens(text, model, item) }
    let place = try videos.place(of: name)
    passes += texts.map { (place, $0) }
    return videos.items[place].frameCount
  }

  /// The batch of the passes so far.
  func batch(
    pairsPerQuestion: [Int], targets: [Int], spans: [FrameSpan] = []
  ) throws -> QuestionBatch {
    QuestionBatch(
      videos: try VideoBatch(videos.items, passes: passes, model: model), texts: passes.map(\.text),
      pairsPerQuestion: pairsPerQuestion, targets: targets, spans: spans)
  }
}
