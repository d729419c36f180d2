import Formats
import Foundation
import Search

// JSON of the values that the page's script and other clients receive.

extension IndexedVideo {
  var json: JSON {
    [
      "video": .string(name), "duration": .double(duration), "frames": .int(frames),
      "playable": .bool(file != nil), "start": .double(file?.start ?? 0),
      "subtitles": .array(
        sentences.map { ["start": .double($0.start), "end": .double($0.end), "text": .string($0.text)] }),
    ]
  }

  /// A hash that identifies its file as it was indexed.
  var mark: String {
    String(
      ContentHash.of(Array("\(file?.path ?? name)\0\(file?.size ?? 0)\0\(file?.time ?? 0)".utf8)), radix: 16)
  }

  /// Returns what the page shows of its file.
  /// - Parameter path: whether to include the path.
  func shown(with path: Bool) -> [(key: String, value: JSON)] {
    let present = file.map { $0.state == .there } ?? false
    let folder = file.map { (($0.path as NSString).deletingLastPathComponent as NSString).lastPathComponent }
    var shown: [(key: String, value: JSON)] = [
      ("present", .bool(present)), ("mark", .string(mark)), ("folder", .string(folder ?? "")),
    ]
    if path, let file { shown.append(("path", .string(file.path))) }
    return shown
  }
}

extension Alignment {
  var json: JSON {
    func list(_ values: [Float]) -> JSON { .array(values.map { .double(Double($0)) }) }
    return [
      "cosines": list(cosines), "moments": list(moments),
      "best": .array(
        best.prefix(5).map {
          [
            "start": .double(Double($0.start)), "end": .double(Double($0.end)),
            "score": .double(Double($0.score)),
          ]
        }),
    ]
  }
}
