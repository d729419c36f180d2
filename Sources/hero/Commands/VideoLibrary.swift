import Formats
import Foundation
import Search
import Training
import Vision

/// The videos of a folder, beside what was made of them before: which are new, replaced, renamed or
/// gone.
struct VideoLibrary {
  struct Video {
    var name: String
    /// From the root.
    var path: String
    /// Nil where the file cannot be read.
    var mark: FileMark?
  }

  private(set) var videos: [Video]
  /// A line for whatever of the folder is passed over.
  let leftOut: [String]
  private let work: IndexWork
  /// The networks whose features are kept.
  private let networks: [String]

  /// - Throws: `DataError` where the folder has no videos.
  init(folder: String, work: IndexWork, networks: [String]) throws {
    (self.work, self.networks) = (work, networks)
    var leftOut: [String] = []
    let paths = try VideoList.videos(at: [folder]) { leftOut.append($0) }
    self.leftOut = leftOut
    videos = paths.map { path in
      Video(
        name: FeatureFolder.identifier(of: path),
        path: URL(fileURLWithPath: path).standardizedFileURL.path, mark: try? FileMark(path: path))
    }
  }

  /// Leaves out the videos whose names the index has of other files that are still there.
  /// - Returns: a line for each.
  mutating func leaveOutNamesakes(in index: [Name: IndexedVideo.MediaFile]) -> [String] {
    let own = Set(videos.map(\.path))
    var lines: [String] = []
    videos.removeAll { video in
      guard let other = index[video.name], !own.contains(other.path), other.state != .missing,
        (try? FileMark(path: other.path))?.hash != video.mark?.hash
      else { return false }
      lines.append(
        "\(video.path): the index has another video of the name \"\(video.name)\", \(other.path). "
          + "Rename one, or index it elsewhere")
      return true
    }
    return lines
  }

  // MARK: What was made of them

  /// Takes away the features of files that were replaced, and gives those of a renamed file its new
  /// name.
  ///
  /// - Parameter index: what the index has of the videos' files.
  /// - Returns: the names of videos whose features are to be made anew.
  func bringFeaturesUpToDate(with index: [Name: IndexedVideo.MediaFile]) throws -> [String] {
    var marks = try readMarks()
    var stale: [String] = []
    let byHash = Dictionary(grouping: marks.keys.sorted()) { marks[$0]?.hash ?? "" }
    var renamed: [(old: String, new: String)] = []
    for video in videos {
      guard let mark = video.mark else { continue }
      let files = features(of: video.name).filter { FileManager.default.fileExists(atPath: $0) }
      if let old = marks[video.name] {
        if old.hash != mark.hash, !files.isEmpty { stale.append(video.name) }
      } else if !files.isEmpty {
        // Features of before there was a list of marks.
        let made = try files.map { try FileMark(path: $0).time }.min() ?? 0
        if index[video.name].map({ $0.size != mark.size }) ?? (made < mark.time) { stale.append(video.name) }
      } else if let old = byHash[mark.hash]?.first(where: { hasFeatures($0.text) }) {
        renamed.append((old.text, video.name))
      }
    }
    // Before what is stale goes: another file may have the old name by now.
    for (old, new) in renamed {
      for (from, to) in zip(features(of: old), features(of: new)) {
        try AtomicFile.write(try FileBytes.read(path: from), to: to)
      }
    }
    if !stale.isEmpty { try Self.remove(work.videoStores) { $0 == ["own"] } }
    for file in stale.flatMap(features) where unlink(file) != 0 && errno != ENOENT {
      throw DataError.system("remove", file: file)
    }
    for video in videos { if let mark = video.mark { marks[video.name] = mark } }
    try write(marks)
    return stale
  }

  /// Where each network's features of a video are.
  func features(of name: String) -> [String] {
    networks.map { "\(work.path)/features/\($0)_features/\(name).npz" }
  }

  private func hasFeatures(_ name: String) -> Bool {
    features(of: name).allSatisfy { FileManager.default.fileExists(atPath: $0) }
  }

  private var markFile: String { "\(work.path)/videos.json" }

  /// Of the files whose features were made, by the videos' names.
  private func readMarks() throws -> [Name: FileMark] {
    guard FileManager.default.fileExists(atPath: markFile) else { return [:] }
    var marks: [Name: FileMark] = [:]
    try JSON.readMembers(path: markFile) { name, value in
      guard let size = value["size"]?.int, let time = value["time"]?.double, let hash = value["hash"]?.string
      else { return }
      marks[name] = FileMark(size: size, time: time, hash: hash)
    }
    return marks
  }

  private func write(_ marks: [Name: FileMark]) throws {
    let members = marks.sorted { $0.key < $1.key }.map { name, mark in
      (
        key: name.text,
        value: ["size": .int(mark.size), "time": .double(mark.time), "hash": .string(mark.hash)] as JSON
      )
    }
    try OutputFolder.make(work.path)
    try AtomicFile.write(JSON.object(JSONObject(members)).encodedBytes(), to: markFile)
  }

  /// Removes a folder that an earlier `hero index --videos` made.
  /// - Parameter isOwn: whether files of these names are what it makes.
  /// - Throws: `DataError` for a folder that holds anything else, or that cannot be removed.
  static func remove(_ path: String, where isOwn: (Set<String>) -> Bool) throws {
    guard FileManager.default.fileExists(atPath: path) else { return }
    guard let names = try? FileManager.default.contentsOfDirectory(atPath: path), isOwn(Set(names)) else {
      throw DataError(
        "is in the way: it holds what 'hero index' did not make", file: path,
        cure: "Move it, or give another --output")
    }
    do {
      try FileManager.default.removeItem(atPath: path)
    } catch {
      throw DataError("cannot be removed: \(error.localizedDescription)", file: path)
    }
  }

  // MARK: For the index

  /// Where a video lies in time: as decoding found it when its features were made, else as its file
  /// says.
  private func span(of video: Video) -> VideoSpan? {
    features(of: video.name).lazy.compactMap { FeatureFolder.span(file: $0) }.first
      ?? (try? VideoFile(path: video.path)).flatMap { file in
        file.duration.map { VideoSpan(start: file.start, duration: $0) }
      }
  }

  /// What the index is to know of the files.
  /// - Parameter removes: whether videos are removed whose folders are missing too.
  func files(removes: Bool) -> Indexing.Files {
    var media: [Name: IndexedVideo.MediaFile] = [:]
    var files = Indexing.Files()
    for video in videos {
      let span = span(of: video)
      if let mark = video.mark {
        media[video.name] = IndexedVideo.MediaFile(
          path: video.path, size: mark.size, time: mark.time, hash: mark.hash, start: span?.start ?? 0)
      }
      files.durations[video.name] = span?.duration
    }
    files.media = { [media] in media[$0] }
    files.names = Set(videos.map { Name($0.name) })
    files.subtitlesAreKnown = true
    let folders = Set(videos.map { Self.folder(of: $0.path) })
    files.isGone = { Self.isGone($0, folders: folders, removes: removes) }
    return files
  }

  /// Whether a video of the index was deleted: its file is not there, but others of its folder are.
  /// A folder without any may be one that is not mounted.
  static func isGone(_ video: IndexedVideo, folders: Set<String>, removes: Bool) -> Bool {
    guard let path = video.file?.path, FileMark.isMissing(path) else { return false }
    return removes || folders.contains(folder(of: path))
  }

  private static func folder(of path: String) -> String { (path as NSString).deletingLastPathComponent }
}
