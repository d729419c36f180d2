import Formats
import Foundation

/// The file beside a feature store that lists its videos and their frames: `id2nframe_1.5.json`,
/// where stores of several intervals stand in one folder as VALUE publishes them, or
/// `id2nframe.json`.
package enum FrameCountFile {
  /// The name where it does not say the interval.
  static let plain = "id2nframe.json"

  /// The names that the file of a store may have, in the order in which VALUE looks for them.
  /// - Parameter store: the store's folder, whose name ends in the seconds per frame.
  static func names(store: String) -> [String] {
    var name = URL(fileURLWithPath: store).lastPathComponent[...]
    if name.hasSuffix("_compressed") { name = name.dropLast("_compressed".count) }
    guard let seconds = name.split(separator: "_").last.map(String.init), let number = Double(seconds),
      number.isFinite
    else { return [plain] }
    let printed = String(format: "%g", number)
    return ([printed] + (printed == seconds ? [] : [seconds])).map { "id2nframe_\($0).json" } + [plain]
  }

  /// The file of a store, beside its folder or in it; nil where there is none.
  package static func find(store: String) -> String? {
    let parent = URL(fileURLWithPath: store).deletingLastPathComponent().path
    let candidates = names(store: store).flatMap { ["\(parent)/\($0)", "\(store)/\($0)"] }
    return candidates.first { FileManager.default.fileExists(atPath: $0) }
  }
}
