import Corpus
import Foundation

/// Subtitles in WebVTT for a browser's player.
enum WebVTT {
  /// Returns sentences as WebVTT.
  ///
  /// - Parameter start: the player's time at the video's first picture, in seconds.
  static func text(of sentences: [SpokenSentence], start: Double) -> String {
    let cues = sentences.map { sentence in
      // An empty line would end the cue.
      let text = sentence.text.split(whereSeparator: \.isNewline).joined(separator: "\n")
        .replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
      return "\(time(start + sentence.start)) --> \(time(start + sentence.end))\n\(text)\n"
    }
    return (["WEBVTT\n"] + cues).joined(separator: "\n")
  }

  private static func time(_ seconds: Double) -> String {
    let all = Int((max(0, seconds) * 1000).rounded())
    let (hours, minutes, rest) = (all / 3_600_000, all / 60_000 % 60, all % 60_000)
    return String(format: "%02d:%02d:%02d.%03d", hours, minutes, rest / 1000, rest % 1000)
  }
}
