import Foundation

/// Hugging Face's format of named tensors.
public enum Safetensors {
  /// The metadata key of the hash of all bytes after the header's length.
  ///
  /// The hash counts zeros in its own place.
  static let hashNote = "content_hash"
  static let noHash = "0000000000000000"

  /// Returns the offset of the hash in a header, 16 hexadecimal digits; nil if it has none.
  static func placeOfHash(in header: [UInt8]) -> Int? {
    // The key has unescaped quotes, which no JSON string contains.
    let key = Array("\"\(hashNote)\":\"".utf8)
    guard let found = header.firstRange(of: key), found.upperBound + 16 < header.count,
      header[found.upperBound + 16] == UInt8(ascii: "\"")
    else { return nil }
    return found.upperBound
  }

  /// The format's names of the element types.
  static let types: [(code: String, type: ScalarType)] = [
    ("F16", .float16), ("BF16", .bfloat16), ("F32", .float32), ("F64", .float64), ("I8", .int8),
    ("U8", .uint8),
    ("I16", .int16), ("I32", .int32), ("I64", .int64), ("BOOL", .bool),
  ]

  /// Writes tensors, which `bytes` makes one at a time.
  ///
  /// `bytes` returns the little-endian elements of tensor number `index` of `list`, and is called
  /// once for each. Tensors with wider elements come first, otherwise in the given order, so that
  /// every tensor is aligned. The file appears under its name only when it is complete and on the
  /// disk.
  ///
  /// Throws `DataError` if two tensors have one name, or if the bytes do not fill the shape. A
  /// metadata entry holds a hash of the whole file, by which `SafetensorsFile.verify` finds damage.
  /// Other readers ignore it.
  public static func write(
    path: String, list: [(name: String, type: ScalarType, shape: [Int])], metadata: [String: String] = [:],
    bytes: (_ index: Int) throws -> [UInt8]
  ) throws {
    var header = JSONObject()
    var metadata = metadata
    metadata[hashNote] = noHash
    let notes = metadata.sorted { $0.key < $1.key }.map { (key: $0.key, value: JSON.string($0.value)) }
    header["__metadata__"] = .object(JSONObject(notes))
    let order = list.indices.sorted { (list[$1].type.size, $0) < (list[$0].type.size, $1) }
    var sizes: [Int] = []
    var position = 0
    for index in order {
      let (name, type, shape) = list[index]
      guard let size = NDArray.byteCount(shape: shape, type: type) else {
        throw DataError("an impossible shape \(shape)", file: path, place: "tensor “\(name)”")
      }
      guard header[name] == nil, name != "__metadata__" else {
        throw DataError("two tensors of one name", file: path, place: "tensor “\(name)”")
      }
      let code = types.first { $0.type == type }.map(\.code) ?? ""
      header[name] = .object([
        "dtype": .string(code), "shape": .array(shape.map(JSON.int)),
        "data_offsets": .array([.int(position), .int(position + size)]),
      ])
      sizes.append(size)
      position += size
    }
    var text = JSON.object(header).encodedBytes(style: .compact)
    // Spaces after the JSON align the tensors to 8 bytes.
    text += [UInt8](repeating: 0x20, count: (8 - text.count % 8) % 8)
    let file = try AtomicFile(path: path)
    var hash = ContentHash()
    try file.write(UInt64(text.count).littleEndianBytes)
    try file.write(text)
    hash.update(text)
    for (index, size) in zip(order, sizes) {
      let elements = try bytes(index)
      guard elements.count == size else {
        throw DataError(
          "\(elements.count) bytes for a shape that takes \(size)", file: path,
          place: "tensor “\(list[index].name)”")
      }
      try file.write(elements)
      hash.update(elements)
    }
    guard let place = placeOfHash(in: text) else { preconditionFailure("the header was just made with it") }
    try file.overwrite(Array(hash.text.utf8), at: 8 + place)
    try file.commit()
  }
}
