extension FixedWidthInteger {
  /// The bytes, least significant first.
  public var littleEndianBytes: [UInt8] { withUnsafeBytes(of: littleEndian) { [UInt8]($0) } }
}
