import Formats

/// A sentence that describes a clip.
public struct Caption: Sendable, Equatable {
  public let tokens: [Int32]
  public let text: String?
}

/// A stretch of a video with its captions.
public struct CaptionClip: Sendable, Equatable {
  public let id: String
  public let video: String
  /// Nil where it is the whole video.
  public let span: TimeSpan?
  public let captions: [Caption]
}

/// A store of TVC, YC2C or VATEX: clips with captions, by video. May be shared by threads.
///
/// Source: `CaptionTokLmdb`, `TvcTokLmdb` of the reference.
public final class CaptionStore: Sendable {
  /// The folder, as the user named it.
  public let path: String
  public let meta: StoreMeta
  private let clips: LMDBReader
  private let captions: LMDBReader
  private let videoClips: VideoLists
  private let videoCaptions: VideoLists

  /// Opens the store; reads its side files only.
  public init(path: String) throws {
    self.path = path
    meta = try StoreMeta(path: path + "/meta.json")
    try meta.require({ $0 == .clips || $0 == .videoCaptions }, path: path)
    clips = try LMDBReader(path: path + "/clip.db")
    captions = try LMDBReader(path: path + "/cap.db")
    videoClips = try VideoLists(path: path + "/clip.db/vid2clips.json", of: "clip")
    videoCaptions = try VideoLists(path: path + "/cap.db/vid2caps.json", of: "caption")
  }

  /// The videos, in the order of `vid2clips.json`.
  public var videos: [String] { videoClips.videos }

  /// The ids of all clips, video by video.
  public var clipIDs: [String] { videoClips.ids }

  /// The ids of a video's captions; an id comes as often as annotations have it.
  public func captionIDs(of video: String) -> [String] { videoCaptions.ids(of: video) }

  /// The clip `id` with all its captions.
  public func clip(_ id: String) throws -> CaptionClip {
    let record = try clips.record(id, of: path + "/clip.db")
    guard let video = record.video else { throw record.error("a clip without a video") }
    let span = try record.clipSpan()
    let captions = try (record["captions"]?.array ?? []).map {
      Caption(tokens: try record.tokens($0["input_ids"], "input_ids"), text: $0["text"]?.string)
    }
    return CaptionClip(id: id, video: video, span: span, captions: captions)
  }

  /// The caption `id`, the id of its clip and the clip's place in its video.
  public func caption(_ id: String) throws -> (caption: Caption, clip: String, span: TimeSpan?) {
    let record = try captions.record(id, of: path + "/cap.db")
    guard let clip = record["clip_id"]?.string ?? record["clip_id"]?.int.map(String.init) else {
      throw record.error("a caption without a clip")
    }
    let span = try record.clipSpan()
    let caption = Caption(
      tokens: try record.tokens(record["input_ids"], "input_ids"), text: record["desc"]?.string)
    return (caption, clip, span)
  }
}

extension StoreRecord {
  /// The moment of a clip; nil for a whole video, whose record has no `ts`.
  fileprivate func clipSpan() throws -> TimeSpan? {
    guard let value = self["ts"] else { return nil }
    guard let span = TimeSpan(value) else { throw error("\"ts\" is not a moment") }
    return span
  }
}
