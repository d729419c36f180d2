/// Conversions of array bytes to little-endian, row-major order.
enum ElementOrder {
  /// Reverses the bytes of every element of `elementSize` bytes.
  static func swapBytes(_ bytes: inout [UInt8], elementSize: Int) {
    guard elementSize > 1 else { return }
    for start in stride(from: 0, to: bytes.count - bytes.count % elementSize, by: elementSize) {
      bytes[start..<start + elementSize].reverse()
    }
  }

  /// Returns a column-major array's elements in row-major order; `bytes` must fill `shape`.
  static func rowMajor(fromFortran bytes: [UInt8], shape: [Int], elementSize: Int) -> [UInt8] {
    guard shape.count > 1, !bytes.isEmpty else { return bytes }
    var strides: [Int] = []
    var stride = 1
    for dimension in shape {
      strides.append(stride)
      stride *= dimension
    }
    return bytes.withUnsafeBytes {
      gather($0, offset: 0, shape: shape, strides: strides, elementSize: elementSize)
    }
  }

  /// Returns the elements at `offset + Σ indexᵢ·strideᵢ` in row-major order.
  ///
  /// Offset and strides count elements. The caller has checked that every such element lies inside
  /// `source` and that the product of `shape` does not overflow.
  static func gather(
    _ source: UnsafeRawBufferPointer, offset: Int, shape: [Int], strides: [Int], elementSize: Int
  ) -> [UInt8] {
    let count = shape.reduce(1, *)
    guard count > 0 else { return [] }
    return [UInt8](unsafeUninitializedCapacity: count * elementSize) { output, written in
      let destination = UnsafeMutableRawBufferPointer(output)
      var index = [Int](repeating: 0, count: shape.count)
      var element = offset
      for position in 0..<count {
        UnsafeMutableRawBufferPointer(
          rebasing: destination[position * elementSize..<(position + 1) * elementSize]
        ).copyMemory(
          from: UnsafeRawBufferPointer(rebasing: source[element * elementSize..<(element + 1) * elementSize]))
        for axis in shape.indices.reversed() {
          index[axis] += 1
          // A dimension of size 1 may have any stride: what this line adds, the loop subtracts
          // again.
          element &+= strides[axis]
          if index[axis] < shape[axis] { break }
          element &-= strides[axis] &* shape[axis]
          index[axis] = 0
        }
      }
      written = count * elementSize
    }
  }
}
