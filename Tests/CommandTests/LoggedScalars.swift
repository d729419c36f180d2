import Foundation

/// The scalars that a run wrote for TensorBoard.
struct LoggedScalars {
  /// By name, then by update.
  private(set) var values: [String: [Int: Float]] = [:]

  /// - Parameter folder: with the run's only file of events.
  init(folder: String) throws {
    let name = try FileManager.default.contentsOfDirectory(atPath: folder).first { $0.contains("tfevents") }
    let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: "\(folder)/\(name ?? "none")")))
    // A record: its length and a checksum, 12 bytes; the event; another checksum.
    var position = 0
    while position + 12 <= bytes.count {
      let length = Int(Self.number(bytes[position..<position + 8]))
      read(bytes[position + 12..<position + 12 + length])
      position += 16 + length
    }
  }

  private static func number(_ bytes: ArraySlice<UInt8>) -> UInt64 {
    bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }

  /// An event: field 2 is the update, field 5 the summary, whose field 1 is a value of a tag (1)
  /// and a number (2).
  private mutating func read(_ event: ArraySlice<UInt8>) {
    let fields = Self.fields(event)
    let update = Int(fields.first { $0.number == 2 }?.value ?? 0)
    for summary in fields where summary.number == 5 {
      for value in Self.fields(summary.bytes) where value.number == 1 {
        let parts = Self.fields(value.bytes)
        guard let tag = parts.first(where: { $0.number == 1 }),
          let float = parts.first(where: { $0.number == 2 })
        else { continue }
        let name = String(decoding: tag.bytes, as: UTF8.self)
        values[name, default: [:]][update] = Float(bitPattern: UInt32(Self.number(float.bytes)))
      }
    }
  }

  /// The fields of a message in Protocol Buffers' encoding.
  private static func fields(
    _ message: ArraySlice<UInt8>
  ) -> [(number: Int, value: UInt64, bytes: ArraySlice<UInt8>)] {
    var (rest, fields) = (message, [(number: Int, value: UInt64, bytes: ArraySlice<UInt8>)]())
    func varint() -> UInt64 {
      var (value, shift) = (UInt64(0), UInt64(0))
      while let byte = rest.popFirst() {
        value |= UInt64(byte & 0x7F) << shift
        shift += 7
        if byte < 0x80 { break }
      }
      return value
    }
    while !rest.isEmpty {
      let key = varint()
      var (value, bytes) = (UInt64(0), ArraySlice<UInt8>())
      switch key & 7 {
      case 0: value = varint()
      case 1: bytes = rest.prefix(8)
      case 2:
        let length = Int(varint())
        bytes = rest.prefix(length)
      default: bytes = rest.prefix(4)
      }
      rest = rest.dropFirst(bytes.count)
      fields.append((Int(key >> 3), value, bytes))
    }
    return fields
  }
}
