import Corpus
import Formats

/// The information that an index stores about a video.
public struct IndexedVideo: Sendable, Equatable {
  /// The name in the feature store.
  ///
  /// Names are compared by bytes.
  public var name: String
  /// The duration in seconds.
  public var duration: Double
  /// The number of encoded frames.
  public var frames: Int
  /// The sentences in the order of the subtitle store; empty for a video without speech.
  public var sentences: [SpokenSentence]
  /// The video's file, if there is one.
  public var file: MediaFile?
  /// The hashes of what it was encoded from; nil if the index has none, as in version 1.
  public var sources: Sources?

  /// A file to play.
  public struct MediaFile: Sendable, Equatable {
    /// The absolute path.
    public var path: String
    /// The size in bytes when the video was added.
    public var size: Int
    /// The modification time in seconds since 1970; nil if the index has none.
    public var time: Double?
    /// The hash of its size, beginning and end (`FileMark`); nil if the index has none.
    public var hash: String?
    /// The timestamp of the file's first picture in seconds.
    ///
    /// A player's time 0 differs from the beginning of the file's streams. So positions that
    /// players are sent to are later by this.
    public var start: Double

    /// - Parameters:
    ///   - path: the absolute path.
    ///   - size: bytes.
    ///   - time: the modification time in seconds since 1970; nil if the index has none.
    ///   - hash: see ``FileMark/hash``.
    ///   - start: the timestamp of the first picture in seconds.
    public init(path: String, size: Int, time: Double? = nil, hash: String? = nil, start: Double = 0) {
      (self.path, self.size, self.time, self.hash, self.start) = (path, size, time, hash, start)
    }
  }

  /// Hashes of a video's features and subtitles, which show when they have changed.
  public struct Sources: Sendable, Equatable {
    /// Hash of the video's frames in the feature store.
    public var features: String
    /// The hash of the subtitles; empty for a video without any.
    public var subtitles: String

    /// - Parameter subtitles: empty for a video without subtitles.
    public init(features: String, subtitles: String) {
      (self.features, self.subtitles) = (features, subtitles)
    }
  }

  /// - Parameters:
  ///   - duration: seconds.
  ///   - frames: encoded frames.
  ///   - file: what a page plays; nil for none.
  ///   - sources: nil if the index has none.
  public init(
    name: String, duration: Double, frames: Int, sentences: [SpokenSentence], file: MediaFile? = nil,
    sources: Sources? = nil
  ) {
    (self.name, self.duration, self.frames) = (name, duration, frames)
    (self.sentences, self.file, self.sources) = (sentences, file, sources)
  }

  /// Returns what is said between two times, in seconds.
  public func said(from start: Double, to end: Double) -> String {
    sentences.filter { $0.start < end && $0.end > start }.map(\.text).joined(separator: " ")
  }
}

extension IndexedVideo {
  /// The JSON that a segment's text holds about the video.
  var information: JSON {
    var json = JSONObject()
    json["file"] = file.map { .string($0.path) }
    json["time"] = file?.time.map { .double($0) }
    json["hash"] = file?.hash.map { .string($0) }
    if let start = file?.start, start != 0 { json["start"] = .double(start) }
    json["of"] = sources.map { .array([.string($0.features), .string($0.subtitles)]) }
    if !sentences.isEmpty {
      json["sub"] = .array(
        sentences.map { .array([.double($0.start), .double($0.end), .string($0.text)]) })
    }
    return .object(json)
  }

  /// Reads a video from a segment's entry and text.
  ///
  /// Malformed values count as absent.
  init(name: String, duration: Double, frames: Int, fileSize: Int, information json: JSON) {
    let sentences = (json["sub"]?.array ?? []).compactMap { item -> SpokenSentence? in
      guard let parts = item.array, parts.count == 3, let start = parts[0].double, let end = parts[1].double,
        let words = parts[2].string, TimeSpan.isTime(start), TimeSpan.isTime(end)
      else { return nil }
      return SpokenSentence(start: start, end: end, text: words)
    }
    let start = json["start"]?.double ?? 0
    let file = json["file"]?.string.map {
      MediaFile(
        path: $0, size: fileSize, time: json["time"]?.double, hash: json["hash"]?.string,
        start: TimeSpan.isTime(start) ? start : 0)
    }
    let sources = json["of"]?.array?.compactMap(\.string)
    self.init(
      name: name, duration: duration, frames: frames, sentences: sentences, file: file,
      sources: sources?.count == 2 ? sources.map { Sources(features: $0[0], subtitles: $0[1]) } : nil)
  }
}
