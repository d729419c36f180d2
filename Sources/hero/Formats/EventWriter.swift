import Foundation
import Synchronization

/// A writer of a TensorBoard event file: scalars and texts by step.
///
/// Each event is a TFRecord (length, its checksum, the message, its checksum) that holds a
/// protocol-buffer `Event`. Sources: TensorFlow's `record_writer.h`, `event.proto` and
/// `summary.proto`. Safe to use from several threads.
public final class EventWriter: Sendable {
  /// The event file.
  public let path: String

  private struct State {
    var descriptor: Int32
    var buffer: [UInt8] = []
  }

  private static let bufferSize = 1 << 16
  private let state: Mutex<State>

  /// Creates an event file in `folder`, and the folder if it is missing.
  ///
  /// The name is TensorBoard's: `events.out.tfevents.SECONDS.HOST.PROCESS.NUMBER`. It never
  /// overwrites an existing file.
  public init(folder: String) throws {
    try OutputFolder.make(folder)
    let seconds = Int(Date().timeIntervalSince1970)
    let stem = "\(folder)/events.out.tfevents.\(seconds).\(ProcessInfo.processInfo.hostName).\(getpid())"
    var number = 0
    var descriptor: Int32 = -1
    repeat {
      descriptor = open("\(stem).\(number)", O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0o666)
      if descriptor < 0, errno != EEXIST { throw DataError.system("write", file: "\(stem).\(number)") }
      number += 1
    } while descriptor < 0
    path = "\(stem).\(number - 1)"
    state = Mutex(State(descriptor: descriptor))
    var event = ProtocolBuffer()
    event.double(1, Date().timeIntervalSince1970)
    event.string(3, "brain.Event:2")
    try append(event)
    try flush()
  }

  deinit {
    try? flush()
    state.withLock { _ = close($0.descriptor) }
  }

  /// Records the number `value` under `tag` at `step`.
  public func scalar(_ tag: String, _ value: Double, step: Int) throws {
    var summary = ProtocolBuffer()
    summary.string(1, tag)
    summary.float(2, Float(value))
    try append(summary, step: step)
  }

  /// Records a text, which TensorBoard shows as Markdown, under `tag` at `step`.
  public func text(_ tag: String, _ text: String, step: Int) throws {
    var plugin = ProtocolBuffer()
    plugin.string(1, "text")
    var metadata = ProtocolBuffer()
    metadata.message(1, plugin)
    var dimension = ProtocolBuffer()
    dimension.integer(1, 1)
    var shape = ProtocolBuffer()
    shape.message(2, dimension)
    var tensor = ProtocolBuffer()
    let stringType = 7
    tensor.integer(1, stringType)
    tensor.message(2, shape)
    tensor.string(8, text)
    var summary = ProtocolBuffer()
    summary.string(1, tag)
    summary.message(8, tensor)
    summary.message(9, metadata)
    try append(summary, step: step)
  }

  /// Writes all buffered events to the file.
  public func flush() throws {
    try state.withLock { try write(&$0) }
  }

  private func append(_ value: ProtocolBuffer, step: Int) throws {
    var summary = ProtocolBuffer()
    summary.message(1, value)
    var event = ProtocolBuffer()
    event.double(1, Date().timeIntervalSince1970)
    event.integer(2, step)
    event.message(5, summary)
    try append(event)
  }

  private func append(_ event: ProtocolBuffer) throws {
    let length = UInt64(event.bytes.count).littleEndianBytes
    var record = length
    record += CRC32C.masked(length).littleEndianBytes
    record += event.bytes
    record += CRC32C.masked(event.bytes).littleEndianBytes
    try state.withLock {
      $0.buffer += record
      if $0.buffer.count >= Self.bufferSize { try write(&$0) }
    }
  }

  private func write(_ state: inout State) throws {
    var written = 0
    defer { state.buffer.removeFirst(written) }
    let file = OpenFile(state.descriptor, path: path)
    try state.buffer.withUnsafeBytes { try file.write($0, done: &written) }
  }
}

/// The Castagnoli checksum, CRC-32C.
enum CRC32C {
  private static let table: [UInt32] = (0..<256).map { index in
    (0..<8).reduce(UInt32(index)) { value, _ in value & 1 == 1 ? value >> 1 ^ 0x82f6_3b78 : value >> 1 }
  }

  static func checksum(_ bytes: some Sequence<UInt8>) -> UInt32 {
    ~bytes.reduce(UInt32.max) { table[Int(UInt8(truncatingIfNeeded: $0) ^ $1)] ^ $0 >> 8 }
  }

  /// Returns the checksum masked as in TFRecord: a checksum of data with checksums in it is weak.
  static func masked(_ bytes: some Sequence<UInt8>) -> UInt32 {
    let checksum = checksum(bytes)
    return (checksum >> 15 | checksum << 17) &+ 0xa282_ead8
  }
}

/// A protocol-buffer message being written, field by field.
struct ProtocolBuffer {
  private(set) var bytes: [UInt8] = []

  mutating func integer(_ field: Int, _ value: Int) {
    key(field, 0)
    variable(UInt64(bitPattern: Int64(value)))
  }

  mutating func double(_ field: Int, _ value: Double) {
    key(field, 1)
    bytes += value.bitPattern.littleEndianBytes
  }

  mutating func float(_ field: Int, _ value: Float) {
    key(field, 5)
    bytes += value.bitPattern.littleEndianBytes
  }

  mutating func string(_ field: Int, _ value: String) {
    delimited(field, Array(value.utf8))
  }

  mutating func message(_ field: Int, _ value: ProtocolBuffer) {
    delimited(field, value.bytes)
  }

  private mutating func delimited(_ field: Int, _ content: [UInt8]) {
    key(field, 2)
    variable(UInt64(content.count))
    bytes += content
  }

  private mutating func key(_ field: Int, _ wireType: Int) {
    variable(UInt64(field << 3 | wireType))
  }

  private mutating func variable(_ value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(rest))
  }
}
