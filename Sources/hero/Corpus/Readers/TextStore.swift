import Formats
import Foundation

/// The common part of the stores of queries, questions and statements: ids with their lengths and
/// videos, and rows.
///
/// Opening reads the side files only, and of them only what a run needs, so a store with a million
/// ids opens in seconds. A row is read and decoded on request.
public struct TextStore: Sendable {
  let path: String
  let meta: StoreMeta
  /// The ids of `id2len.json`, in its order.
  let identifiers: IdentifierTable
  /// The number of tokens of each id's text and of its longest answer (0 where there are none).
  let lengths: [(own: Int32, longestAnswer: Int32)]
  /// The distinct videos of the ids, in the order of the side file.
  let videos: IdentifierTable
  private let videoNumbers: [Int32]
  private let reader: LMDBReader

  /// - Parameter holds: returns whether a store of such content is wanted.
  init(path: String, where holds: (TextStoreTask.Content) -> Bool) throws {
    self.path = path
    meta = try StoreMeta(path: path + "/meta.json")
    try meta.require(holds, path: path)
    for (file, what) in [("vid2len.json", "subtitles"), ("cap.db", "captions")]
    where FileManager.default.fileExists(atPath: "\(path)/\(file)") {
      throw DataError(
        "is a store of \(what)", file: path, cure: "Give the store of the task that is asked for")
    }
    reader = try LMDBReader(path: path)
    let (identifiers, lengths) = try IdentifierTable.read(
      path: path + "/id2len.json", expecting: "a length, nor a list of lengths", Self.length)
    guard identifiers.count > 0 else {
      throw DataError("lists no items", file: path + "/id2len.json", cure: "Make the store again")
    }
    var videos = IdentifierTable()
    var videoNumbers: [Int32] = []
    let videoFile = path + "/query2video.json"
    if FileManager.default.fileExists(atPath: videoFile) {
      videoNumbers = [Int32](repeating: -1, count: identifiers.count)
      var listed = 0
      try JSON.readMembers(path: videoFile) { id, value in
        listed += 1
        guard let video = value.string else {
          throw DataError(
            "\(value.shown) is not a video's name", file: videoFile, place: "key \"\(id)\"",
            cure: "Make the store again")
        }
        guard let number = identifiers.number(of: id) else { return }
        videoNumbers[number] = Int32(clamping: videos.insert(video))
      }
      if listed > 0, videos.count == 0 {
        Notice.tell("\(videoFile): names the video of none of the store's items; its rows count")
      }
    }
    let listFile = path + "/video_ids.json"
    if videos.count == 0, FileManager.default.fileExists(atPath: listFile) {
      for video in try Self.videoNames(path: listFile) { _ = videos.insert(video) }
    }
    if reader.count != identifiers.count {
      Notice.tell(
        "\(path)/id2len.json: lists \(identifiers.count) items, of which the store has \(reader.count); "
          + "only what is listed is used. Make the store again if that is not meant")
    }
    self.identifiers = identifiers
    self.lengths = lengths
    self.videos = videos
    self.videoNumbers = videoNumbers
  }

  private static func length(_ value: JSON) -> (own: Int32, longestAnswer: Int32)? {
    let count = IdentifierTable.count
    if let own = count(value) { return (own, 0) }
    guard let list = value.array, let first = list.first, let own = count(first) else { return nil }
    var longest: Int32 = 0
    for element in list.dropFirst() {
      guard let answer = count(element) else { return nil }
      longest = max(longest, answer)
    }
    return (own, longest)
  }

  /// Reads the names in a `video_ids.json`, which holds a list, or lists by split.
  private static func videoNames(path: String) throws -> [String] {
    let json = try JSON.read(path: path)
    let lists = json.object?.values ?? [json]
    return try lists.flatMap { list in
      guard let names = list.array?.compactMap(\.string), names.count == list.array?.count else {
        throw DataError("not a list of video names", file: path, cure: "Make the store again")
      }
      return names
    }
  }

  var ids: [String] { identifiers.names }

  /// Returns the video of an id in the side file, or nil if that has none.
  func video(of id: String) -> String? {
    guard let number = identifiers.number(of: id), number < videoNumbers.count, videoNumbers[number] >= 0
    else { return nil }
    return videos.names[Int(videoNumbers[number])]
  }

  func record(_ id: String) throws -> StoreRecord { try reader.record(id, of: path) }

  /// Returns the video of a row: the side file's, or else the row's own.
  ///
  /// Reports once if both name a video and the two differ.
  func video(of id: String, in record: StoreRecord) -> String? {
    guard let listed = video(of: id) else { return record.video }
    if let own = record.video, !own.hasSameBytes(as: listed) {
      Notice.tell(
        "\(path)/query2video.json: says that \"\(id)\" is about \(listed.spelled), its row that it is about "
          + "\(own.spelled); the file counts. Make the store again",
        among: "items of \(path) whose rows name another video")
    }
    return listed
  }
}

/// A store of queries, questions or statements, which threads may share.
public protocol AnnotationStore: Sendable {
  /// The ids, lengths, videos and rows.
  var texts: TextStore { get }
  /// Opens the store; reads its side files only.
  init(path: String) throws
}

extension AnnotationStore {
  /// The folder, as the user named it.
  public var path: String { texts.path }

  /// The special tokens that the store was made with.
  public var meta: StoreMeta { texts.meta }

  /// The ids in the order of `id2len.json`.
  public var ids: [String] { texts.ids }

  /// Returns the ids whose text and longest answer have at most `maxTextLength` tokens together.
  ///
  /// Returns all ids if `maxTextLength` is not positive.
  public func ids(maxTextLength: Int) -> [String] {
    guard maxTextLength > 0 else { return ids }
    return zip(texts.ids, texts.lengths)
      .filter { Int($1.own) + Int($1.longestAnswer) <= maxTextLength }.map(\.0)
  }

  /// Returns the video of an id, or nil where it is hidden.
  public func video(of id: String) -> String? { texts.video(of: id) }

  /// The distinct videos that the texts are about; where these are hidden, those of
  /// `video_ids.json`.
  public var videos: [String] { texts.videos.names }
}

extension LMDBReader {
  /// Returns the row of `key`, decompressed by its magic bytes and decoded.
  func record(_ key: String, of file: String) throws -> StoreRecord {
    let place = "key \"\(key)\""
    guard let bytes = try get(key) else {
      throw DataError(
        "the store has no such item", file: file, place: place,
        cure: "Make the store again from the same annotations, or leave that item out")
    }
    return try DataError.locating(file: file, place: place) {
      let content = try Compression.decompress(bytes, limit: 1 << 28)
      do {
        return StoreRecord(value: try MessagePack.decode(content), file: file, key: key)
      } catch let error as DataError {
        let head = content.prefix(FileKind.headLength)
        throw head.first == UInt8(ascii: "{")
          ? DataError("is JSON, not MessagePack", cure: "Make the store by create-txtdb")
          : error.naming(FileKind(head: head))
      }
    }
  }
}
