extension FixedWidthInteger {
  /// The bytes, the lowest first.
  public var littleEndianBytes: [UInt8] { withUnsafeBytes(of: littleEndian) { [UInt8]($0) } }
}
