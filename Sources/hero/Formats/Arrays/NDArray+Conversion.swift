extension NDArray {
  /// Returns the elements as 32-bit floats in row-major order.
  ///
  /// Integers and 64-bit floats are rounded.
  public func floats() -> [Float] {
    [Float](unsafeUninitializedCapacity: count) { output, written in
      copyFloats(to: output)
      written = count
    }
  }

  /// Writes the elements as 32-bit floats into `output`, which must hold at least `count`.
  public func copyFloats(to output: UnsafeMutableBufferPointer<Float>) {
    precondition(output.count >= count, "room for \(output.count) of \(count) floats")
    switch type {
    case .float32:
      bytes.withUnsafeBytes { UnsafeMutableRawBufferPointer(output).copyMemory(from: $0) }
    case .float16: fill(output, from: UInt16.self) { HalfPrecision.float(half: $0) }
    case .bfloat16: fill(output, from: UInt16.self) { Float(bitPattern: UInt32($0) << 16) }
    case .float64: fill(output, from: Double.self) { Float($0) }
    case .int8: fill(output, from: Int8.self) { Float($0) }
    case .uint8: fill(output, from: UInt8.self) { Float($0) }
    case .int16: fill(output, from: Int16.self) { Float($0) }
    case .int32: fill(output, from: Int32.self) { Float($0) }
    case .int64: fill(output, from: Int64.self) { Float($0) }
    case .bool: fill(output, from: UInt8.self) { $0 == 0 ? 0 : 1 }
    }
  }

  /// Returns the elements as 64-bit floats, in row-major order.
  public func doubles() -> [Double] {
    if type == .float64 { return map(from: Double.self) { $0 } }
    if type == .int64 { return map(from: Int64.self) { Double($0) } }
    if type == .int32 { return map(from: Int32.self) { Double($0) } }
    return floats().map(Double.init)
  }

  /// Returns the elements as 64-bit integers, in row-major order.
  ///
  /// Throws `DataError` if the elements are floats.
  public func int64s() throws -> [Int64] {
    switch type {
    case .int8: map(from: Int8.self) { Int64($0) }
    case .uint8: map(from: UInt8.self) { Int64($0) }
    case .int16: map(from: Int16.self) { Int64($0) }
    case .int32: map(from: Int32.self) { Int64($0) }
    case .int64: map(from: Int64.self) { $0 }
    case .bool: map(from: UInt8.self) { $0 == 0 ? 0 : 1 }
    case .float16, .bfloat16, .float32, .float64:
      throw DataError("an array of \(type) where integers are needed")
    }
  }

  /// Returns the array as 32-bit floats.
  public func asFloat32() -> NDArray {
    type == .float32 ? self : NDArray(floats: floats(), shape: shape)
  }

  /// Returns the array as IEEE halves, rounded to nearest even.
  public func asFloat16() -> NDArray {
    if type == .float16 { return self }
    let halves = floats().map(HalfPrecision.half)
    return NDArray(unchecked: halves.withUnsafeBytes { [UInt8]($0) }, shape: shape, type: .float16)
  }

  /// Returns the array as 64-bit floats.
  public func asFloat64() -> NDArray {
    if type == .float64 { return self }
    return NDArray(unchecked: doubles().withUnsafeBytes { [UInt8]($0) }, shape: shape, type: .float64)
  }

  @inline(__always)
  private func fill<Source: BitwiseCopyable>(
    _ output: UnsafeMutableBufferPointer<Float>, from source: Source.Type, _ convert: (Source) -> Float
  ) {
    bytes.withUnsafeBytes { raw in
      for index in 0..<count {
        output[index] = convert(
          raw.loadUnaligned(fromByteOffset: index &* MemoryLayout<Source>.size, as: Source.self))
      }
    }
  }

  @inline(__always)
  private func map<Source: BitwiseCopyable, Value>(
    from source: Source.Type, _ convert: (Source) -> Value
  ) -> [Value] {
    bytes.withUnsafeBytes { raw in
      (0..<count).map {
        convert(raw.loadUnaligned(fromByteOffset: $0 &* MemoryLayout<Source>.size, as: Source.self))
      }
    }
  }
}
