import Formats
import Foundation
import Vision

/// The video that a subtitle file lies beside.
enum VideoBeside {
  /// The frames a second of the video of a name in a subtitle file's folder; nil where there is
  /// none, or it cannot be read.
  static func frameRate(_ subtitles: String, _ video: String) -> Double? {
    let folder = (subtitles as NSString).deletingLastPathComponent
    let entries = (try? FolderNames(path: folder.isEmpty ? "." : folder).entries) ?? []
    let names = entries.map(\.name).filter {
      FileEndings.stem(of: $0).hasSameBytes(as: video)
        && FileEndings.videos.contains(FileEndings.ending(of: $0))
    }
    return names.lazy.compactMap { try? VideoFile(path: folder.isEmpty ? $0 : "\(folder)/\($0)").frameRate }
      .first
  }
}
