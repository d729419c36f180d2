import Foundation

/// Where the tests find the reference's answers and the real data that the repository does not hold.
public enum SharedData {
  /// The root of the checkout, from this file's own place.
  public static let repository = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

  /// `../shared` beside the checkout, or nil where there is none.
  public static let root: URL? = existing(
    ProcessInfo.processInfo.environment["HERO_SHARED_DIR"].map { URL(fileURLWithPath: $0) }
      ?? repository.deletingLastPathComponent().appendingPathComponent("shared"))

  /// The reference's answers: `HERO_GOLDEN_DIR` if set, else `../shared/golden`, else the small set that the repository
  /// holds (`Tests/Fixtures/golden`). They are always there, so that no test against them is ever skipped.
  public static let golden: URL =
    ProcessInfo.processInfo.environment["HERO_GOLDEN_DIR"].map { URL(fileURLWithPath: $0) }
    ?? existing(root?.appendingPathComponent("golden")) ?? smallGolden()

  /// Unpacks the small set into a folder that goes with the process.
  private static func smallGolden() -> URL {
    let folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("hero-golden-\(ProcessInfo.processInfo.processIdentifier)")
    let archive = repository.appendingPathComponent("Tests/Fixtures/golden/golden.tar.gz").path
    do {
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      let tar = try Process.run(
        URL(fileURLWithPath: "/usr/bin/env"), arguments: ["tar", "xzf", archive, "-C", folder.path])
      tar.waitUntilExit()
      guard tar.terminationStatus == 0 else { fatalError("tar could not unpack \(archive)") }
    } catch {
      fatalError("\(archive) could not be unpacked: \(error)")
    }
    unpacked = folder.path
    atexit { try? FileManager.default.removeItem(atPath: SharedData.unpacked) }
    return folder
  }

  nonisolated(unsafe) private static var unpacked = ""

  /// Annotations, tokenizer and captions that others published; never part of the repository.
  public static let real: URL? = existing(root?.appendingPathComponent("real"))

  private static func existing(_ url: URL?) -> URL? {
    guard let url, FileManager.default.fileExists(atPath: url.path) else { return nil }
    return url
  }
}
