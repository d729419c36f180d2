import Formats

/// The rows that PyTorch computes with the fixtures' small residual CLIP, and the states of texts'
/// tokens.
public struct CLIPStates {
  /// The texts whose states PyTorch computed.
  public let texts: [String]
  /// Pixels of a picture's side.
  public let side: Int
  /// Three pictures' bytes, end to end.
  public let pictures: [UInt8]
  /// The pictures' rows, end to end, not normalized.
  public let image: [Float]
  private let json: JSON

  /// The weights in open_clip's layout.
  public static let folder = Fixtures.path("CLIP/resnet")
  /// The same weights as an archive of OpenAI's form.
  public static let archive = Fixtures.path("CLIP/resnet/archive.pt")

  /// - Throws: `DataError` where the fixture cannot be read.
  public init() throws {
    json = try JSON.read(path: Fixtures.path("CLIP/resnet/rows.json"))
    texts = (json["texts"]?.array ?? []).compactMap(\.string)
    side = json["side"]?.int ?? 0
    pictures = Squares.pixels(json)
    image = Self.floats(json["image"])
  }

  private static func floats(_ rows: JSON?) -> [Float] {
    (rows?.array ?? []).flatMap { ($0.array ?? []).map { Float($0.double ?? .nan) } }
  }

  /// Returns every token's state of each text, end to end, and the projected state of the last
  /// token.
  /// - Parameter model: `states` of the residual one, `quick` of `openclip-quick`.
  public func states(_ model: String) -> [(tokens: [Float], pooled: [Float])] {
    (json[model]?.array ?? []).map { text in
      (
        Self.floats(text["last_hidden_state"]),
        (text["pooler_output"]?.array ?? []).map { Float($0.double ?? .nan) }
      )
    }
  }
}

/// Pictures of a fixture that are made of squares of one colour.
public enum Squares {
  /// Returns the bytes of all pictures, red, green and blue, row by row.
  /// - Parameter json: `pictures`, a colour for each square, `side` and `square` in pixels.
  public static func pixels(_ json: JSON) -> [UInt8] {
    let coarse = (json["pictures"]?.array ?? []).compactMap { $0.int.map { UInt8($0) } }
    guard let side = json["side"]?.int, let square = json["square"]?.int else { return [] }
    let edge = side / square
    return (0..<coarse.count / (3 * edge * edge)).flatMap { picture in
      (0..<side * side).flatMap { pixel -> ArraySlice<UInt8> in
        let place = (picture * edge + pixel / side / square) * edge + pixel % side / square
        return coarse[3 * place..<3 * place + 3]
      }
    }
  }
}
