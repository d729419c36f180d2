/// A writer of state dicts as `torch.save` writes them from PyTorch 1.6 on: a zip with a pickle and
/// a storage for each tensor.
public enum TorchWriter {
  private static let folder = "archive"

  /// Writes float32 tensors by their names.
  ///
  /// - Parameters:
  ///   - list: the names and shapes of the tensors.
  ///   - flags: booleans that stand beside the tensors.
  ///   - bytes: returns the little-endian elements of tensor number `index`; called once for each,
  ///     in order.
  /// - Throws: `DataError` if the file cannot be written or exceeds 4 GB.
  public static func write(
    path: String, list: [(name: String, shape: [Int])], flags: [(name: String, value: Bool)] = [],
    bytes: (_ index: Int) throws -> [UInt8]
  ) throws {
    let file = try StoredZipFile(path: path)
    try file.add("\(folder)/data.pkl", pickle(list, flags))
    try file.add("\(folder)/byteorder", Array("little".utf8))
    for index in list.indices { try file.add("\(folder)/data/\(index)", try bytes(index)) }
    try file.add("\(folder)/version", Array("3\n".utf8))
    try file.finish()
  }

  /// Returns the protocol 2 pickle of the tensors and flags by their names.
  ///
  /// `{name: torch._utils._rebuild_tensor_v2(storage, 0, shape, strides, False, OrderedDict())}`
  private static func pickle(
    _ list: [(name: String, shape: [Int])], _ flags: [(name: String, value: Bool)]
  ) -> [UInt8] {
    var pickle: [UInt8] = [0x80, 2, UInt8(ascii: "}"), UInt8(ascii: "(")]
    for (index, tensor) in list.enumerated() {
      pickle += text(tensor.name) + self.tensor(index, tensor.shape)
    }
    for flag in flags { pickle += text(flag.name) + [flag.value ? 0x88 : 0x89] }
    return pickle + [UInt8(ascii: "u"), UInt8(ascii: ".")]
  }

  private static func tensor(_ index: Int, _ shape: [Int]) -> [UInt8] {
    let count = shape.reduce(1, *)
    let rowMajor = shape.indices.map { shape[($0 + 1)...].reduce(1, *) }
    let storage =
      tuple([text("storage"), name("torch", "FloatStorage"), text("\(index)"), text("cpu"), number(count)])
      + [UInt8(ascii: "Q")]
    let hooks = name("collections", "OrderedDict") + [UInt8(ascii: ")"), UInt8(ascii: "R")]
    return name("torch._utils", "_rebuild_tensor_v2")
      + tuple([
        storage, number(0), tuple(shape.map(number)), tuple(rowMajor.map(number)), [0x89], hooks,
      ]) + [UInt8(ascii: "R")]
  }

  private static func text(_ text: String) -> [UInt8] {
    let bytes = Array(text.utf8)
    return [UInt8(ascii: "X")] + little(bytes.count) + bytes
  }

  private static func number(_ number: Int) -> [UInt8] {
    // A count beyond 32 bits is an integer of eight bytes.
    number <= Int(Int32.max)
      ? [UInt8(ascii: "J")] + little(number)
      : [0x8A, 8] + Int64(number).littleEndianBytes
  }

  private static func little(_ number: Int) -> [UInt8] {
    UInt32(truncatingIfNeeded: number).littleEndianBytes
  }

  private static func tuple(_ items: [[UInt8]]) -> [UInt8] {
    [UInt8(ascii: "(")] + items.flatMap { $0 } + [UInt8(ascii: "t")]
  }

  private static func name(_ module: String, _ name: String) -> [UInt8] {
    Array("c\(module)\n\(name)\n".utf8)
  }
}
