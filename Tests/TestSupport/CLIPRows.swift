import Formats

/// The rows that PyTorch computes with the fixtures' small CLIPs.
public struct CLIPRows {
  /// The fixtures' folders.
  public static let models = ["openclip", "openclip-quick", "huggingface"]
  /// The texts whose rows PyTorch computed.
  public let texts: [String]
  /// Two pictures' bytes, end to end.
  public let pictures: [UInt8]
  /// Pixels of a picture's side.
  public let side: Int
  private let json: JSON

  /// - Throws: `DataError` where the fixture cannot be read.
  public init() throws {
    json = try JSON.read(path: Fixtures.path("CLIP/rows.json"))
    texts = (json["texts"]?.array ?? []).compactMap(\.string)
    pictures = (json["pictures"]?.array ?? []).compactMap { $0.int.map { UInt8($0) } }
    side = json["side"]?.int ?? 0
  }

  /// Returns the folder of a fixture's weights.
  public static func path(_ model: String) -> String { Fixtures.path("CLIP/\(model)") }

  /// Returns a tower's rows of unit length, end to end.
  /// - Parameter tower: `image` or `text`.
  public func rows(_ model: String, _ tower: String) -> [Float] {
    (json[model]?[tower]?.array ?? []).flatMap { ($0.array ?? []).map { Float($0.double ?? .nan) } }
  }
}
