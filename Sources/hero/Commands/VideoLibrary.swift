import Formats
import Foundation
import Search
import Training
import Vision

/// The videos of a folder, compared with earlier features: which are new, replaced, renamed or
/// gone.
struct VideoLibrary {
  struct Video {
    var name: String
    /// The absolute path.
    var path: String
    /// The mark of the file; nil if it cannot be read.
    var mark: FileMark?
  }

  private(set) var videos: [Video]
  /// A line for each entry of the folder that is skipped.
  let leftOut: [String]
  private let work: IndexWork
  /// The networks whose features are kept.
  private let networks: [String]

  /// Lists the videos of a folder.
  ///
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

  /// Removes videos from the list for whose name the index has another existing file.
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

  /// Deletes features of replaced files, and copies those of renamed files to the new names.
  ///
  /// - Parameter index: the files that the index names for the videos.
  /// - Returns: the names of videos whose features must be computed again.
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
        // Features made before the list of marks existed have no mark.
        let made = try files.map { try FileMark(path: $0).time }.min() ?? 0
        if index[video.name].map({ $0.size != mark.size }) ?? (made < mark.time) { stale.append(video.name) }
      } else if let old = byHash[mark.hash]?.first(where: { hasFeatures($0.text) }) {
        renamed.append((old.text, video.name))
      }
    }
    // Copied before stale features are deleted, as another file may have taken the old name.
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

  /// Returns the path of each network's features of a video.
  func features(of name: String) -> [String] {
    networks.map { "\(work.path)/features/\($0)_features/\(name).npz" }
  }

  private func hasFeatures(_ name: String) -> Bool {
    features(of: name).allSatisfy { FileManager.default.fileExists(atPath: $0) }
  }

  private var markFile: String { "\(work.path)/videos.json" }

  /// Reads the marks of the files that have features, by the names of the videos.
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
  /// - Parameter isOwn: whether that command makes entries with these names.
  /// - Throws: `DataError` for a folder with other contents, or one that cannot be removed.
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

  /// Returns the time span of a video.
  ///
  /// It is the one found by decoding when the features were made, or else the one that the file
  /// states.
  private func span(of video: Video) -> VideoSpan? {
    features(of: video.name).lazy.compactMap { FeatureFolder.span(file: $0) }.first
      ?? (try? VideoFile(path: video.path)).flatMap { file in
        file.duration.map { VideoSpan(start: file.start, duration: $0) }
      }
  }

  /// Returns the properties of the files for the index.
  /// - Parameter removes: whether to remove videos even if their whole folders are missing.
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

  /// Returns whether a video of the index was deleted.
  ///
  /// Its file is then missing, but other videos of its folder exist. A folder without any may not
  /// be mounted.
  static func isGone(_ video: IndexedVideo, folders: Set<String>, removes: Bool) -> Bool {
    guard let path = video.file?.path, FileMark.isMissing(path) else { return false }
    return removes || folders.contains(folder(of: path))
  }

  private static func folder(of path: String) -> String { (path as NSString).deletingLastPathComponent }
}
