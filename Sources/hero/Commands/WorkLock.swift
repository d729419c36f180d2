import Formats
import Foundation

/// Keeps a second `hero index --videos` from the folder beside an index while one fills it.
final class WorkLock {
  private var descriptor: Int32 = -1
  private var folders = MadeFolders()

  /// Makes the folder where it is not there, and takes it until this object goes; once.
  ///
  /// - Throws: `DataError` where another run has it.
  func take(_ path: String) throws {
    guard descriptor < 0 else { return }
    try folders.make(path)
    let opened = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard opened >= 0 else { throw DataError.system("open the folder", file: path) }
    // On a file system without locks nothing keeps the other one away.
    guard FileLock.take(opened) != .isTaken else {
      FileLock.close(opened)
      throw DataError(
        "another run is filling this folder", file: path,
        cure: "Wait until it ends, then run again, or give another --output")
    }
    descriptor = opened
  }

  /// A folder in which nothing was made goes again.
  deinit {
    folders.remove()
    if descriptor >= 0 { FileLock.close(descriptor) }
  }
}
