extension TorchTensor {
  /// The number of elements up to which a tensor may repeat those of its storage, by strides of 0.
  private static let mostRepeated = 1 << 20
  private static let mostDimensions = 64

  /// Throws `DataError` unless every element lies inside the storage.
  func check() throws {
    guard shape.count == strides.count, shape.count <= Self.mostDimensions, offset >= 0,
      shape.allSatisfy({ $0 >= 0 }), strides.allSatisfy({ $0 >= 0 })
    else { throw DataError("a tensor of impossible shape \(shape), strides \(strides) or offset \(offset)") }
    guard let byteCount = NDArray.byteCount(shape: shape, type: storage.type) else {
      throw DataError("a tensor of impossible shape \(shape)")
    }
    guard byteCount > 0 else { return }
    var last = offset
    for (size, stride) in zip(shape, strides) {
      let (step, overflow) = (size - 1).multipliedReportingOverflow(by: stride)
      let (sum, sumOverflow) = last.addingReportingOverflow(step)
      guard !overflow, !sumOverflow else { throw DataError("a tensor with impossible strides \(strides)") }
      last = sum
    }
    guard last < storage.count else {
      throw DataError(
        "a tensor that reaches to element \(last) of a storage of \(storage.count)",
        cure: "The file is damaged; get it again")
    }
    guard byteCount / storage.type.size <= max(storage.count, Self.mostRepeated) else {
      throw DataError("a tensor of shape \(shape) unfolded from a storage of \(storage.count)")
    }
  }

  /// Whether the elements stand in row-major order, one after another.
  var isContiguous: Bool {
    var expected = 1
    for (size, stride) in zip(shape, strides).reversed() where size != 1 {
      guard stride == expected else { return false }
      expected *= size
    }
    return true
  }

  /// Returns the tensor's elements from the bytes of its storage's key, of which it may use a part.
  func array(from bytes: [UInt8]) throws -> NDArray {
    let size = storage.type.size
    let (end, overflow) = storage.start.addingReportingOverflow(storage.count)
    guard !overflow, end <= bytes.count / size else {
      throw DataError(
        "storage “\(storage.key)” has \(bytes.count / size) elements instead of \(end)",
        cure: "The file is cut short or damaged; get it again")
    }
    // In an empty tensor, offset and strides may be any numbers.
    guard !shape.contains(0) else { return NDArray(unchecked: [], shape: shape, type: storage.type) }
    let count = shape.reduce(1, *)
    let first = storage.start + offset
    if isContiguous {
      if first == 0, bytes.count == count * size {
        return NDArray(unchecked: bytes, shape: shape, type: storage.type)
      }
      return NDArray(
        unchecked: [UInt8](bytes[first * size..<(first + count) * size]), shape: shape, type: storage.type)
    }
    let elements = bytes.withUnsafeBytes {
      ElementOrder.gather($0, offset: first, shape: shape, strides: strides, elementSize: size)
    }
    return NDArray(unchecked: elements, shape: shape, type: storage.type)
  }
}
