import Corpus
import Formats
import Model

/// The videos to pre-train on: lists of ids, each with the stores that hold its videos.
///
/// They are numbered as they lie in the stores, so that `EpochOrder` visits neighbouring pages
/// together.
public struct PretrainingVideos: Sendable {
  /// One list of ids; large corpora have a feature store for each of several.
  struct Part: Sendable {
    let reader: VideoReader
    let meta: StoreMeta
    /// The videos' numbers in the feature store, ascending.
    let numbers: [UInt32]
  }

  let parts: [Part]
  /// Videos of the lists that have no frames, and are not used.
  public let withoutFrames: [String]
  /// Videos of the lists that the stores lack, and are not used: of millions some are always gone.
  public let missing: [String]
  private let starts: [Int]

  /// Looks into the stores' side files only.
  /// - Parameter lists: ids with the reader of their stores, which has subtitles.
  /// - Throws: `DataError` naming the first video of a list of which the stores have none.
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

  /// Videos in all.
  public var count: Int { starts[parts.count] }

  /// The list that video `number` is in, and its id.
  func video(_ number: Int) -> (part: Part, id: String) {
    let place = parts.indices.last { starts[$0] <= number } ?? 0
    let part = parts[place]
    return (part, part.reader.features.videos[Int(part.numbers[number - starts[place]])])
  }

  /// The first store, for messages.
  var path: String { parts.first?.reader.features.path ?? "" }

  /// Checks whether most videos can be used by a model, before any work is done.
  /// - Throws: `DataError` where more than half cannot.
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
