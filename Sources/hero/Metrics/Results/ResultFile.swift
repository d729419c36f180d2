import Foundation
import Formats

/// A text file under way: written piece by piece beside its final place, and put there when it is complete.
///
/// What stood at the path before stays until then.
final class ResultFile {
  private let path: String
  private let partial: String
  private let handle: FileHandle
  private var buffer: [UInt8] = []
  private var isFinished = false

  init(path: String) throws {
    self.path = path
    partial = path + ".partial"
    let descriptor = open(partial, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw DataError.system("write", file: partial) }
    handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: false)
  }

  deinit {
    guard !isFinished else { return }
    try? handle.close()
    try? FileManager.default.removeItem(atPath: partial)
  }

  func write(_ text: String) throws {
    buffer.append(contentsOf: text.utf8)
    if buffer.count > 1 << 20 { try flush() }
  }

  /// Puts the file in its place.
  func finish() throws {
    try flush()
    do {
      try handle.synchronize()
      try handle.close()
    } catch {
      throw failure(error)
    }
    guard rename(partial, path) == 0 else { throw DataError.system("rename", file: partial) }
    isFinished = true
  }

  private func flush() throws {
    do {
      try handle.write(contentsOf: buffer)
    } catch {
      throw failure(error)
    }
    buffer.removeAll(keepingCapacity: true)
  }

  private func failure(_ error: any Error) -> DataError {
    DataError(
      "cannot be written: \(error.localizedDescription)", file: partial,
      cure: "Make sure that the disk has room and the folder may be written to")
  }
}
