import Formats
import Foundation

/// A lock that keeps a second process out of a run's folder.
///
/// The system's lock on `run.lock` ends with its process, however the process ends. The text of the
/// file tells people who owns the lock. If another machine left the file, its text alone counts,
/// because locks may not reach across machines.
final class RunLock {
  private let path: String
  private let descriptor: Int32
  /// Whether this process created the file.
  private let isNew: Bool

  /// Locks the folder, which must exist.
  /// - Throws: `DataError` that names the host and the process of the owner.
  init(folder: RunFolder) throws {
    path = "\(folder.path)/run.lock"
    var (descriptor, isNew, isTaken): (Int32, Bool, Bool)
    repeat {
      descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
      isNew = descriptor >= 0
      if !isNew { descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o666) }
      guard descriptor >= 0 else { throw DataError.system("lock the folder", file: path) }
      isTaken = FileLock.take(descriptor) == .isTaken
      // A file that another run has withdrawn in between locks nothing.
    } while Self.isWithdrawn(descriptor, path)
    let owner = Self.read(descriptor)
    let isForeign = owner.map { !$0.isEmpty && !$0.hasPrefix(Self.host + " ") } ?? false
    guard !isTaken, !isForeign else {
      FileLock.close(descriptor)
      throw DataError(
        "another run works in this folder: \(owner?.isEmpty == false ? owner! : "its process is not known")",
        file: folder.path,
        cure: isForeign && !isTaken
          ? "Wait for it, choose another --output-dir, or delete \(path) if nothing runs there"
          : "Wait for it, or choose another --output-dir")
    }
    // On a file system without locks, the text of the file still works.
    (self.descriptor, self.isNew) = (descriptor, isNew)
    write("\(Self.host) process \(getpid())")
  }

  /// Leaves an empty file: deleting it could remove a lock that another process has just taken.
  deinit {
    write("")
    FileLock.close(descriptor)
  }

  /// Deletes the file if this process created it, for a run that does not begin.
  func withdraw() {
    if isNew { unlink(path) }
  }

  /// Returns whether an open file has lost its name, and closes it if so.
  private static func isWithdrawn(_ descriptor: Int32, _ path: String) -> Bool {
    var (own, named) = (stat(), stat())
    guard fstat(descriptor, &own) == 0 else { return false }
    if stat(path, &named) == 0, own.st_ino == named.st_ino, own.st_dev == named.st_dev { return false }
    close(descriptor)
    return true
  }

  private static var host: String { "host \(ProcessInfo.processInfo.hostName)" }

  private static func read(_ descriptor: Int32) -> String? {
    var bytes = [UInt8](repeating: 0, count: 512)
    let file = OpenFile(descriptor, path: "")
    let count = bytes.withUnsafeMutableBytes { try? file.read(into: $0, at: 0) }
    return count.map { String(decoding: bytes.prefix($0), as: UTF8.self) }
  }

  private func write(_ owner: String) {
    let bytes = Array(owner.utf8)
    guard ftruncate(descriptor, 0) == 0 else { return }
    try? bytes.withUnsafeBytes { try OpenFile(descriptor, path: "").write($0, at: 0) }
  }
}
