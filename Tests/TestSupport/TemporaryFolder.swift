import Foundation

/// A folder of a test's own, removed with everything in it when the value goes.
public final class TemporaryFolder: Sendable {
  /// The folder's path, in the folder for temporary files.
  public let root: String

  /// Makes the folder under a new name.
  public init() throws {
    let url = FileManager.default.temporaryDirectory.appendingPathComponent("hero-test-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    root = url.path
  }

  deinit { try? FileManager.default.removeItem(atPath: root) }

  /// The path of `name` inside.
  public func path(_ name: String) -> String { root + "/" + name }
}
