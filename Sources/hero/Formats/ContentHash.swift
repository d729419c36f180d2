/// A hash of bytes that detects damage, mix-ups and another model's weights, but no attack.
///
/// Each of four lanes of 64 bits takes every fourth word by exclusive or, multiplication by an odd
/// number and rotation. The end mixes the length and the lanes. It hashes gigabytes a second.
public struct ContentHash: Sendable {
  private var lanes: SIMD4<UInt64> = [
    0x9E37_79B9_7F4A_7C15, 0xBF58_476D_1CE4_E5B9, 0x94D0_49BB_1331_11EB, 0xD6E8_FEB8_6659_FD93,
  ]
  private var pending: [UInt8] = []
  private var length: UInt64 = 0

  /// Creates the hash of no bytes.
  public init() {}

  /// Adds bytes; how they are divided over calls makes no difference.
  public mutating func update(_ bytes: UnsafeRawBufferPointer) {
    length &+= UInt64(bytes.count)
    var place = 0
    if !pending.isEmpty {
      place = min(32 - pending.count, bytes.count)
      pending.append(contentsOf: bytes[..<place])
      guard pending.count == 32 else { return }
      pending.withUnsafeBytes { mix($0, at: 0) }
      pending.removeAll(keepingCapacity: true)
    }
    while place + 32 <= bytes.count {
      mix(bytes, at: place)
      place += 32
    }
    pending.append(contentsOf: bytes[place...])
  }

  /// Adds the bytes of an array.
  public mutating func update(_ bytes: [UInt8]) { bytes.withUnsafeBytes { update($0) } }

  private mutating func mix(_ bytes: UnsafeRawBufferPointer, at place: Int) {
    func word(_ lane: Int) -> UInt64 {
      UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: place + 8 * lane, as: UInt64.self))
    }
    let x = lanes ^ SIMD4(word(0), word(1), word(2), word(3))
    let product = x &* 0x9DDF_EA08_EB38_2D69
    lanes = (product &<< 29) | (product &>> 35)
  }

  /// The hash of all bytes taken so far.
  public var value: UInt64 {
    var end = self
    let count = pending.count
    if count > 0 {
      let rest = pending + [UInt8](repeating: 0, count: 32 - count)
      rest.withUnsafeBytes { end.mix($0, at: 0) }
    }
    var hash = length
    for lane in 0..<4 {
      hash = (hash ^ end.lanes[lane]) &* 0xFF51_AFD7_ED55_8CCD
      hash ^= hash >> 33
    }
    return hash
  }

  /// The hash as 16 hexadecimal digits.
  public var text: String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }

  /// Returns the hash of bytes in one call.
  public static func of(_ bytes: [UInt8]) -> UInt64 {
    var hash = ContentHash()
    hash.update(bytes)
    return hash.value
  }

  /// Returns the hash of a file's content as 16 hexadecimal digits.
  public static func text(ofFile path: String) throws -> String {
    var hash = ContentHash()
    let file = try MappedFile(path: path)
    try file.withBytes { hash.update($0) }
    return hash.text
  }
}
