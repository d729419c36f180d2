import Formats
import Foundation

/// Keeps a second `hero index --videos` out of the folder that one is filling.
final class WorkLock {
  private var descriptor: Int32 = -1
  private var folders = MadeFolders()

  /// Makes the folder if it is missing and locks it until this object is released.
  ///
  /// Later calls do nothing.
  ///
  /// - Throws: `DataError` where another run holds the lock.
  func take(_ path: String) throws {
    guard descriptor < 0 else { return }
    try folders.make(path)
    let opened = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard opened >= 0 else { throw DataError.system("open the folder", file: path) }
    // A file system without locks cannot keep another run out.
    guard FileLock.take(opened) != .isTaken else {
      FileLock.close(opened)
      throw DataError(
        "another run is filling this folder", file: path,
        cure: "Wait until it ends, then run again, or give another --output")
    }
    descriptor = opened
  }

  /// Removes the folders that are still empty.
  deinit {
    folders.remove()
    if descriptor >= 0 { FileLock.close(descriptor) }
  }
}
