/// The features that VALUE publishes, by the names of its stores.
///
/// A name is one network's, or a two-dimensional network's and a three-dimensional one's.
public enum FeatureVersion {
  /// The number of features per frame of each network.
  public static let widths: [(name: String, width: Int)] = [
    ("resnet", 2048), ("clip-vit", 512), ("slowfast", 2304), ("mil-nce", 1024),
  ]
  private static let flat = ["resnet", "clip-vit"]
  private static let deep = ["slowfast", "mil-nce"]

  /// Returns the parts of a frame's features in their order, or nil for an unknown name.
  public static func parts(of name: String) -> [String]? {
    let parts = name.split(separator: "_", omittingEmptySubsequences: false).map(String.init)
    switch parts.count {
    case 1: return flat.contains(parts[0]) || deep.contains(parts[0]) ? parts : nil
    case 2: return flat.contains(parts[0]) && deep.contains(parts[1]) ? parts : nil
    default: return nil
    }
  }

  /// Returns whether a name consists of known parts, in any order and number.
  public static func isOfKnownParts(_ name: String) -> Bool {
    name.split(separator: "_", omittingEmptySubsequences: false)
      .allSatisfy { part in widths.contains { $0.name == part } }
  }

  /// Returns whether two parts are a two-dimensional and a three-dimensional network's, in any
  /// order.
  static func isPair(_ parts: [String]) -> Bool {
    parts.count == 2 && Set(parts).contains(where: flat.contains) && Set(parts).contains(where: deep.contains)
  }
  /// Returns whether a part is of pictures, and not of stretches of time.
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

  /// Returns the names of the features of the given width.
  package static func names(ofWidth width: Int) -> [String] {
    names.filter { $0.width == width }.map(\.name)
  }

  /// Returns the names of the folders in which the files of a part may lie.
  ///
  /// The program's own comes first, then VALUE's or those of QVHighlights' features.
  static func folders(of part: String) -> [String] {
    ["\(part)_features", part]
      + (part == "mil-nce" ? ["mil-nce-s3d_features", "mil-nce-s3d"] : [])
      + (part == "clip-vit" ? ["clip_features"] : [])
  }
}
