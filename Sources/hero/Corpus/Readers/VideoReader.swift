import Formats

/// The parts of a video that a model reads.
///
/// VALUE calls the single ones `video_only` and `sub_only`.
public enum VideoChannels: String, CaseIterable, Sendable {
  case both
  /// Frames, with one made-up sentence `[CLS]`.
  case video
  /// Subtitles, with all features zero.
  case subtitles
}

/// A reader that combines a video's features and subtitles (Docs/Computation.md §1).
///
/// Source: `VideoFeatSubTokDataset` and `VideoFeatDataset` of the reference. May be shared by
/// threads.
public final class VideoReader: Sendable {
  /// The store of the frames.
  public let features: FeatureStore
  /// The store of the text, or nil for video alone.
  public let subtitles: SubtitleStore?
  /// The number of frames after which a video is cut; nil for no limit.
  public let maxClipLength: Int?
  /// The number of preceding sentences that are put before a sentence as its context.
  public let contextLength: Int
  /// The parts of a video that are read.
  public let channels: VideoChannels
  private let lead: Int32

  /// Creates a reader of frames with subtitles, or of subtitles alone.
  ///
  /// - Parameters:
  ///   - maxClipLength: `max_clip_len`; not positive for no limit.
  ///   - contextLength: `sub_ctx_len`.
  ///   - textAlone: hides the frames: features are zero, and sentences begin with `[CLS]`.
  public init(
    features: FeatureStore, subtitles: SubtitleStore, maxClipLength: Int, contextLength: Int,
    textAlone: Bool = false
  ) {
    self.features = features
    self.subtitles = subtitles
    self.maxClipLength = maxClipLength > 0 ? maxClipLength : nil
    self.contextLength = max(0, contextLength)
    channels = textAlone ? .subtitles : .both
    lead = textAlone ? subtitles.meta.cls : subtitles.meta.sep
  }

  /// Creates a reader of frames alone: one sequence with all frames and the text `[CLS]`.
  ///
  /// - Parameter cls: the id of `[CLS]`, from the query store's meta data.
  public init(features: FeatureStore, videoOnly cls: Int32, maxClipLength: Int) {
    self.features = features
    subtitles = nil
    self.maxClipLength = maxClipLength > 0 ? maxClipLength : nil
    contextLength = 0
    channels = .video
    lead = cls
  }

  /// Throws `DataError` naming the first of `videos` that a store lacks; reads only side files.
  public func check(_ videos: some Sequence<String>) throws {
    for video in videos {
      if !features.contains(video) { throw features.missing(video) }
      if let subtitles, !subtitles.contains(video) { throw Self.missing(video, in: subtitles) }
    }
  }

  private static func missing(_ video: String, in store: SubtitleStore) -> DataError {
    DataError(
      "the subtitle store lacks a video that is asked for", file: store.path, place: "video \"\(video)\"",
      cure: "Add its subtitles and make the store again, or leave its items out")
  }

  /// Returns the number of frames that `read` will give a video, or nil if no side file lists it.
  public func frameCount(of video: String) -> Int? {
    features.frameCount(of: video).map { min($0, maxClipLength ?? $0) }
  }

  /// A line about the videos that are longer than `maxClipLength`; nil where there are none.
  public var cutNote: String? {
    guard let maxClipLength else { return nil }
    let cut = features.videos.count { (features.frameCount(of: $0) ?? 0) > maxClipLength }
    guard cut > 0 else { return nil }
    return
      "\(cut) of \(features.videos.count) videos of \(features.path) have more than max_clip_len (\(maxClipLength)) "
      + "frames: what comes after is not read"
  }

  /// Reads a video, cut to `maxClipLength`.
  ///
  /// Throws `DataError` naming it if a store lacks it, if it has no frames, or if something about
  /// it is malformed.
  public func read(_ video: String) throws -> VideoItem {
    let video = try open(video)
    return try item(of: video, 0..<min(video.frameCount, maxClipLength ?? video.frameCount)) { text, window in
      Self.walk(text, frameCount: window.count)
    }
  }

  /// A whole video that is read window by window.
  public struct LongVideo: Sendable {
    /// The video's name in the stores; names are compared by bytes.
    public let name: String
    let features: StoredFeatures
    let text: Subtitles?
    /// The number of all its frames; `max_clip_len` does not cut them.
    public var frameCount: Int { features.count }
  }

