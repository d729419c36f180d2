import Foundation

/// The scalars of a TensorBoard event file.
///
/// Each event is a TFRecord that holds a protocol-buffer `Event`, as ``EventWriter`` writes it.
/// Field 1 is the time, 2 the step and 5 the summary. Each value of the summary (field 1) has a tag
/// (1) and a number (2). Everything else is skipped. So is a record that the end of the file
/// truncates, since its run may still write or was killed.
public struct EventReader {
  /// A number recorded at one step.
  public struct Scalar: Equatable, Sendable {
    /// The name of the recorded quantity.
    public let tag: String
    /// The update at which it was written.
    public let step: Int
    /// The number, which files hold as a float32.
    public let value: Double
    /// The time of writing, in seconds since 1970.
    public let seconds: Double
  }

  /// The scalars in the order of the file.
  public private(set) var scalars: [Scalar] = []
  /// The time of the first event in seconds since 1970; nil without events.
  public private(set) var begun: Double?

  /// - Throws: `DataError` if the file cannot be read or is damaged.
  public init(path: String) throws {
    try self.init(bytes: FileBytes.read(path: path), file: path)
  }

  init(bytes: [UInt8], file: String) throws {
    var rest = bytes[...]
    // A record is a length with its checksum (12 bytes), the event and another checksum.
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

  /// Returns up to eight little-endian bytes as a number.
  private static func number(_ bytes: ArraySlice<UInt8>) -> UInt64 {
    bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }

  /// Returns the fields of a protocol-buffer message, up to the first malformed one.
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
