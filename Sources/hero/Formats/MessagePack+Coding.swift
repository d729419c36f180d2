extension MessagePack {
  /// Decodes the one value that `bytes` hold; errors name `file` and `place`.
  public static func decode(
    _ bytes: [UInt8], file: String? = nil, place: String? = nil
  ) throws -> MessagePack {
    try bytes.withUnsafeBytes { try decode($0, file: file, place: place) }
  }

  /// Decodes the one value that `bytes` hold; errors name `file` and `place`.
  public static func decode(
    _ bytes: UnsafeRawBufferPointer, file: String? = nil, place: String? = nil
  ) throws -> MessagePack {
    try DataError.locating(file: file, place: place) {
      var decoder = MessagePackDecoder(bytes: bytes)
      let value = try decoder.decode()
      if decoder.position < bytes.count { throw decoder.error("there are more bytes after the value") }
      return value
    }
  }

  /// Returns the shortest encoding, as Python's `msgpack.packb(value, use_bin_type=True)` makes it.
  public func encode() -> [UInt8] {
    var bytes: [UInt8] = []
    encode(into: &bytes)
    return bytes
  }

  /// Appends the encoding to `bytes`.
  public func encode(into bytes: inout [UInt8]) {
    switch self {
    case .nil: bytes.append(0xC0)
    case .bool(let value): bytes.append(value ? 0xC3 : 0xC2)
    case .int(let value) where value >= 0: Self.encode(UInt64(value), into: &bytes)
    case .int(let value): Self.encode(negative: value, into: &bytes)
    case .uint(let value): Self.encode(value, into: &bytes)
    case .float(let value):
      bytes.append(0xCA)
      bytes.append(bigEndian: value.bitPattern)
    case .double(let value):
      bytes.append(0xCB)
      bytes.append(bigEndian: value.bitPattern)
    case .string(let value):
      bytes.append(length: value.utf8.count, short: (0xA0, 32), types: (0xD9, 0xDA, 0xDB))
      bytes.append(contentsOf: value.utf8)
    case .binary(let value):
      bytes.append(length: value.count, types: (0xC4, 0xC5, 0xC6))
      bytes.append(contentsOf: value)
    case .array(let elements):
      bytes.append(length: elements.count, short: (0x90, 16), types: (nil, 0xDC, 0xDD))
      for element in elements { element.encode(into: &bytes) }
    case .map(let pairs):
      bytes.append(length: pairs.count, short: (0x80, 16), types: (nil, 0xDE, 0xDF))
      for (key, value) in pairs {
        key.encode(into: &bytes)
        value.encode(into: &bytes)
      }
    case .ext(let type, let value):
      switch value.count {
      case 1: bytes.append(0xD4)
      case 2: bytes.append(0xD5)
      case 4: bytes.append(0xD6)
      case 8: bytes.append(0xD7)
      case 16: bytes.append(0xD8)
      default: bytes.append(length: value.count, types: (0xC7, 0xC8, 0xC9))
      }
      bytes.append(UInt8(bitPattern: type))
      bytes.append(contentsOf: value)
    }
  }

  private static func encode(_ value: UInt64, into bytes: inout [UInt8]) {
    switch value {
    case 0..<0x80: bytes.append(UInt8(value))
    case 0..<0x100: bytes.append(contentsOf: [0xCC, UInt8(value)])
    case 0..<0x10000:
      bytes.append(0xCD)
      bytes.append(bigEndian: UInt16(value))
    case 0..<0x1_0000_0000:
      bytes.append(0xCE)
      bytes.append(bigEndian: UInt32(value))
    default:
      bytes.append(0xCF)
      bytes.append(bigEndian: value)
    }
  }

  private static func encode(negative value: Int, into bytes: inout [UInt8]) {
    switch value {
    case (-0x20)...: bytes.append(UInt8(bitPattern: Int8(value)))
    case (-0x80)...: bytes.append(contentsOf: [0xD0, UInt8(bitPattern: Int8(value))])
    case (-0x8000)...:
      bytes.append(0xD1)
      bytes.append(bigEndian: Int16(value))
    case (-0x8000_0000)...:
      bytes.append(0xD2)
      bytes.append(bigEndian: Int32(value))
    default:
      bytes.append(0xD3)
      bytes.append(bigEndian: Int64(value))
    }
  }
}

extension [UInt8] {
  fileprivate mutating func append<Value: FixedWidthInteger>(bigEndian value: Value) {
    Swift.withUnsafeBytes(of: value.bigEndian) { append(contentsOf: $0) }
  }

  /// Appends the type byte of the narrowest length that fits, then the length.
  ///
  /// The type byte itself holds a length below the limit of `short`.
  fileprivate mutating func append(
    length: Int, short: (type: UInt8, limit: Int) = (0, 0), types: (UInt8?, UInt8, UInt8)
  ) {
    if length < short.limit {
      append(short.type | UInt8(length))
    } else if let narrow = types.0, length < 0x100 {
      append(narrow)
      append(UInt8(length))
    } else if length < 0x10000 {
      append(types.1)
      append(bigEndian: UInt16(length))
    } else {
      append(types.2)
      append(bigEndian: UInt32(clamping: length))
    }
  }
}

