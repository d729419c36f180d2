import Foundation
import Synchronization

/// A folder of a test's own, removed with everything in it when the value goes.
public final class TemporaryFolder: Sendable {
  /// The folder's path, in the folder for temporary files.
  public let root: String

  /// Makes the folder under a new name.
  public init() throws {
    root = Self.newPath()
    try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
  }

  /// Makes a folder with a copy of what `other` holds.
  public init(copying other: TemporaryFolder) throws {
    root = Self.newPath()
    try FileManager.default.copyItem(atPath: other.root, toPath: root)
  }

  private static func newPath() -> String {
    FileManager.default.temporaryDirectory.appendingPathComponent("hero-test-\(UUID().uuidString)").path
  }

  /// Removes the folder when the process ends, since static values are never freed.
  public func removeAtExit() { Self.lasting.withLock { $0.append(root) } }

  private static let lasting: Mutex<[String]> = {
    atexit {
      for folder in TemporaryFolder.lasting.withLock({ $0 }) {
        try? FileManager.default.removeItem(atPath: folder)
      }
    }
    return Mutex([])
  }()

  deinit { try? FileManager.default.removeItem(atPath: root) }

  /// Returns the path of `name` in the folder.
  public func path(_ name: String) -> String { root + "/" + name }
}
