import Formats
import Foundation

/// The mark by which a file is recognized: its size, modification time and a hash of both its ends.
public struct FileMark: Equatable, Sendable {
  /// The file's size in bytes.
  public var size: Int
  /// The modification time in seconds since 1970.
  public var time: Double
  /// The hash of the size, the first and the last 64 kB, as 16 hexadecimal digits.
  public var hash: String

  private static let part = 1 << 16

  /// Creates a mark that an index has stored; ``init(path:)`` creates one from a file.
  public init(size: Int, time: Double, hash: String) {
    (self.size, self.time, self.hash) = (size, time, hash)
  }

  /// Creates the mark of a file.
  ///
  /// - Throws: `DataError` where the file cannot be read.
  public init(path: String) throws {
    let (size, time) = try Self.status(path)
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw DataError.system("open", file: path) }
    defer { close(descriptor) }
    self.init(size: size, time: time, hash: try Self.hash(descriptor, size: size, file: path))
  }

  private static func hash(_ descriptor: Int32, size: Int, file: String) throws -> String {
    var hash = ContentHash()
    hash.update(UInt64(size).littleEndianBytes)
    for place in Set([0, max(0, size - part)]).sorted() {
      hash.update(try read(descriptor, at: place, file: file))
    }
    return hash.text
  }

  /// Returns whether an opened file is the indexed one: the same size, and the same time or hash.
  static func isSame(_ descriptor: Int32, _ status: stat, as file: IndexedVideo.MediaFile) -> Bool {
    guard Int(status.st_size) == file.size else { return false }
    guard let time = file.time, let hash = file.hash, abs(time - Self.time(status)) > 1e-5 else {
      return true
    }
    return (try? self.hash(descriptor, size: file.size, file: file.path)) == hash
  }

  private static func time(_ status: stat) -> Double {
    Double(status.st_mtim.tv_sec) + Double(status.st_mtim.tv_nsec / 1000) * 1e-6
  }

  /// Returns the size and the modification time of a plain file.
  static func status(_ path: String) throws -> (size: Int, time: Double) {
    var status = stat()
    guard stat(path, &status) == 0 else { throw DataError.system("read", file: path) }
    guard status.st_mode & S_IFMT == S_IFREG else { throw DataError("not a plain file", file: path) }
    return (Int(status.st_size), time(status))
  }

  private static func read(_ descriptor: Int32, at place: Int, file: String) throws -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: part)
    let done = try bytes.withUnsafeMutableBytes {
      try OpenFile(descriptor, path: file).read(into: $0, at: place)
    }
    return Array(bytes.prefix(done))
  }

  /// Returns whether no file has this path.
  ///
  /// A file that exists but cannot be read is not missing.
  public static func isMissing(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) != 0 && (errno == ENOENT || errno == ENOTDIR)
  }
}

extension IndexedVideo.MediaFile {
  /// Creates the entry of a file with its mark.
  ///
  /// - Throws: `DataError` where the file cannot be read.
  public init(path: String, start: Double = 0) throws {
    let mark = try FileMark(path: path)
    self.init(path: path, size: mark.size, time: mark.time, hash: mark.hash, start: start)
  }

  /// Whether the file is still the one that was indexed.
  public enum State: String, Sendable {
    case there, missing, changed
  }

  /// Returns whether an opened file is still the indexed one, even if its path is reused later.
  ///
  /// - Parameter status: the status of the opened file.
  public func isOpen(as descriptor: Int32, _ status: stat) -> Bool {
    FileMark.isSame(descriptor, status, as: self)
  }

  /// The file's state by its size and time, and by its hash only where the time differs.
  ///
  /// A file that cannot be read counts as changed.
  public var state: State {
    if FileMark.isMissing(path) { return .missing }
    guard let status = try? FileMark.status(path), status.size == size else { return .changed }
    guard let time, let hash, abs(time - status.time) > 1e-5 else { return .there }
    return (try? FileMark(path: path).hash) == hash ? .there : .changed
  }
}

/// The video files of a folder, found by the name of their video.
public struct MediaFolder: Sendable {
  /// The folder's path as the user named it.
  public let path: String
  /// The absolute path of each file by the bytes of its video's name.
  private let files: [[UInt8]: String]

  /// Lists the video files of a folder.
  ///
  /// - Parameter onLeftOut: called with a line for each file that is skipped.
  /// - Throws: `DataError` where the path is not a folder.
  public init(path: String, onLeftOut: (String) -> Void = { _ in }) throws {
    guard FileManager.default.isFolder(path) else {
      throw DataError("there is no such folder", file: path, cure: DataError.missingCure(path))
    }
    self.path = path
    let root = SearchModel.absolute(path)
    var files: [[UInt8]: String] = [:]
    for name in try FolderFiles.list(
      path, endings: FileEndings.videos, passing: FileEndings.besideVideos, onLeftOut: onLeftOut)
    {
      let stem = Array(FileEndings.stem(of: name).utf8)
      if let other = files[stem] {
        onLeftOut("\(root)/\(name): has the same name as \(other), which is taken. Rename one")
      } else {
        files[stem] = "\(root)/\(name)"
      }
    }
    self.files = files
  }

  /// Returns whether a file is named after the video.
  ///
  /// Reads nothing.
  public func contains(_ video: String) -> Bool { files[Array(video.utf8)] != nil }

  /// Returns the files that are named after none of the videos, sorted by path.
  public func unused(by videos: [String]) -> [String] {
    var left = files
    for video in videos { left[Array(video.utf8)] = nil }
    return left.values.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
  }

  /// Returns the file named after the video, with size 0 and no hash where it cannot be read.
  public func file(of video: String) -> IndexedVideo.MediaFile? {
    guard let path = files[Array(video.utf8)] else { return nil }
    return (try? IndexedVideo.MediaFile(path: path)) ?? IndexedVideo.MediaFile(path: path, size: 0)
  }
}
