import Formats
import Foundation

/// A video's subtitles: the tokens of the sentences, and the frames in which each is spoken.
public struct Subtitles: Sendable {
  /// The video's name in the store; names are compared by bytes.
  public let video: String
  /// Token ids of each sentence, without special tokens.
  public let sentences: [[Int32]]
  /// The sentences in order with the frames that each alone has, possibly none
  /// (`unique_sub2frames`).
  public let frames: [(sentence: Int, frames: [Int])]
}

/// A video's entry in `vid2dur_idx.json`.
public struct ListedVideo: Sendable, Equatable {
  /// The video's name in the file; names are compared by bytes.
  public let name: String
  /// The duration in seconds.
  public let duration: Double
  /// The video's number in result files.
  public let index: Int

  /// Reads the lists of a file `{split: {video: [seconds, index]}}`, the candidates of retrieval,
  /// in its order.
  public static func splits(path: String) throws -> [(name: String, videos: [ListedVideo])] {
    var splits: [(name: String, videos: [ListedVideo])] = []
    try JSON.readMembers(path: path) { split, list in
      guard let members = list.object else {
        throw DataError(
          "is \(list.kind), not an object of videos", file: path, place: "split \"\(split)\"",
          cure: "Write {split: {video: [seconds, number]}}, as TVR's vid2dur_idx.json is")
      }
      var owners: [Int: String] = [:]
      let videos = try members.map { name, value in
        guard let pair = value.array, pair.count == 2, let duration = pair[0].double,
          let index = pair[1].whole,
          TimeSpan.isTime(duration), duration >= 0, index >= 0
        else {
          throw DataError(
            "is \(value.shown), not [seconds, index], both 0 or more", file: path,
            place: "video \"\(name)\"",
            cure: "Take vid2dur_idx.json as TVR publishes it")
        }
        if let other = owners.updateValue(name, forKey: index) {
          throw DataError(
            "\(other.spelled) and \(name.spelled) both have the number \(index), by which results know a video",
            file: path, place: "split \"\(split)\"",
            cure: "Number the videos of a split each by its own; take vid2dur_idx.json as TVR publishes it")
        }
        return ListedVideo(name: name, duration: duration, index: index)
      }
      // If a split occurs twice, the last one counts, as with any key.
      splits.removeAll { $0.name.hasSameBytes(as: split) }
      splits.append((split, videos))
    }
    return splits
  }
}

extension ListedVideo {
  /// The fewest videos whose durations are checked.
  private static let fewVideos = 3

  /// Refuses lists whose durations are in milliseconds.
  ///
  /// In such lists most videos last about a thousand times as long as their rows.
  /// - Parameters:
  ///   - splits: the lists.
  ///   - file: the file to name in errors.
  ///   - frameLength: seconds per frame.
  ///   - frames: returns the number of frames of a video, or nil if it is unknown.
  /// - Throws: `DataError`.
  static func requireSeconds(
    _ splits: [(name: String, videos: [ListedVideo])], file: String, frameLength: Double,
    frames: (String) -> Int?
  ) throws {
    var ratios: [(ratio: Double, video: ListedVideo, rows: Double)] = []
    for video in splits.flatMap(\.videos) {
      guard let count = frames(video.name), count > 0, video.duration > 0 else { continue }
      let rows = Double(count) * frameLength
      ratios.append((video.duration / rows, video, rows))
    }
    guard ratios.count >= fewVideos else { return }
    ratios.sort { $0.ratio < $1.ratio }
    let (ratio, video, rows) = ratios[ratios.count / 2]
    guard (500...2000).contains(ratio) else { return }
    throw DataError(
      "the durations are milliseconds: \(video.name.spelled) lasts \(video.duration), and its frames \(rows) s",
      file: file, cure: "Write seconds, as TVR's vid2dur_idx.json does")
  }
}

/// A store of subtitles, which threads may share.
///
/// Source: `SubTokLmdb` of the reference.
public final class SubtitleStore: Sendable {
  /// The folder, as the user named it.
  public let path: String
  /// The special tokens that the store was made with.
  public let meta: StoreMeta
  let reader: LMDBReader
  private let table: IdentifierTable
  /// The lists of `vid2dur_idx.json` by split, in its order; nil without that file.
  public let splits: [(name: String, videos: [ListedVideo])]?

  /// Opens the store; reads its side files only.
  public init(path: String) throws {
    self.path = path
    meta = try StoreMeta(path: path + "/meta.json")
    try meta.require({ $0 == .subtitles }, path: path)
    reader = try LMDBReader(path: path)
    table = try IdentifierTable.frameCounts(path: path + "/vid2len.json").names
    let durations = path + "/vid2dur_idx.json"
    splits = FileManager.default.fileExists(atPath: durations) ? try ListedVideo.splits(path: durations) : nil
  }

  /// Returns whether the store has the video; reads no record.
  public func contains(_ video: String) -> Bool { table.number(of: video) != nil }

  /// Returns a hash of a video's subtitles with their times, tokens and frames, which shows whether
  /// they have changed.
  ///
  /// Throws `DataError` if the video is missing.
  public func mark(of video: String) throws -> String {
    guard let bytes = try reader.get(video) else {
      throw DataError("the subtitle store lacks a video", file: path, place: "video \"\(video)\"")
    }
    var hash = ContentHash()
    hash.update(bytes)
    return hash.text
  }

  /// Returns the subtitles of a video.
  ///
  /// Throws `DataError` naming the video if it is missing or malformed, or if a frame belongs to
  /// two sentences.
  public func subtitles(of video: String) throws -> Subtitles {
    try Subtitles(try reader.record(video, of: path), of: video)
  }
}

extension Subtitles {
  /// Decodes the subtitles that a record of the store holds.
  init(_ record: StoreRecord, of video: String) throws {
    let sentences = try record.tokenLists("input_ids")
    guard let pairs = record["unique_sub2frames"]?.array else {
      throw record.error("\"unique_sub2frames\" is not a list")
    }
    var taken: Set<Int> = []
    let frames = try pairs.map { pair in
      guard let parts = pair.array, parts.count == 2, let sentence = parts[0].int,
        sentences.indices.contains(sentence)
      else {
        throw record.error("\"unique_sub2frames\" holds something that is not a sentence with its frames")
      }
      let own = try record.indices(parts[1], "unique_sub2frames")
      for frame in own where !taken.insert(frame).inserted {
        throw record.error("frame \(frame) belongs to two sentences")
      }
      return (sentence: sentence, frames: own)
    }
    self.init(video: video, sentences: sentences, frames: frames)
  }
}
