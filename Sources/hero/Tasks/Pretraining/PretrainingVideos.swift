import Corpus
import Formats
import Model

/// The videos of pre-training: lists of ids, each with the stores that hold its videos.
///
/// Videos are numbered by their place in the stores, so `EpochOrder` visits neighbouring pages
/// together.
public struct PretrainingVideos: Sendable {
  /// One list of ids; a large corpus has several, each with its own feature store.
  struct Part: Sendable {
    let reader: VideoReader
    let meta: StoreMeta
    /// The videos' numbers in the feature store, ascending.
    let numbers: [UInt32]
  }

  let parts: [Part]
  /// The listed videos without frames, which are skipped.
  public let withoutFrames: [String]
  /// The listed videos missing from the stores, which are skipped: large corpora always lack some.
  public let missing: [String]
  private let starts: [Int]

  /// Reads the stores' side files only.
  /// - Parameter lists: ids with the reader of their stores, which has subtitles.
  /// - Throws: `DataError` naming the first video of a list if the stores have none of its videos.
  public init(_ lists: [(reader: VideoReader, ids: [String])]) throws {
    var (withoutFrames, missing): ([String], [String]) = ([], [])
    parts = try lists.map { reader, ids in
      guard let subtitles = reader.subtitles else { preconditionFailure("pre-training reads subtitles") }
      var numbers: [UInt32] = []
      for id in ids {
        guard let number = reader.features.number(of: id), subtitles.contains(id) else {
          missing.append(id)
          continue
        }
        if reader.frameCount(of: id) == 0 { withoutFrames.append(id) } else { numbers.append(UInt32(number)) }
      }
      if numbers.isEmpty { try reader.check(ids) }
      return Part(reader: reader, meta: subtitles.meta, numbers: numbers.sorted())
    }
    self.withoutFrames = withoutFrames
    self.missing = missing
    starts = parts.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1.numbers.count) }
  }

  /// The number of videos.
  public var count: Int { starts[parts.count] }

  /// Returns the list that holds video `number`, and the video's id.
  func video(_ number: Int) -> (part: Part, id: String) {
    let place = parts.indices.last { starts[$0] <= number } ?? 0
    let part = parts[place]
    return (part, part.reader.features.videos[Int(part.numbers[number - starts[place]])])
  }

  /// The path of the first store, for messages.
  var path: String { parts.first?.reader.features.path ?? "" }

  /// Checks, before any work, whether a model can use most videos.
  /// - Throws: `DataError` if it cannot use more than half.
  public func requireUsable(for model: ModelConfiguration) throws {
    try requireMost(of: 0..<count, "videos to validate on", file: path) { number in
      let (part, id) = video(number)
      try DataError.locating(file: part.reader.features.path, place: "video \"\(id)\"") {
        try part.reader.read(id).check(model)
      }
    }
  }

  /// Reads a list of ids: a JSON array of names, as `pretrain_splits/tv_train.json`.
  public static func readIDs(path: String) throws -> [String] {
    guard let names = try JSON.read(path: path).array else {
      throw DataError("not a list of video names", file: path, cure: "Give a JSON array of strings")
    }
    return try names.enumerated().map { number, name in
      guard let name = name.string else {
        throw DataError(
          "not the name of a video", file: path, place: "entry \(number)",
          cure: "Give a JSON array of strings")
      }
      return name
    }
  }
}
