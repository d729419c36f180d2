/// bfloat16, the upper half of a float32.
package enum BFloat16 {
  /// Rounds to the nearest value, ties to even.
  package static func bits(_ value: Float) -> UInt16 {
    let bits = value.bitPattern
    if value.isNaN { return UInt16(bits >> 16) | 0x40 }
    return UInt16(truncatingIfNeeded: (bits &+ 0x7FFF &+ (bits >> 16 & 1)) >> 16)
  }

  package static func float(_ bits: UInt16) -> Float { Float(bitPattern: UInt32(bits) << 16) }
}
