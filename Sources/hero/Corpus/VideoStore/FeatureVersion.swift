/// The features that VALUE publishes, by the names of its stores: one network's, or a
/// two-dimensional network's beside a three-dimensional one's.
public enum FeatureVersion {
  /// Numbers per frame.
  public static let widths: [(name: String, width: Int)] = [
    ("resnet", 2048), ("clip-vit", 512), ("slowfast", 2304), ("mil-nce", 1024),
  ]
  private static let flat = ["resnet", "clip-vit"]
  private static let deep = ["slowfast", "mil-nce"]

  /// The parts of a frame's features, in their order; nil for a name that says nothing.
  public static func parts(of name: String) -> [String]? {
    let parts = name.split(separator: "_", omittingEmptySubsequences: false).map(String.init)
    switch parts.count {
    case 1: return flat.contains(parts[0]) || deep.contains(parts[0]) ? parts : nil
    case 2: return flat.contains(parts[0]) && deep.contains(parts[1]) ? parts : nil
    default: return nil
    }
  }

  /// Whether a name consists of known parts, in an order or number that is not published.
  public static func isOfKnownParts(_ name: String) -> Bool {
    name.split(separator: "_", omittingEmptySubsequences: false)
      .allSatisfy { part in widths.contains { $0.name == part } }
  }

  /// Whether two parts stand side by side as in VALUE, the two-dimensional network's first.
  static func isPair(_ parts: [String]) -> Bool {
    parts.count == 2 && Set(parts).contains(where: flat.contains) && Set(parts).contains(where: deep.contains)
  }
  /// Whether a part is of pictures, and not of stretches of time.
  static func isFlat(_ part: String) -> Bool { flat.contains(part) }

  /// Every name with its width.
  private static var names: [(name: String, width: Int)] {
    widths
      + flat.flatMap { a in deep.map { "\(a)_\($0)" } }.map { name in
        let width = (parts(of: name) ?? []).reduce(0) { sum, part in
          sum + (widths.first { $0.name == part }?.width ?? 0)
        }
        return (name, width)
      }
  }

  /// Every name with its width, for messages.
  public static var known: String { names.map { "\($0.name) (\($0.width))" }.joined(separator: ", ") }

  /// The names of features that are so wide.
  package static func names(ofWidth width: Int) -> [String] {
    names.filter { $0.width == width }.map(\.name)
  }

  /// The folders in which the files of a part may lie, the program's own first, then VALUE's or
  /// those of QVHighlights' features.
  static func folders(of part: String) -> [String] {
    ["\(part)_features", part]
      + (part == "mil-nce" ? ["mil-nce-s3d_features", "mil-nce-s3d"] : [])
      + (part == "clip-vit" ? ["clip_features"] : [])
  }
}
