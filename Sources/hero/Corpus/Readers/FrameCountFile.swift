import Formats
import Foundation

/// The file beside a feature store that lists its videos and their frame counts.
///
/// It is `id2nframe_1.5.json` where stores of several intervals share a folder, as VALUE publishes
/// them. Otherwise it is `id2nframe.json`.
package enum FrameCountFile {
  /// The file's name without the interval.
  static let plain = "id2nframe.json"

  /// Returns the names that a store's file may have, in the order in which VALUE looks for them.
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

  /// Returns the file of a store, beside its folder or in it, or nil if there is none.
  package static func find(store: String) -> String? {
    let parent = URL(fileURLWithPath: store).deletingLastPathComponent().path
    let candidates = names(store: store).flatMap { ["\(parent)/\($0)", "\(store)/\($0)"] }
    return candidates.first { FileManager.default.fileExists(atPath: $0) }
  }
}
