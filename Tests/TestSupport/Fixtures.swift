import Foundation

/// Small files of the repository's own, in `Tests/Fixtures`.
public enum Fixtures {
  /// The path of `name`, such as `Formats/stored.npz`.
  public static func path(_ name: String) -> String {
    SharedData.repository.appendingPathComponent("Tests/Fixtures/\(name)").path
  }

  /// The bytes of `name`.
  public static func bytes(_ name: String) throws -> [UInt8] {
    [UInt8](try Data(contentsOf: URL(fileURLWithPath: path(name))))
  }
}

/// Damaged copies of a file's bytes, for readers that must refuse or survive them.
public enum Damage {
  /// `bytes` cut at every length below their own, or at about `most` lengths spread over them.
  public static func truncations(_ bytes: [UInt8], most: Int = 2000) -> [[UInt8]] {
    stride(from: 0, to: bytes.count, by: max(1, bytes.count / most)).map { Array(bytes.prefix($0)) }
  }

  /// `bytes` with one bit or byte changed in each of about `most` places, the same ones every time.
  public static func flips(_ bytes: [UInt8], most: Int = 2000) -> [[UInt8]] {
    stride(from: 0, to: bytes.count, by: max(1, bytes.count / most)).flatMap { place in
      [UInt8(1) << UInt8(place % 8), 0xff].map { mask in
        var copy = bytes
        copy[place] ^= mask
        return copy
      }
    }
  }
}
