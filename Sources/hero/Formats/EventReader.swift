import Foundation

/// The scalars of a TensorBoard event file.
///
/// Each event is a TFRecord with a protocol-buffer `Event` in it, as ``EventWriter`` writes them:
/// field 1 is the time, 2 the step, 5 the summary, whose values (field 1) have a tag (1) and a
/// number (2). What else a file holds is passed over. A record that the end of the file cuts short
/// is of a run that goes on or was killed, and is left out.
public struct EventReader {
  /// A number of one step.
  public struct Scalar: Equatable, Sendable {
    /// What the number is of.
    public let tag: String
    /// The update at which it was written.
    public let step: Int
    /// The number, which files hold as a float32.
    public let value: Double
    /// When it was written, since 1970.
    public let seconds: Double
  }

  /// In the order of the file.
  public private(set) var scalars: [Scalar] = []
  /// The time of the first event.
  public private(set) var begun: Double?

  /// - Throws: `DataError` where it cannot be read, or is damaged.
  public init(path: String) throws {
    try self.init(bytes: FileBytes.read(path: path), file: path)
  }

  init(bytes: [UInt8], file: String) throws {
    var rest = bytes[...]
    // A record: its length and a checksum, 12 bytes; the event; another checksum.
    while rest.count >= 16 {
      let place = "byte \(rest.startIndex)"
      func damaged() -> DataError {
        DataError("a checksum does not hold", file: file, place: place, cure: "The file is damaged")
      }
      let head = rest.prefix(8)
      guard Self.number(rest.dropFirst(8).prefix(4)) == UInt64(CRC32C.masked(head)) else { throw damaged() }
      guard let length = Int(exactly: Self.number(head)), length <= rest.count - 16 else { return }
      let event = rest.dropFirst(12).prefix(length)
      guard Self.number(rest.dropFirst(12 + length).prefix(4)) == UInt64(CRC32C.masked(event)) else {
        throw damaged()
      }
      read(event)
      rest = rest.dropFirst(16 + length)
    }
  }

  private mutating func read(_ event: ArraySlice<UInt8>) {
    let fields = Self.fields(event)
    let seconds =
      fields.first { $0.number == 1 && $0.bytes.count == 8 }
      .map { Double(bitPattern: Self.number($0.bytes)) } ?? 0
    if begun == nil { begun = seconds }
    let step = Int(truncatingIfNeeded: fields.first { $0.number == 2 }?.value ?? 0)
    for value in fields.filter({ $0.number == 5 }).flatMap({ Self.fields($0.bytes) }) where value.number == 1
    {
      let parts = Self.fields(value.bytes)
      guard let tag = parts.first(where: { $0.number == 1 }),
        let number = parts.first(where: { $0.number == 2 && $0.bytes.count == 4 })
      else { continue }
      let figure = Float(bitPattern: UInt32(truncatingIfNeeded: Self.number(number.bytes)))
      scalars.append(
        Scalar(
          tag: String(decoding: tag.bytes, as: UTF8.self), step: step, value: Double(figure),
          seconds: seconds))
    }
  }

  /// Up to eight bytes as a number, the least first.
  private static func number(_ bytes: ArraySlice<UInt8>) -> UInt64 {
    bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }

  /// The fields of a message in Protocol Buffers' encoding, up to one that makes no sense.
  private static func fields(
    _ message: ArraySlice<UInt8>
  ) -> [(number: UInt64, value: UInt64, bytes: ArraySlice<UInt8>)] {
    var (rest, fields) = (message, [(number: UInt64, value: UInt64, bytes: ArraySlice<UInt8>)]())
    func varint() -> UInt64? {
      var value: UInt64 = 0
      for shift in stride(from: 0, to: 70, by: 7) {
        guard let byte = rest.popFirst() else { return nil }
        value |= UInt64(byte & 0x7F) << UInt64(shift)
        if byte < 0x80 { return value }
      }
      return nil
    }
    while let key = varint() {
      var (value, count): (UInt64, UInt64) = (0, 0)
      switch key & 7 {
      case 0:
        guard let number = varint() else { return fields }
        value = number
      case 1: count = 8
      case 2:
        guard let length = varint() else { return fields }
        count = length
      case 5: count = 4
      default: return fields
      }
      guard count <= UInt64(rest.count) else { return fields }
      let bytes = rest.prefix(Int(count))
      rest = rest.dropFirst(bytes.count)
      fields.append((key >> 3, value, bytes))
    }
    return fields
  }
}
