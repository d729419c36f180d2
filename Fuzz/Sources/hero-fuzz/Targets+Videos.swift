import Corpus
import Formats
import Foundation
import Fuzzing

@testable import Search
@testable import Serve

/// Readers of subtitles, browsers' requests and indexes.
extension Target {
  nonisolated(unsafe) static let videos: [String: Target] = [
    // Cues written as SubRip are read again, and never grow in number.
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
    // The input patches an index of two segments. Three bytes give a place and its new value; an
    // odd one at the end truncates the file.
    "index": Target { bytes in
      var file = index
      for patch in stride(from: 0, to: bytes.count - 2, by: 3) {
        file[(Int(bytes[patch]) << 8 | Int(bytes[patch + 1])) % file.count] = bytes[patch + 2]
      }
      if bytes.count % 3 == 1, let last = bytes.last { file.removeLast(file.count * Int(last) / 256) }
      try Target(file: { path in
        let index = try IndexFile(path: path)
        for video in 0..<index.count { _ = try index.video(video) }
        try index.check()
      }).read(file)
    },
  ]

  static let index: [UInt8] = {
    let path = NSTemporaryDirectory() + "hero-fuzz-index-\(ProcessInfo.processInfo.processIdentifier)"
    defer { try? FileManager.default.removeItem(atPath: path) }
    do {
      let head = IndexHead(
        width: 16, frameInterval: 1.5,
        model: ModelIdentity(checkpoint: "a", configuration: "b", tokenizer: "c"),
        modelFolder: "run", tokenizer: "tokenizer")
      for segment in 0..<2 {
        let writer = try IndexWriter(path: path, head: head)
        for number in 0..<3 {
          let frames = 2 + number
          let video = IndexedVideo(
            name: "clip \(segment) \(number)", duration: Double(frames) * 1.5, frames: frames,
            sentences: [SpokenSentence(start: 0, end: 1, text: "said")], file: nil)
          let values = (0..<frames * 16).map { Float($0 % 7) - 3 }
          try values.withUnsafeBufferPointer { try writer.add(video, frames: $0) }
        }
        // A video longer than the model reads.
        let windows = [0..<6, 4..<10, 8..<12]
        let long = IndexedVideo(
          name: "long \(segment)", duration: 18, frames: 12,
          sentences: [SpokenSentence(start: 2, end: 17, text: "said")],
          file: IndexedVideo.MediaFile(path: "/v.mp4", size: 5))
        try (0..<16 * 16).map { Float($0 % 5) - 2 }.withUnsafeBufferPointer {
          try writer.add(long, windows: windows, frames: $0)
        }
        try writer.commit()
      }
      return [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
    } catch {
      fatalError("the index could not be made: \(error)")
    }
  }()
}
