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

  /// The reference's answers: `HERO_GOLDEN_DIR` if set, else `../shared/golden`, else the copy in `Tests/Fixtures/golden`.
  public static let golden: URL? =
    ProcessInfo.processInfo.environment["HERO_GOLDEN_DIR"].map { URL(fileURLWithPath: $0) }
    ?? existing(root?.appendingPathComponent("golden"))
    ?? existing(repository.appendingPathComponent("Tests/Fixtures/golden"))

  /// Annotations, tokenizer and captions that others published; never part of the repository.
  public static let real: URL? = existing(root?.appendingPathComponent("real"))

  private static func existing(_ url: URL?) -> URL? {
    guard let url, FileManager.default.fileExists(atPath: url.path) else { return nil }
    return url
  }
}