/// A MessagePack decoder that checks every length against the bytes left before it allocates.
private struct MessagePackDecoder {
  static let depthLimit = 512
  /// The maximum number of values, each of which takes about 50 bytes of memory.
  ///
  /// Stores hold long arrays as bytes, so they need few values.
  static let mostValues = 1 << 22
  let bytes: UnsafeRawBufferPointer
  var position = 0
  var depth = 0
  /// The number of values that open containers still expect, each of which takes at least a byte.
  var owed = 0
  var values = 0

  init(bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  func error(_ problem: String) -> DataError {
    DataError(
      "malformed MessagePack at byte \(position) of \(bytes.count): \(problem)",
      cure: "The store is damaged; make or download it again")
  }

  mutating func decode() throws(DataError) -> MessagePack {
    let type: UInt8 = try integer()
    switch type {
    case 0x00...0x7F: return .int(Int(type))
    case 0x80...0x8F: return try map(Int(type & 0x0F))
    case 0x90...0x9F: return try array(Int(type & 0x0F))
    case 0xA0...0xBF: return try string(Int(type & 0x1F))
    case 0xC0: return .nil
    case 0xC2: return .bool(false)
    case 0xC3: return .bool(true)
    case 0xC4: return .binary(try take(length(UInt8.self)))
    case 0xC5: return .binary(try take(length(UInt16.self)))
    case 0xC6: return .binary(try take(length(UInt32.self)))
    case 0xC7: return try ext(length(UInt8.self))
    case 0xC8: return try ext(length(UInt16.self))
    case 0xC9: return try ext(length(UInt32.self))
    case 0xCA: return .float(Float(bitPattern: try integer()))
    case 0xCB: return .double(Double(bitPattern: try integer()))
    case 0xCC: return .int(Int(try integer() as UInt8))
    case 0xCD: return .int(Int(try integer() as UInt16))
    case 0xCE: return .int(Int(try integer() as UInt32))
    case 0xCF:
      let value: UInt64 = try integer()
      return Int(exactly: value).map(MessagePack.int) ?? .uint(value)
    case 0xD0: return .int(Int(try integer() as Int8))
    case 0xD1: return .int(Int(try integer() as Int16))
    case 0xD2: return .int(Int(try integer() as Int32))
    case 0xD3: return .int(Int(try integer() as Int64))
    case 0xD4...0xD8: return try ext(1 << Int(type - 0xD4))
    case 0xD9: return try string(length(UInt8.self))
    case 0xDA: return try string(length(UInt16.self))
    case 0xDB: return try string(length(UInt32.self))
    case 0xDC: return try array(length(UInt16.self))
    case 0xDD: return try array(length(UInt32.self))
    case 0xDE: return try map(length(UInt16.self))
    case 0xDF: return try map(length(UInt32.self))
    case 0xE0...0xFF: return .int(Int(Int8(bitPattern: type)))
    default: throw error("no value begins with \(type)")
    }
  }

  private mutating func integer<Value: FixedWidthInteger>() throws(DataError) -> Value {
    let size = MemoryLayout<Value>.size
    guard bytes.count - position >= size else { throw error("the bytes end early") }
    let value = Value(bigEndian: bytes.loadUnaligned(fromByteOffset: position, as: Value.self))
    position += size
    return value
  }

  private mutating func length<Value: FixedWidthInteger & UnsignedInteger>(
    _ type: Value.Type
  ) throws(DataError) -> Int {
    Int(try integer() as Value)
  }

  private mutating func range(_ count: Int) throws(DataError) -> UnsafeRawBufferPointer {
    guard count <= bytes.count - position else { throw error("the bytes end early") }
    defer { position += count }
    return UnsafeRawBufferPointer(rebasing: bytes[position..<position + count])
  }

  private mutating func take(_ count: Int) throws(DataError) -> [UInt8] { [UInt8](try range(count)) }

  private mutating func string(_ count: Int) throws(DataError) -> MessagePack {
    let utf8 = try range(count)
    return String(validating: utf8, as: UTF8.self).map(MessagePack.string) ?? .binary([UInt8](utf8))
  }

  private mutating func ext(_ count: Int) throws(DataError) -> MessagePack {
    let type: Int8 = try integer()
    return .ext(type, try take(count))
  }

  /// Enters a container one level down, after checking that `count` more values can follow.
  ///
  /// Each of them takes at least a byte, and so does each value that is still owed.
  private mutating func enter(_ count: Int) throws(DataError) {
    guard count <= bytes.count - position - owed else { throw error("the bytes end early") }
    owed += count
    values += count
    guard values <= Self.mostValues else { throw error("more than \(Self.mostValues) values") }
    depth += 1
    if depth > Self.depthLimit { throw error("nested deeper than \(Self.depthLimit) levels") }
  }

  private mutating func owedValue() throws(DataError) -> MessagePack {
    owed -= 1
    return try decode()
  }

  private mutating func array(_ count: Int) throws(DataError) -> MessagePack {
    try enter(count)
    defer { depth -= 1 }
    var elements: [MessagePack] = []
    elements.reserveCapacity(count)
    for _ in 0..<count { elements.append(try owedValue()) }
    return .array(elements)
  }

  private mutating func map(_ count: Int) throws(DataError) -> MessagePack {
    try enter(2 * count)
    defer { depth -= 1 }
    var pairs: [(key: MessagePack, value: MessagePack)] = []
    pairs.reserveCapacity(count)
    for _ in 0..<count {
      let key = try owedValue()
      pairs.append((key, try owedValue()))
    }
    return .map(pairs)
  }
}
