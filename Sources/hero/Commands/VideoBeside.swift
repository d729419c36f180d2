import Formats
import Foundation
import Vision

/// Finds the video beside a subtitle file.
enum VideoBeside {
  /// Returns the frames per second of the video with a name in a subtitle file's folder.
  ///
  /// Returns nil if there is no such video or if it cannot be read.
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
