import Formats

/// What a model reads of a video. VALUE names the two by themselves `video_only` and `sub_only`.
public enum VideoChannels: String, CaseIterable, Sendable {
  case both
  /// Frames, with one made-up sentence `[CLS]`.
  case video
  /// Subtitles, with features of zero.
  case subtitles
}

/// Brings a video's features and subtitles together (Docs/Computation.md §1).
///
/// Source: `VideoFeatSubTokDataset` and `VideoFeatDataset` of the reference. May be shared by
/// threads.
public final class VideoReader: Sendable {
  /// Where the frames come from.
  public let features: FeatureStore
  /// Where the text comes from, or nil for video alone.
  public let subtitles: SubtitleStore?
  /// Frames beyond this many are dropped; nil for none.
  public let maxClipLength: Int?
  /// The sentences before a sentence that are put before it.
  public let contextLength: Int
  /// What is read of a video.
  public let channels: VideoChannels
  private let lead: Int32

  /// A reader of frames with subtitles, or of subtitles alone.
  ///
  /// - Parameters:
  ///   - maxClipLength: `max_clip_len`; not positive for no cap.
  ///   - contextLength: `sub_ctx_len`.
  ///   - textAlone: hides the features: they are zero, and sentences begin with `[CLS]`.
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

  /// A reader of frames alone: one sequence with all frames and the text `[CLS]`.
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

  /// Throws `DataError` naming the first of `videos` that a store lacks. Looks into side files
  /// only.
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

  /// The frames that `read` will give a video, as the side files say; nil if they do not know it.
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

  /// A whole video, of which windows are read one after another.
  public struct LongVideo: Sendable {
    /// As the stores name it; identity is by bytes.
    public let name: String
    let features: StoredFeatures
    let text: Subtitles?
    /// All its frames; `max_clip_len` does not cut them.
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

  /// A window of a video as if it were a video: its frames, and the sentences that have frames in
  /// it.
  ///
  /// Throws `DataError` naming the video if a frame holds what is no finite number.
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

  /// As much of a video as ``read(_:)`` reads of one, with some frames of it.
  ///
  /// What is read is the video's beginning where that has the frames, and else a window with them
  /// in its middle.
  /// - Parameter frames: of the video.
  /// - Returns: the window as if it were a video, and the frame that is its first.
  /// - Throws: `DataError` where the frames are more than `maxClipLength`, and as ``open(_:)`` and
  ///   ``read(_:of:)`` do.
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

  /// The sentences that are left when the video is cut to `frameCount` frames.
  ///
  /// A sentence that loses frames ends the walk and is kept if some remain; one that had none
  /// stays, with none.
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

  /// `[SEP]` and the ids of the sentence after those of its context.
  private func tokens(of sentence: Int, in sentences: [[Int32]]) -> [Int32] {
    [lead] + sentences[max(0, sentence - contextLength)...sentence].joined()
  }
}
