import Formats
import Foundation

/// The videos that a user named, one by one or by their folders.
public enum VideoList {
  /// The videos in their order, those of a folder and the folders in it sorted by their names.
  ///
  /// A folder gives what has an ending of ``FileEndings/videos``; a file that is named itself may
  /// be called anything. Of two videos of one name, whose features would be one file, the first is
  /// taken.
  ///
  /// - Parameter onLeftOut: is given a line for whatever is not taken.
  /// - Throws: `DataError` where nothing is left.
  public static func videos(
    at paths: [String], onLeftOut: (String) -> Void = { _ in }
  ) throws -> [String] {
    var videos: [String] = []
    var problems: [DataError] = []
    for path in paths {
      do {
        videos += try found(at: path, onLeftOut: onLeftOut)
      } catch let error as DataError {
        problems.append(error)
      }
    }
    // Where nothing is left, one of these is the error.
    if !videos.isEmpty || problems.count > 1 { problems.forEach { onLeftOut("\($0)") } }
    // Names are what their bytes are; Swift's strings are equal where a reader sees no difference.
    var known: [[UInt8]: String] = [:]
    let kept = videos.filter { video in
      let name = FeatureFolder.identifier(of: video)
      if name.utf8.count > FeatureFolder.longestName {
        problems.append(
          DataError(
            "the name has more than \(FeatureFolder.longestName) bytes without its ending", file: video,
            cure: "Give it a shorter name"))
      } else if let other = known[Array(name.utf8)] {
        // Named twice is once.
        if other.utf8.elementsEqual(video.utf8) { return false }
        problems.append(
          DataError(
            "has the same name as \(other), and both would write the same features", file: video,
            cure: "Rename one, or give another --output for it"))
      } else {
        known[Array(name.utf8)] = video
        return true
      }
      problems.last.map { onLeftOut("\($0)") }
      return false
    }
    if kept.isEmpty, let problem = problems.first { throw problem }
    return kept
  }

  private static func found(at path: String, onLeftOut: (String) -> Void) throws -> [String] {
    guard FileManager.default.isFolder(path) else {
      try PlainFile.size(path)
      return [path]
    }
    let files = try FolderFiles.list(
      path, endings: FileEndings.videos, passing: FileEndings.besideVideos, onLeftOut: onLeftOut)
    guard !files.isEmpty else {
      throw DataError(
        "there are no videos in the folder", file: path, cure: "Name files of other endings one by one")
    }
    return files.map { path.hasSuffix("/") ? path + $0 : "\(path)/\($0)" }
  }
}
