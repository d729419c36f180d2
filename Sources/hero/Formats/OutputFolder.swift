import Foundation

/// A folder that appears under its name only when it is complete.
///
/// It is filled as `NAME.partial`, and `commit` renames it. A folder released without `commit` is
/// removed, along with the parent folders made for it. The next run clears a `NAME.partial` that a
/// killed run left. It never clears one that another program made or that a running one still
/// fills.
public final class OutputFolder {
  /// The path of the finished folder.
  public let path: String
  /// The path of the folder while it is filled.
  public let partial: String
  private var mark: Int32
  private var around = MadeFolders()

  private static let markName = ".hero-partial"

  /// Begins the folder `path`; throws if anything but an empty folder has that name.
  public init(path: String) throws {
    let name = path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
    self.path = name
    try DataError.refuseAddress(name)
    partial = name + ".partial"
    try Self.refuseExisting(name)
    let parent = URL(fileURLWithPath: name).deletingLastPathComponent().path
    try around.make(parent)
    let isNew = mkdir(partial, 0o777) == 0
    if !isNew, errno != EEXIST { throw DataError.system("make the folder", file: partial) }
    let markPath = partial + "/" + Self.markName
    if !isNew, access(markPath, F_OK) != 0 {
      let content = try? FileManager.default.contentsOfDirectory(atPath: partial)
      guard content?.isEmpty == true else {
        throw DataError("is in the way", file: partial, cure: "Move or remove it")
      }
    }
    let mark = open(markPath, O_RDWR | O_CREAT | O_CLOEXEC, 0o666)
    guard mark >= 0 else { throw DataError.system("write", file: partial) }
    guard FileLock.take(mark) != .isTaken else {
      // `deinit` does not run here, as `mark` is not set: the folder belongs to the other run.
      close(mark)
      throw DataError(
        "another run is writing it", file: partial, cure: "Wait until it ends, or write elsewhere")
    }
    self.mark = mark
    for leftOver in (try? FileManager.default.contentsOfDirectory(atPath: partial)) ?? []
    where leftOver != Self.markName {
      try? FileManager.default.removeItem(atPath: partial + "/" + leftOver)
    }
  }

  deinit { discard() }

  /// Returns the path of `name` inside the folder while it is filled.
  public func file(_ name: String) -> String { partial + "/" + name }

  /// Makes the folder `name` inside, if it is missing, and returns its path.
  public func folder(_ name: String) throws -> String {
    let path = file(name)
    try Self.make(path)
    return path
  }

  /// Makes a folder and its missing parents.
  public static func make(_ path: String) throws {
    try DataError.refuseAddress(path)
    var folders = MadeFolders()
    try folders.make(path)
  }

  /// Flushes everything to disk and gives the folder its name.
  ///
  /// `synchronizing: false` leaves flushing files to the system, for thousands of small files that
  /// can be made again. After a power cut the folder may then exist without all of its content.
  public func commit(synchronizing: Bool = true) throws {
    guard mark >= 0 else { throw DataError("the folder is finished already", file: path) }
    try Self.refuseExisting(path)
    if synchronizing, let names = FileManager.default.enumerator(atPath: partial) {
      for case let name as String in names { Self.synchronize(partial + "/" + name) }
    }
    Self.synchronize(partial)
    // Remove the mark last: by it the next run recognizes the folder of a killed process.
    guard rename(partial, path) == 0 else { throw DataError.system("name the finished folder", file: path) }
    unlink(path + "/" + Self.markName)
    Self.synchronize(URL(fileURLWithPath: path).deletingLastPathComponent().path)
    FileLock.close(mark)
    mark = -1
  }

  private func discard() {
    guard mark >= 0 else { return }
    try? FileManager.default.removeItem(atPath: partial)
    FileLock.close(mark)
    mark = -1
    around.remove()
  }

  private static func refuseExisting(_ path: String) throws {
    guard FileManager.default.fileExists(atPath: path) else { return }
    if (try? FileManager.default.contentsOfDirectory(atPath: path))?.isEmpty != true {
      throw DataError("exists already", file: path, cure: "Remove it, or write elsewhere")
    }
  }

  /// Flushes a file or a folder's list of names to disk, if the file system can.
  public static func synchronize(_ path: String) {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return }
    fsync(descriptor)
    close(descriptor)
  }
}
