/// Conversions between 32-bit floats and IEEE halves.
enum HalfPrecision {
  /// Returns the IEEE half with these bits as a float.
  ///
  /// The result is exact for every half, including subnormals and infinities. The code has no
  /// branches, so the compiler vectorizes loops over it.
  @inline(__always)
  static func float(half bits: UInt16) -> Float {
    let magnitude = UInt32(bits & 0x7fff) << 13
    // The exponent moves from the half's bias of 15 to the float's 127. A subnormal half gets an
    // extra exponent, which the subtraction removes. So no subnormal float arises, even if the
    // processor flushes those to zero.
    let normal = magnitude &+ 0x3800_0000
    let subnormal = (Float(bitPattern: magnitude &+ 0x3880_0000) - Float(bitPattern: 0x3880_0000)).bitPattern
    let finite = bits & 0x7c00 == 0 ? subnormal : normal
    let value = bits & 0x7c00 == 0x7c00 ? magnitude | 0x7f80_0000 : finite
    return Float(bitPattern: value | UInt32(bits & 0x8000) << 16)
  }

  /// Returns the bits of the half nearest to `value`, with ties to even.
  @inline(__always)
  static func half(_ value: Float) -> UInt16 {
    let bits = value.bitPattern
    let sign = UInt16(truncatingIfNeeded: (bits >> 16) & 0x8000)
    let magnitude = bits & 0x7fff_ffff
    if magnitude >= 0x7f80_0000 {
      return sign | (magnitude > 0x7f80_0000 ? 0x7e00 : 0x7c00)
    }
    if magnitude >= 0x477f_f000 { return sign | 0x7c00 }
    if magnitude < 0x3880_0000 {
      // Adding 0.5 aligns the float's last bit with the half's smallest subnormal, and rounds.
      let aligned = (Float(bitPattern: magnitude) + 0.5).bitPattern
      return sign | UInt16(truncatingIfNeeded: aligned &- 0x3f00_0000)
    }
    let rounded = magnitude &+ 0xfff &+ ((magnitude >> 13) & 1)
    return sign | UInt16(truncatingIfNeeded: (rounded &- 0x3800_0000) >> 13)
  }
}
