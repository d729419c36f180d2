import Formats
import Foundation

/// Folders for results.
enum OutputPlace {
  /// Makes a folder, if it is not there, and those above it.
  static func make(folder: String) throws {
    do {
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    } catch {
      throw DataError(
        "cannot be made (\(error.localizedDescription))", file: folder,
        cure: "Check the path and its permissions")
    }
  }
}
