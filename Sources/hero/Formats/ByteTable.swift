/// Keys numbered in order of insertion, found by their bytes in constant time.
///
/// The table stores only hashes and numbers. Its owner stores the keys, as texts or as concatenated
/// bytes, and tells whether the key of a number is the wanted one. The table uses open addressing
/// with at least half of the slots free. It keeps the hashes, so growing hashes no key twice.
public struct ByteTable: Sendable {
  @usableFromInline var hashes: [UInt32] = []
  /// The key number of each slot, or −1 if the slot is free.
  @usableFromInline var slots: [Int32]

  /// - Parameter capacity: the number of keys that fit before the table grows.
  public init(capacity: Int = 8) {
    var size = 16
    while size < 2 * capacity { size *= 2 }
    slots = [Int32](repeating: -1, count: size)
  }

  /// The number of keys, which is also the number of the next key.
  @inlinable public var count: Int { hashes.count }

  /// Returns the number of the key with this hash for which `isKey` holds, or nil.
  @inlinable
  public func number(hash: UInt32, where isKey: (Int) -> Bool) -> Int? {
    slots.withUnsafeBufferPointer { slots in
      hashes.withUnsafeBufferPointer { hashes in
        let mask = slots.count - 1
        var place = Int(truncatingIfNeeded: hash) & mask
        while slots[place] >= 0 {
          let number = Int(slots[place])
          if hashes[number] == hash, isKey(number) { return number }
          place = (place + 1) & mask
        }
        return nil
      }
    }
  }

  /// Gives a key that is not in the table the next number.
  @inlinable
  public mutating func append(hash: UInt32) {
    if 2 * hashes.count >= slots.count { grow() }
    place(Int32(clamping: hashes.count), hash: hash)
    hashes.append(hash)
  }

  @usableFromInline
  mutating func place(_ number: Int32, hash: UInt32) {
    let mask = slots.count - 1
    var place = Int(truncatingIfNeeded: hash) & mask
    while slots[place] >= 0 { place = (place + 1) & mask }
    slots[place] = number
  }

  @usableFromInline
  mutating func grow() {
    slots = [Int32](repeating: -1, count: 2 * slots.count)
    for (number, hash) in hashes.enumerated() { place(Int32(clamping: number), hash: hash) }
  }

  /// Returns the FNV-1a hash with its high bits mixed.
  ///
  /// It is for short keys. Names from an untrusted file need `hash(of:)`, which is seeded.
  @inlinable
  public static func fastHash(_ bytes: some Sequence<UInt8>) -> UInt64 {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
    return (hash ^ (hash >> 29)) &* 0x9E37_79B9_7F4A_7C15
  }

  /// Returns a name's hash, seeded anew in every process.
  @inlinable
  public static func hash(of name: String) -> UInt32 {
    var hasher = Hasher()
    Name(name).hash(into: &hasher)
    return UInt32(truncatingIfNeeded: hasher.finalize())
  }
}
