import Corpus
import Formats

/// The videos to pre-train on: lists of ids, each with the stores that hold its videos.
public struct PretrainingVideos: Sendable {
  /// One list of ids; large corpora have a feature store for each of several.
  public struct Part: Sendable {
    public let reader: VideoReader
    public let ids: [String]
    let meta: StoreMeta

    /// - Parameter reader: has subtitles.
    public init(reader: VideoReader, ids: [String]) {
      guard let subtitles = reader.subtitles else { preconditionFailure("pre-training reads subtitles") }
      self.reader = reader
      self.ids = ids
      meta = subtitles.meta
    }
  }

  public let parts: [Part]
  /// Videos of the lists that have no frames, and are not used.
  public let withoutFrames: [String]
  private let starts: [Int]

  /// Looks into the stores' side files only.
  /// - Throws: `DataError` naming the first video that a store lacks.
  public init(_ parts: [Part]) throws {
    var kept: [Part] = []
    var withoutFrames: [String] = []
    for part in parts {
      try part.reader.check(part.ids)
      let isEmpty = { (id: String) in part.reader.frameCount(of: id) == 0 }
      withoutFrames += part.ids.filter(isEmpty)
      kept.append(Part(reader: part.reader, ids: part.ids.filter { !isEmpty($0) }))
    }
    self.parts = kept
    self.withoutFrames = withoutFrames
    starts = kept.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1.ids.count) }
  }

  /// Videos in all.
  public var count: Int { starts[parts.count] }

  /// The list that video `number` is in, and its id.
  func video(_ number: Int) -> (part: Part, id: String) {
    let place = parts.indices.last { starts[$0] <= number } ?? 0
    return (parts[place], parts[place].ids[number - starts[place]])
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
