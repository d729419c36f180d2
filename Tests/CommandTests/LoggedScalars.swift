import Formats
import Foundation

/// The scalars that a run wrote for TensorBoard.
struct LoggedScalars {
  /// The values by name, then by update.
  private(set) var values: [String: [Int: Float]] = [:]

  /// - Parameter folder: the folder with the run's only event file.
  init(folder: String) throws {
    let name = try FileManager.default.contentsOfDirectory(atPath: folder).first { $0.contains("tfevents") }
    for scalar in try EventReader(path: "\(folder)/\(name ?? "none")").scalars {
      values[scalar.tag, default: [:]][scalar.step] = Float(scalar.value)
    }
  }
}
