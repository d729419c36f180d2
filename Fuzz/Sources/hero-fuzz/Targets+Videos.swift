import Formats
import Foundation

@testable import Serve

/// What comes with videos and from browsers.
extension Target {
  nonisolated(unsafe) static let videos: [String: Target] = [
    // Cues that are written as SubRip are read again, as many at most.
    "subtitles": Target { bytes in
      let cues = SubtitleFile.parse(bytes)
      let again = SubtitleFile.parse(Array(SubtitleFile.subRip(cues).utf8))
      precondition(again.count <= cues.count, "subtitles grow on their way")
    },
    "request": Target { bytes in
      guard let end = RequestHead.end(in: bytes, from: 0) else { return }
      do {
        let request = try RequestHead.parse(bytes[..<end], limits: ServerLimits())
        let parameters = try RequestParameters(request)
        _ = try? parameters.query()
        _ = try? parameters.number("first")
        _ = try? parameters.span()
        _ = try? parameters.texts("a", "an answer")
      } catch is RefusedRequest {}
    },
  ]
}
