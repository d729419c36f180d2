import Formats
import Foundation

/// The videos that a user named, one by one or by their folders.
public enum VideoList {
  /// What is taken of a folder; a file that is named itself may be called anything.
  private static let extensions: Set<String> = [
    "3gp", "asf", "avi", "f4v", "flv", "m2ts", "m4v", "mkv", "mov", "mp4", "mpeg", "mpg", "mts", "mxf", "ogg",
    "ogv", "rm", "rmvb", "ts", "vob", "webm", "wmv", "y4m",
  ]

  /// The videos in their order, those of a folder and the folders in it sorted by their names.
  ///
  /// Throws `DataError` where there is nothing, and where two videos have one name, as their features would.
  public static func videos(at paths: [String]) throws -> [String] {
    var videos: [String] = []
    for path in paths {
      var isFolder: ObjCBool = false
      guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
        throw DataError("there is no such file or folder", file: path, cure: "Check the path")
      }
      videos += isFolder.boolValue ? try inFolder(path) : [path]
    }
    var known: [Name: String] = [:]
    for video in videos {
      if let other = known.updateValue(video, forKey: Name(FeatureFolder.identifier(of: video))) {
        throw DataError(
          "has the same name as \(other), and both would write the same features", file: video,
          cure: "Rename one, or give another --output for it")
      }
    }
    return videos
  }

  private static func inFolder(_ folder: String) throws -> [String] {
    guard let files = FileManager.default.enumerator(atPath: folder) else {
      throw DataError("cannot list the folder", file: folder)
    }
    let found = files.compactMap { $0 as? String }
      .filter { extensions.contains(($0 as NSString).pathExtension.lowercased()) }.sorted()
    guard !found.isEmpty else {
      throw DataError(
        "there are no videos in the folder", file: folder, cure: "Name files of other extensions one by one")
    }
    return found.map { "\(folder)/\($0)" }
  }
}
