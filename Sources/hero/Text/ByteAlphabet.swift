/// The 256 printable characters that stand for bytes in `vocab.json` and `merges.txt`.
///
/// Printable Latin-1 bytes stand for themselves; the others take the code points from U+0100 on, in
/// order (openai/gpt-2 `bytes_to_unicode`).
public enum ByteAlphabet {
  /// The character of each byte.
  public static let scalars: [Unicode.Scalar] = {
    var next: UInt32 = 0x100
    return (0...UInt8.max).map { byte in
      switch byte {
      case 0x21...0x7E, 0xA1...0xAC, 0xAE...0xFF: return Unicode.Scalar(byte)
      default:
        defer { next += 1 }
        return Unicode.Scalar(next) ?? "\u{FFFD}"
      }
    }
  }()

  private static let bytes: [Unicode.Scalar: UInt8] = Dictionary(
    uniqueKeysWithValues: zip(scalars, 0...UInt8.max))

  /// Returns the bytes that a token stands for; characters outside the alphabet stand for their
  /// UTF-8.
  static func bytes(of token: String) -> [UInt8] {
    token.unicodeScalars.flatMap { scalar -> [UInt8] in
      bytes[scalar].map { [$0] } ?? Array(String(scalar).utf8)
    }
  }
}
