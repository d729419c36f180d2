import Corpus
import Formats

/// What an index knows of a video.
public struct IndexedVideo: Sendable, Equatable {
  /// As its feature store names it; identity is by bytes.
  public var name: String
  /// Seconds.
  public var duration: Double
  /// Encoded frames.
  public var frames: Int
  /// In the order of the subtitle store; empty for a video without speech.
  public var sentences: [SpokenSentence]
  /// The file with the video, if there is one.
  public var file: MediaFile?
  /// What it was encoded from; nil where the index does not say, as those of version 1.
  public var sources: Sources?

  /// A file to play.
  public struct MediaFile: Sendable, Equatable {
    /// From the root.
    public var path: String
    /// Bytes when the video was added.
    public var size: Int
    /// When it was changed last, in seconds since 1970; nil where the index does not say.
    public var time: Double?
    /// Of its size, its beginning and its end (`FileMark`); nil where the index does not say.
    public var hash: String?
    /// Seconds: the time that the file gives its first picture. A player counts from 0 at another
    /// moment than the file's streams begin, so positions that players are sent to are later by
    /// this.
    public var start: Double

    /// - Parameters:
    ///   - path: from the root.
    ///   - size: bytes.
    ///   - time: when it was changed last, in seconds since 1970; nil where the index does not say.
    ///   - hash: see ``FileMark/hash``.
    ///   - start: where its own clock begins, in seconds.
    public init(path: String, size: Int, time: Double? = nil, hash: String? = nil, start: Double = 0) {
      (self.path, self.size, self.time, self.hash, self.start) = (path, size, time, hash, start)
    }
  }

  /// Hashes of what was encoded, to tell when that has changed.
  public struct Sources: Sendable, Equatable {
    /// Hash of the video's frames in the feature store.
    public var features: String
    /// Empty for a video without subtitles.
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
  ///   - sources: nil where the index does not say.
  public init(
    name: String, duration: Double, frames: Int, sentences: [SpokenSentence], file: MediaFile? = nil,
    sources: Sources? = nil
  ) {
    (self.name, self.duration, self.frames) = (name, duration, frames)
    (self.sentences, self.file, self.sources) = (sentences, file, sources)
  }

  /// What is said within a stretch of the video.
  public func said(from start: Double, to end: Double) -> String {
    sentences.filter { $0.start < end && $0.end > start }.map(\.text).joined(separator: " ")
  }
}

extension IndexedVideo {
  /// What a segment's text holds of it.
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

  /// From a segment's entry and text. What is malformed counts as absent.
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
