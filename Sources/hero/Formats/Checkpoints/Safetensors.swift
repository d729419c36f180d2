import Foundation

/// Hugging Face's format of named tensors.
public enum Safetensors {
  /// The format's names of the element types.
  static let types: [(code: String, type: ScalarType)] = [
    ("F16", .float16), ("BF16", .bfloat16), ("F32", .float32), ("F64", .float64), ("I8", .int8),
    ("U8", .uint8),
    ("I16", .int16), ("I32", .int32), ("I64", .int64), ("BOOL", .bool),
  ]

  /// Writes tensors that are made one at a time: `bytes` gives the little-endian elements of tensor number `index`
  /// of `list`, and is called once for each. Tensors of wider elements come first, else in the order given, so that every
  /// tensor is aligned. The file appears under its name only when it is complete and on the disk.
  ///
  /// Throws `DataError` if two tensors have one name, or the bytes do not fill the shape.
  public static func write(
    path: String, list: [(name: String, type: ScalarType, shape: [Int])], metadata: [String: String] = [:],
    bytes: (_ index: Int) throws -> [UInt8]
  ) throws {
    var header = JSONObject()
    if !metadata.isEmpty {
      let notes = metadata.sorted { $0.key < $1.key }.map { (key: $0.key, value: JSON.string($0.value)) }
      header["__metadata__"] = .object(JSONObject(notes))
    }
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
    // Spaces after the JSON bring the tensors to a multiple of 8.
    text += [UInt8](repeating: 0x20, count: (8 - text.count % 8) % 8)
    let file = try AtomicFile(path: path)
    try withUnsafeBytes(of: UInt64(text.count).littleEndian) { try file.write($0) }
    try file.write(text)
    for (index, size) in zip(order, sizes) {
      let elements = try bytes(index)
      guard elements.count == size else {
        throw DataError(
          "\(elements.count) bytes for a shape that takes \(size)", file: path,
          place: "tensor “\(list[index].name)”")
      }
      try file.write(elements)
    }
    try file.commit()
  }
}
