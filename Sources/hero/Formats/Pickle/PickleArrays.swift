/// The interpretation of numpy's pickled arrays and scalars as data.
enum PickleArrays {
  /// Interprets `scalar(type, bytes)`: one number.
  static func scalar(_ arguments: [PickleValue]) throws -> PickleValue {
    let value = try array(type: arguments[0], shape: [], bytes: arguments[1], isFortranOrder: false)
    guard case .array(let array) = value else { return value }
    switch array.type {
    case .bool: return .bool(array.bytes.first != 0)
    case let type where type.isFloatingPoint: return array.doubles().first.map(PickleValue.double) ?? .none
    default: return try array.int64s().first.map { .int(Int($0)) } ?? .none
    }
  }

  /// Interprets `_frombuffer(bytes, type, shape, order)`.
  static func fromBuffer(_ arguments: [PickleValue]) throws -> PickleValue {
    try array(
      type: arguments[1], shape: shape(arguments[2]), bytes: arguments[0],
      isFortranOrder: arguments[3].string == "F")
  }

  /// Interprets the state of an array: `(version, shape, type, isFortranOrder, bytes)`.
  static func array(state: PickleValue) throws -> PickleValue {
    guard let parts = state.elements, parts.count >= 5, case .bool(let isFortranOrder) = parts[3] else {
      throw DataError("a numpy array whose contents are malformed")
    }
    return try array(type: parts[2], shape: shape(parts[1]), bytes: parts[4], isFortranOrder: isFortranOrder)
  }

  private static func shape(_ value: PickleValue) throws -> [Int] {
    guard let elements = value.elements, elements.count <= 32 else {
      throw DataError("a numpy array whose shape is malformed")
    }
    return try elements.map {
      guard let size = $0.int, size >= 0 else { throw DataError("a numpy array whose shape is malformed") }
      return size
    }
  }

  private static func array(
    type: PickleValue, shape: [Int], bytes: PickleValue, isFortranOrder: Bool
  ) throws -> PickleValue {
    guard case .symbol(let name) = type else { throw DataError("a numpy array whose type is malformed") }
    guard let (type, isBigEndian) = ScalarType.numpy(name) else {
      return .foreignArray("numpy values of type “\(name)”")
    }
    // Python 2 wrote bytes as strings, which look like text if they happen to be UTF-8.
    var elements: [UInt8]
    switch bytes {
    case .bytes(let bytes): elements = bytes
    case .string(let text): elements = Array(text.utf8)
    default: throw DataError("a numpy array whose elements are not bytes")
    }
    guard elements.count == NDArray.byteCount(shape: shape, type: type) else {
      throw DataError("a numpy array of shape \(shape) and type \(type) in \(elements.count) bytes")
    }
    if isBigEndian { ElementOrder.swapBytes(&elements, elementSize: type.size) }
    if isFortranOrder {
      elements = ElementOrder.rowMajor(fromFortran: elements, shape: shape, elementSize: type.size)
    }
    return .array(NDArray(unchecked: elements, shape: shape, type: type))
  }
}