  /// Opens a video, however long it is.
  ///
  /// Throws `DataError` naming it if a store lacks it, if it has no frames, or if something about
  /// it is malformed.
  public func open(_ video: String) throws -> LongVideo {
    let features = try features.stored(of: video)
    if let subtitles, !subtitles.contains(video) { throw Self.missing(video, in: subtitles) }
    return LongVideo(name: video, features: features, text: try subtitles?.subtitles(of: video))
  }

  /// Reads a window as a video of its own: its frames, and the sentences that have frames in it.
  ///
  /// Throws `DataError` naming the video if a frame holds a value that is not finite.
  public func read(_ window: Range<Int>, of video: LongVideo) throws -> VideoItem {
    guard window != 0..<video.frameCount else {
      return try item(of: video, window) { text, window in Self.walk(text, frameCount: window.count) }
    }
    return try item(of: video, window) { text, window in
      text.frames.compactMap { sentence, frames in
        let inside = frames.filter(window.contains).map { $0 - window.lowerBound }
        return inside.isEmpty ? nil : (sentence, inside)
      }
    }
  }

  /// Reads a part of a video that holds some given frames and is as long as ``read(_:)`` reads.
  ///
  /// The part is the video's beginning if that holds the frames, else a window with them in its
  /// middle.
  /// - Parameter frames: the frames to hold, counted from the video's start.
  /// - Returns: the part as a video of its own, and the place of its first frame in the whole
  ///   video.
  /// - Throws: `DataError` if the frames are more than `maxClipLength`, and what
  ///   ``open(_:)`` and ``read(_:of:)`` throw.
  public func read(_ video: LongVideo, around frames: Range<Int>) throws -> (item: VideoItem, first: Int) {
    let length = min(video.frameCount, maxClipLength ?? video.frameCount)
    guard frames.count <= length else {
      throw DataError(
        "the moment has \(frames.count) frames, the model reads \(length) at a time (max_clip_len)",
        place: "video \"\(video.name)\"", cure: "Choose a shorter moment")
    }
    guard frames.upperBound > length else { return (try read(video.name), 0) }
    let middle = frames.lowerBound - (length - frames.count) / 2
    let first = min(middle, video.frameCount - length)
    return (try read(first..<first + length, of: video), first)
  }

  private func item(
    of video: LongVideo, _ window: Range<Int>,
    sentences: (Subtitles, Range<Int>) -> [(sentence: Int, frames: [Int])]
  ) throws -> VideoItem {
    let frames = try video.features.frames(window)
    let isHidden = channels == .subtitles
    let subtitles =
      video.text.map { text in
        sentences(text, window).map { sentence, own in
          VideoSubtitle(index: sentence, frames: own, tokens: tokens(of: sentence, in: text.sentences))
        }
      } ?? [VideoSubtitle(index: 0, frames: Array(0..<frames.count), tokens: [lead])]
    return VideoItem(
      name: video.name, frameCount: frames.count, featureWidth: frames.width,
      features: isHidden ? [Float](repeating: 0, count: frames.values.count) : frames.values,
      subtitles: subtitles, sentences: video.text?.sentences ?? [], isTextAlone: isHidden)
  }

  /// Returns the sentences that remain when the video is cut to `frameCount` frames.
  ///
  /// The walk ends at the first sentence that loses frames, which is kept if some of them remain. A
  /// sentence before it that had no frames is kept without any.
  static func walk(_ text: Subtitles, frameCount: Int) -> [(sentence: Int, frames: [Int])] {
    var kept: [(sentence: Int, frames: [Int])] = []
    for (sentence, frames) in text.frames {
      let inside = frames.filter { $0 < frameCount }
      if inside.count == frames.count {
        kept.append((sentence, frames))
        continue
      }
      if !inside.isEmpty { kept.append((sentence, inside)) }
      break
    }
    return kept
  }

  /// Returns the leading token, the ids of the context sentences, then those of the sentence.
  private func tokens(of sentence: Int, in sentences: [[Int32]]) -> [Int32] {
    [lead] + sentences[max(0, sentence - contextLength)...sentence].joined()
  }
}
