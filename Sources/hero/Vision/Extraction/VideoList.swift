import Formats
import Foundation

/// The videos that a user names, one by one or by folder.
public enum VideoList {
  /// Returns the videos in their order; those of a folder and its subfolders are sorted by name.
  ///
  /// A folder yields the files with an extension of ``FileEndings/videos``; a file named by itself
  /// may have any. Two videos of one name would share a feature file, so only the first is taken.
  ///
  /// - Parameter onLeftOut: receives a line for each path that is skipped.
  /// - Throws: `DataError` if nothing is left.
  public static func videos(
    at paths: [String], onLeftOut: (String) -> Void = { _ in }
  ) throws -> [String] {
    try distinct(at: paths, form: FeatureForm(), onLeftOut: onLeftOut)
  }

  /// Returns the folders that hold pictures, each a video: the named ones and their subfolders.
  ///
  /// - Parameter onLeftOut: receives a line for each path that is skipped.
  /// - Throws: `DataError` if nothing is left.
  public static func frameFolders(
    at paths: [String], onLeftOut: (String) -> Void = { _ in }
  ) throws -> [String] {
    var form = FeatureForm()
    form.isOfFolders = true
    return try distinct(at: paths, form: form, onLeftOut: onLeftOut)
  }

  private static func foundFolders(_ path: String, onLeftOut: (String) -> Void) throws -> [String] {
    guard FileManager.default.isFolder(path) else {
      throw DataError(
        "is no folder, and --frame-rate reads folders of pictures", file: path,
        cure: "Give videos in a run of their own, without --frame-rate")
    }
    let files = try FolderFiles.list(
      path, endings: FileEndings.pictures, passing: FileEndings.besideVideos, onLeftOut: onLeftOut)
    guard !files.isEmpty else {
      throw DataError(
        "there are no pictures in the folder", file: path,
        cure: "Give a folder of .jpg or .png files, or videos without --frame-rate")
    }
    var folders: [String] = []
    for file in files {
      let parent = (file as NSString).deletingLastPathComponent
      // Files are sorted by path, so those of one folder need not be adjacent.
      if folders.last != parent { folders.append(parent) }
    }
    var seen: Set<[UInt8]> = []
    return folders.filter { seen.insert(Array($0.utf8)).inserted }.map {
      $0.isEmpty ? path : path.hasSuffix("/") ? path + $0 : "\(path)/\($0)"
    }
  }

  private static func distinct(
    at paths: [String], form: FeatureForm, onLeftOut: (String) -> Void
  ) throws -> [String] {
    var videos: [String] = []
    var problems: [DataError] = []
    for path in paths {
      do {
        videos +=
          try form.isOfFolders ? foundFolders(path, onLeftOut: onLeftOut) : found(path, onLeftOut: onLeftOut)
      } catch let error as DataError {
        problems.append(error)
      }
    }
    // If nothing is left, one of these problems is the error.
    if !videos.isEmpty || problems.count > 1 { problems.forEach { onLeftOut("\($0)") } }
    // Names are equal if their bytes are; Swift's strings are equal if they look the same.
    var known: [[UInt8]: String] = [:]
    let kept = videos.filter { video in
      let name = form.name(of: video)
      if name.utf8.count > FeatureFolder.longestName {
        problems.append(
          DataError(
            "the name has more than \(FeatureFolder.longestName) bytes without an ending", file: video,
            cure: "Give it a shorter name"))
      } else if let other = known[Array(name.utf8)] {
        // The same path twice counts once.
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

  private static func found(_ path: String, onLeftOut: (String) -> Void) throws -> [String] {
    guard FileManager.default.isFolder(path) else {
      try PlainFile.size(path)
      return [path]
    }
    let files = try FolderFiles.list(
      path, endings: FileEndings.videos, passing: FileEndings.besideVideos, onLeftOut: onLeftOut)
    guard !files.isEmpty else {
      throw DataError(
        "there are no videos in the folder", file: path,
        cure: "Name files of other endings one by one; folders of pictures need --frame-rate")
    }
    return files.map { path.hasSuffix("/") ? path + $0 : "\(path)/\($0)" }
  }
}
