import Foundation

/// The first line of `hero --version`: the program's version and the commit it was built from.
enum Version {
  static let number = "0.1.0"

  static let line = "hero \(number) (commit \(commit))"

  /// The commit that `make build` or `make dist` recorded; `unknown` without a record.
  ///
  /// A file beside the program holds it, not the program itself. So a new commit recompiles
  /// nothing, and the same sources give the same program. A record older than the program belongs
  /// to an earlier build.
  private static var commit: String {
    let program = URL(fileURLWithPath: Bundle.main.executablePath ?? CommandLine.arguments[0])
      .resolvingSymlinksInPath()
    let folder = program.deletingLastPathComponent()
    let beside = folder.appendingPathComponent("hero.commit").path
    let installed = folder.deletingLastPathComponent().appendingPathComponent("share/hero/commit").path
    if let built = time(of: program.path), let noted = time(of: beside), noted < built { return "unknown" }
    for file in [beside, installed] {
      guard let text = try? String(contentsOfFile: file, encoding: .utf8) else { continue }
      let word = text.trimmingCharacters(in: .whitespacesAndNewlines)
      if !word.isEmpty, word.count <= 50, word.allSatisfy({ $0.isLetter || $0.isNumber || $0 == "-" }) {
        return word
      }
    }
    return "unknown"
  }

  private static func time(of file: String) -> Date? {
    let attributes = try? FileManager.default.attributesOfItem(atPath: file)
    return attributes?[.modificationDate] as? Date
  }
}
