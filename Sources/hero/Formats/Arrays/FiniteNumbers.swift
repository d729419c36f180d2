extension [Float] {
  /// The index of the first NaN or infinite element; nil if all elements are finite.
  public var firstNotFinite: Int? {
    // This loop has no branches, so the compiler vectorizes it. Nearly always it finds nothing.
    let exponent = Float.infinity.bitPattern
    var found: UInt32 = 0
    for value in self { found |= value.bitPattern & exponent == exponent ? 1 : 0 }
    return found != 0 ? firstIndex { !$0.isFinite } : nil
  }
}

extension NDArray {
  /// The index of the first element that is not finite as a 32-bit float; nil if all are finite.
  ///
  /// Integers are always finite.
  public var firstNotFinite: Int? {
    switch type {
    case .float32: first(UInt32.self, exponent: Float.infinity.bitPattern)
    case .float16: first(UInt16.self, exponent: 0x7c00)
    case .bfloat16: first(UInt16.self, exponent: 0x7f80)
    case .float64: floats().firstNotFinite
    case .int8, .uint8, .int16, .int32, .int64, .bool: nil
    }
  }

  /// Returns the index of the first element whose exponent bits are all ones.
  private func first<Bits: FixedWidthInteger & BitwiseCopyable>(_ type: Bits.Type, exponent: Bits) -> Int? {
    bytes.withUnsafeBytes { raw in
      func isFinite(_ place: Int) -> Bool {
        raw.loadUnaligned(fromByteOffset: place &* MemoryLayout<Bits>.size, as: Bits.self) & exponent
          != exponent
      }
      var found: Bits = 0
      for place in 0..<count { found |= isFinite(place) ? 0 : 1 }
      return found != 0 ? (0..<count).first { !isFinite($0) } : nil
    }
  }

  /// Rejects a parameter that holds a NaN or an infinity, because both spread to every result.
  ///
  /// - Throws: `DataError` naming the file, the parameter and the element.
  public func requireFinite(file: String, parameter: String) throws {
    guard let place = firstNotFinite else { return }
    throw DataError(
      "element \(place) of \(count) is \(doubles()[place]), so no result of the model would be a number",
      file: file, place: "parameter \"\(parameter)\"",
      cure: "The weights are damaged, or their training diverged: give another checkpoint")
  }
}
