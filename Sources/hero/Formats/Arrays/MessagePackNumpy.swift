/// Arrays inside MessagePack, in the layout of the Python package msgpack-numpy.
///
/// An array is a map of `nd`, `type`, `kind`, `shape` and `data`. Its keys are bytes, or text where
/// the old string type was used.
public enum MessagePackNumpy {
  /// Returns the map for `array`, equal byte for byte to what msgpack-numpy makes.
  ///
  /// Throws `DataError` for `bfloat16`, which numpy does not have.
  public static func encode(_ array: NDArray) throws -> MessagePack {
    guard let description = array.type.numpyDescription else {
      throw DataError("numpy arrays cannot hold \(array.type)", cure: "Convert it to float32 first")
    }
    func key(_ name: String) -> MessagePack { .binary(Array(name.utf8)) }
    return .map([
      (key("nd"), .bool(true)), (key("type"), .string(description)), (key("kind"), .binary([])),
      (key("shape"), .array(array.shape.map(MessagePack.int))), (key("data"), .binary(array.bytes)),
    ])
  }

  /// Returns the array in such a map; a numpy scalar becomes an array without dimensions.
  ///
  /// Throws `DataError` if `value` is not such a map, or if it holds records or Python objects.
  public static func decode(_ value: MessagePack) throws -> NDArray {
    guard let isArray = value["nd"]?.bool, let description = value["type"], let data = value["data"] else {
      throw DataError("not an array as msgpack-numpy writes it (a map of nd, type, kind, shape and data)")
    }
    if let kind = value["kind"]?.string, !kind.isEmpty {
      throw DataError(
        kind == "O"
          ? "an array of Python objects, which would be a pickle" : "an array of records (kind \(kind))",
        cure: "Save the features as an array of float16 or float32")
    }
    guard let name = description.string, let (type, isBigEndian) = ScalarType.numpy(name) else {
      throw DataError(
        "an array of numpy type “\(description.string ?? "?")”",
        cure: "Save the features as an array of float16 or float32")
    }
    guard case .binary(var bytes) = data.bytes.map(MessagePack.binary) ?? .nil else {
      throw DataError("an array whose data are not bytes")
    }
    if isBigEndian { ElementOrder.swapBytes(&bytes, elementSize: type.size) }
    return try NDArray(shape: isArray ? shape(value) : [], type: type, bytes: bytes)
  }

  private static func shape(_ value: MessagePack) throws -> [Int] {
    guard let sizes = value["shape"]?.array, sizes.count <= 32 else {
      throw DataError("an array without its shape")
    }
    return try sizes.map { size in
      guard let size = size.int, size >= 0 else { throw DataError("an array whose shape is malformed") }
      return size
    }
  }
}
