import Formats
import Foundation

/// A sentence that describes a clip.
public struct Caption: Sendable, Equatable {
  /// Token ids, without special tokens.
  public let tokens: [Int32]
  /// The sentence as annotated; nil where the store holds only tokens.
  public let text: String?
}

/// A stretch of a video with its captions.
public struct CaptionClip: Sendable, Equatable {
  /// The clip's key in the store.
  public let id: String
  /// The video's name; the clip is a stretch of it.
  public let video: String
  /// The clip's time span; nil where the clip is the whole video.
  public let span: TimeSpan?
  /// The captions in the store's order; none on hidden splits.
  public let captions: [Caption]
}

/// A store of TVC, YC2C or VATEX, which threads may share: clips with captions, by video.
///
/// A store of retrieval queries works too, because VALUE trains its captioners on them: every query
/// is a caption of its whole video, whatever moment it has.
///
/// Source: `CaptionTokLmdb`, `TvcTokLmdb` of the reference.
public final class CaptionStore: Sendable {
  /// The folder, as the user named it.
  public let path: String
  /// The special tokens that the store was made with.
  public let meta: StoreMeta
  private let content: Content

  private enum Content {
    /// Clips and captions, and which belong to which video.
    case clips(LMDBReader, captions: LMDBReader, videoClips: VideoLists, videoCaptions: VideoLists)
    case queries(QueryStore, VideoLists)
  }

  /// Opens the store; reads its side files only.
  public init(path: String) throws {
    self.path = path
    if !FileManager.default.fileExists(atPath: path + "/clip.db"),
      FileManager.default.fileExists(atPath: path + "/query2video.json")
    {
      let queries = try QueryStore(path: path)
      meta = queries.meta
      content = .queries(queries, VideoLists(queries.ids.map { (video: queries.video(of: $0), id: $0) }))
      return
    }
    meta = try StoreMeta(path: path + "/meta.json")
    try meta.require({ $0 == .clips || $0 == .videoCaptions }, path: path)
    content = .clips(
      try LMDBReader(path: path + "/clip.db"), captions: try LMDBReader(path: path + "/cap.db"),
      videoClips: try VideoLists(path: path + "/clip.db/vid2clips.json", of: "clip"),
      videoCaptions: try VideoLists(path: path + "/cap.db/vid2caps.json", of: "caption"))
  }

  /// Whether the captions are retrieval's queries.
  public var holdsQueries: Bool { if case .queries = content { true } else { false } }

  /// The videos, in the order of `vid2clips.json`, or of the queries.
  public var videos: [String] {
    switch content {
    case .clips(_, _, let lists, _), .queries(_, let lists): lists.videos
    }
  }

  /// The ids of all clips, video by video; the id of a whole video is its name.
  public var clipIDs: [String] {
    switch content {
    case .clips(_, _, let lists, _): lists.ids
    case .queries(_, let lists): lists.videos
    }
  }

  /// The ids of all captions with their videos: video by video, or in the order of the queries.
  public var captionIDs: [(video: String, id: String)] {
    switch content {
    case .clips(_, _, _, let lists):
      lists.videos.flatMap { video in lists.ids(of: video).map { (video, $0) } }
    case .queries(let queries, _): queries.ids.compactMap { id in queries.video(of: id).map { ($0, id) } }
    }
  }

  /// Returns the ids of a video's captions, each as often as the annotations have it.
  public func captionIDs(of video: String) -> [String] {
    switch content {
    case .clips(_, _, _, let lists), .queries(_, let lists): lists.ids(of: video)
    }
  }

  /// Returns the clip `id` with all its captions.
  public func clip(_ id: String) throws -> CaptionClip {
    switch content {
    case .clips(let clips, _, _, _):
      let record = try clips.record(id, of: path + "/clip.db")
      guard let video = record.video else { throw record.error("a clip without a video") }
      let span = try record.clipSpan()
      let captions = try (record["captions"]?.array ?? []).map {
        Caption(tokens: try record.tokens($0["input_ids"], "input_ids"), text: $0["text"]?.string)
      }
      return CaptionClip(id: id, video: video, span: span, captions: captions)
    case .queries(_, let lists):
      return CaptionClip(
        id: id, video: id, span: nil, captions: try lists.ids(of: id).map { try caption($0).caption })
    }
  }

  /// Returns the caption `id`, the id of its clip and the clip's time span in the video.
  public func caption(_ id: String) throws -> (caption: Caption, clip: String, span: TimeSpan?) {
    switch content {
    case .clips(_, let captions, _, _):
      let record = try captions.record(id, of: path + "/cap.db")
      guard let clip = record["clip_id"]?.string ?? record["clip_id"]?.int.map(String.init) else {
        throw record.error("a caption without a clip")
      }
      let span = try record.clipSpan()
      let caption = Caption(
        tokens: try record.tokens(record["input_ids"], "input_ids"), text: record["desc"]?.string)
      return (caption, clip, span)
    case .queries(let queries, _):
      let record = try queries.texts.record(id)
      let caption = Caption(
        tokens: try record.tokens(record["input_ids"], "input_ids"), text: record["desc"]?.string)
      return (caption, queries.video(of: id) ?? "", nil)
    }
  }
}

extension StoreRecord {
  /// Returns the time span of a clip, or nil for a whole video, whose record has no `ts`.
  fileprivate func clipSpan() throws -> TimeSpan? {
    guard let value = self["ts"] else { return nil }
    guard let span = TimeSpan(value) else { throw error("\"ts\" is not a moment") }
    return span
  }
}
