import Corpus
import Formats
import Model

/// The videos of a batch, each read once however many items use it.
struct BatchVideos {
  let reader: VideoReader
  let model: ModelConfiguration
  private var places: [Name: Int] = [:]
  private(set) var items: [VideoItem] = []

  init(_ reader: VideoReader, model: ModelConfiguration) { (self.reader, self.model) = (reader, model) }

  /// Returns the place of a video among `items`.
  /// - Throws: `DataError` for a video that cannot be read, or that the model cannot take.
  mutating func place(of name: String) throws -> Int {
    if let place = places[name] { return place }
    let item = try reader.read(name)
    try item.check(model)
    items.append(item)
    places[name] = items.count - 1
    return items.count - 1
  }
}
