import Foundation
import Synchronization

/// The places of the reference's answers and of real data that the repository does not hold.
public enum SharedData {
  /// The root of the checkout, found by this file's own path.
  public static let repository = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

  /// `../shared` beside the checkout, or nil where there is none.
  public static let root: URL? = existing(
    ProcessInfo.processInfo.environment["HERO_SHARED_DIR"].map { URL(fileURLWithPath: $0) }
      ?? repository.deletingLastPathComponent().appendingPathComponent("shared"))

  /// The folder of the reference's answers.
  ///
  /// It is `HERO_GOLDEN_DIR` if set, else `../shared/golden`, else the small set that the
  /// repository holds (`Tests/Fixtures/golden`). One is always there, so that no test against it is
  /// skipped.
  public static let golden: URL =
    ProcessInfo.processInfo.environment["HERO_GOLDEN_DIR"].map { URL(fileURLWithPath: $0) }
    ?? existing(root?.appendingPathComponent("golden")) ?? unpacked("golden")

  /// The folder of VALUE's answers on the same corpus.
  ///
  /// It is `HERO_VALUE_GOLDEN_DIR` if set, else `../shared/golden-value`, else the small set that
  /// the repository holds. It is nil if only `HERO_GOLDEN_DIR` is set, to another corpus.
  public static let valueGolden: URL? =
    ProcessInfo.processInfo.environment["HERO_VALUE_GOLDEN_DIR"].map { URL(fileURLWithPath: $0) }
    ?? (ProcessInfo.processInfo.environment["HERO_GOLDEN_DIR"] != nil
      ? nil : existing(root?.appendingPathComponent("golden-value")) ?? unpacked("value"))

  /// Unpacks a small set into a folder that is removed when the process ends.
  private static func unpacked(_ name: String) -> URL {
    let folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("hero-\(name)-\(ProcessInfo.processInfo.processIdentifier)")
    let archive = repository.appendingPathComponent("Tests/Fixtures/golden/\(name).tar.gz").path
    do {
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      let tar = try Process.run(
        URL(fileURLWithPath: "/usr/bin/env"), arguments: ["tar", "xzf", archive, "-C", folder.path])
      tar.waitUntilExit()
      guard tar.terminationStatus == 0 else { fatalError("tar could not unpack \(archive)") }
    } catch {
      fatalError("\(archive) could not be unpacked: \(error)")
    }
    leftovers.withLock { $0.append(folder.path) }
    atexit {
      for path in SharedData.leftovers.withLock({ $0 }) { try? FileManager.default.removeItem(atPath: path) }
    }
    return folder
  }

  private static let leftovers = Mutex<[String]>([])

  /// The folder of published annotations, tokenizer and captions, which the repository never holds.
  public static let real: URL? = existing(root?.appendingPathComponent("real"))

  private static func existing(_ url: URL?) -> URL? {
    guard let url, FileManager.default.fileExists(atPath: url.path) else { return nil }
    return url
  }
}
