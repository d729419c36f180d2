extension JSON {
  /// The value as a pickle of protocol 2, which every Python loads, made of Python's own types.
  public var pickled: [UInt8] {
    var bytes: [UInt8] = [PickleOpcode.proto.rawValue, 2]
    pickle(to: &bytes)
    bytes.append(PickleOpcode.stop.rawValue)
    return bytes
  }

  private func pickle(to bytes: inout [UInt8]) {
    func put(_ opcode: PickleOpcode) { bytes.append(opcode.rawValue) }
    switch self {
    case .null: put(.none)
    case .bool(let value): put(value ? .newTrue : .newFalse)
    case .int(let value):
      put(.long1)
      bytes.append(8)
      bytes += Int64(value).littleEndianBytes
    case .double(let value):
      put(.binFloat)
      bytes += value.bitPattern.littleEndianBytes.reversed()
    case .string(let text): Self.pickle(text, to: &bytes)
    case .array(let values):
      put(.emptyList)
      put(.mark)
      for value in values { value.pickle(to: &bytes) }
      put(.appends)
    case .object(let members):
      put(.emptyDict)
      put(.mark)
      for (key, value) in members {
        Self.pickle(key, to: &bytes)
        value.pickle(to: &bytes)
      }
      put(.setItems)
    }
  }

  /// - Precondition: `text` has less than 4 GiB.
  private static func pickle(_ text: String, to bytes: inout [UInt8]) {
    bytes.append(PickleOpcode.binUnicode.rawValue)
    bytes += UInt32(text.utf8.count).littleEndianBytes
    bytes += text.utf8
  }
}
