extension [Float] {
  /// The place of the first element that is no number or without bound; nil where all are finite.
  public var firstNotFinite: Int? {
    // Without branches, so that the compiler makes vector instructions of it: nearly always there
    // is none.
    let exponent = Float.infinity.bitPattern
    var found: UInt32 = 0
    for value in self { found |= value.bitPattern & exponent == exponent ? 1 : 0 }
    return found != 0 ? firstIndex { !$0.isFinite } : nil
  }
}

extension NDArray {
  /// The place of the first element that is no finite number as a 32-bit float; nil where all are,
  /// as integers always are.
  public var firstNotFinite: Int? {
    switch type {
    case .float32: first(UInt32.self, exponent: Float.infinity.bitPattern)
    case .float16: first(UInt16.self, exponent: 0x7c00)
    case .bfloat16: first(UInt16.self, exponent: 0x7f80)
    case .float64: floats().firstNotFinite
    case .int8, .uint8, .int16, .int32, .int64, .bool: nil
    }
  }

  /// The place of the first element whose exponent is all ones.
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

  /// Refuses a parameter that holds what is no finite number: every result it has a part in would
  /// be none.
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
