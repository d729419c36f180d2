import Formats
import Text

/// A sentence of a video's subtitles as people read it.
public struct SpokenSentence: Sendable, Equatable {
  /// Seconds from the video's start.
  public var start: Double
  /// Seconds from the video's start.
  public var end: Double
  /// The text as the store holds it, with HTML references replaced.
  public var text: String

  /// - Parameters:
  ///   - start: seconds from the video's start.
  ///   - end: seconds from the video's start.
  public init(start: Double, end: Double, text: String) {
    self.start = start
    self.end = end
    self.text = text
  }
}

extension SubtitleStore {
  /// Returns the sentences of a video with their times, HTML references replaced.
  ///
  /// The result is empty where the store has only tokens.
  ///
  /// Throws `DataError` if the video is missing.
  public func sentences(of video: String) throws -> [SpokenSentence] {
    let record = try reader.record(video, of: path)
    return (record["sub"]?.array ?? []).compactMap { sentence in
      guard let start = sentence["start"]?.double, let end = sentence["end"]?.double,
        TimeSpan.isTime(start), TimeSpan.isTime(end), let text = sentence["text"]?.string
      else { return nil }
      return SpokenSentence(start: start, end: end, text: HTMLText.unescaped(text))
    }
  }
}
