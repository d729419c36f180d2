import Foundation
import Synchronization

/// A file that appears under its name only when it is complete.
///
/// Writes go to a temporary file in the same folder. `commit` flushes it to disk and renames it.
/// Until then an existing file of that name stays unchanged; it stays for good if the writer is
/// released without `commit`. A symbolic link stays a link, and its target is replaced. A killed
/// process may leave temporary files, `.hero-tmp-PROCESS-16 HEX DIGITS`. The next process that
/// writes into that folder removes them.
public final class AtomicFile {
  /// The path of the finished file.
  public let path: String
  /// The path that `commit` renames to, which differs from `path` if that is a link.
  private let target: String
  private let temporary: String
  private var descriptor: Int32
  private var buffer: [UInt8] = []

  private static let bufferSize = 1 << 20

  /// Begins the file `path`, whose folder must exist.
  public init(path: String) throws {
    self.path = path
    target = Self.target(of: path)
    let url = URL(fileURLWithPath: target)
    let folder = url.deletingLastPathComponent()
    Self.sweep(folder.path)
    temporary = folder.appendingPathComponent(Self.temporaryName()).path
    descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw DataError.system("write", file: path) }
    // `sweep` skips files that are still locked.
    _ = FileLock.take(descriptor)
  }

  /// Returns where a link leads, even if nothing is there, or the path itself if it is not a link.
  private static func target(of path: String) -> String {
    var path = path
    // The system follows at most 40 links.
    for _ in 0..<40 {
      guard let next = try? FileManager.default.destinationOfSymbolicLink(atPath: path) else { return path }
      path =
        next.hasPrefix("/")
        ? next
        : ((path as NSString).deletingLastPathComponent as NSString)
          .appendingPathComponent(next)
    }
    return path
  }

  /// Returns a unique name, which is short even if the file's own name is as long as names may be.
  private static func temporaryName() -> String {
    let digits = String(UInt64.random(in: 0 ... .max), radix: 16)
    return ".hero-tmp-\(getpid())-" + String(repeating: "0", count: 16 - digits.count) + digits
  }

  /// The folders that this process has swept.
  private static let swept = Mutex<Set<String>>([])

  /// Removes temporary files whose writers are gone: no process on this machine has their number,
  /// and no process anywhere holds their lock.
  private static func sweep(_ folder: String) {
    guard swept.withLock({ $0.insert(folder).inserted }) else { return }
    for name in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [] {
      guard let match = name.wholeMatch(of: /\.hero-tmp-([0-9]+)-[0-9a-f]{16}/), let process = pid_t(match.1),
        kill(process, 0) != 0, errno == ESRCH
      else { continue }
      let file = "\(folder)/\(name)"
      let descriptor = open(file, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
      guard descriptor >= 0 else { continue }
      if FileLock.take(descriptor) == .got { unlink(file) }
      close(descriptor)
    }
  }

  deinit { discard() }

  /// Appends bytes.
  public func write(_ bytes: UnsafeRawBufferPointer) throws {
    if buffer.count + bytes.count > Self.bufferSize { try flush() }
    if bytes.count > Self.bufferSize { try writeThrough(bytes) } else { buffer.append(contentsOf: bytes) }
  }

  /// Appends bytes.
  public func write(_ bytes: [UInt8]) throws { try bytes.withUnsafeBytes { try write($0) } }

  /// Appends text as UTF-8.
  public func write(_ text: String) throws {
    var text = text
    try text.withUTF8 { try write(UnsafeRawBufferPointer($0)) }
  }

  /// Overwrites earlier bytes from `offset` on.
  public func overwrite(_ bytes: [UInt8], at offset: Int) throws {
    try flush()
    try bytes.withUnsafeBytes { try writeThrough($0, at: offset) }
  }

  /// Flushes the bytes to disk and gives the file its name.
  public func commit() throws {
    do {
      try flush()
      guard fsync(descriptor) == 0 || errno == EINVAL else { throw DataError.system("write", file: path) }
      guard rename(temporary, target) == 0 else { throw DataError.system("write", file: path) }
      FileLock.close(descriptor)
      descriptor = -1
      OutputFolder.synchronize(URL(fileURLWithPath: target).deletingLastPathComponent().path)
    } catch {
      discard()
      throw error
    }
  }

  /// Writes the whole file at once.
  public static func write(_ bytes: [UInt8], to path: String) throws {
    let file = try AtomicFile(path: path)
    try file.write(bytes)
    try file.commit()
  }

  /// Writes the whole file at once, as UTF-8.
  public static func write(_ text: String, to path: String) throws {
    try write(Array(text.utf8), to: path)
  }

  private func flush() throws {
    try buffer.withUnsafeBytes { try writeThrough($0) }
    buffer.removeAll(keepingCapacity: true)
  }

  /// - Parameter offset: the offset of earlier bytes to overwrite; nil appends.
  private func writeThrough(_ bytes: UnsafeRawBufferPointer, at offset: Int? = nil) throws {
    guard descriptor >= 0 else { throw DataError("the file is finished already", file: path) }
    try OpenFile(descriptor, path: path).write(bytes, at: offset)
  }

  private func discard() {
    guard descriptor >= 0 else { return }
    FileLock.close(descriptor)
    descriptor = -1
    unlink(temporary)
  }
}
