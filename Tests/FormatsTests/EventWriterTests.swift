import Foundation
import TestSupport
import Testing

@testable import Formats

@Suite struct EventWriterTests {
  @Test func checksumsAreCastagnolis() {
    #expect(CRC32C.checksum(Array("123456789".utf8)) == 0xe306_9283)
    #expect(CRC32C.checksum([UInt8](repeating: 0, count: 32)) == 0x8a91_36aa)
  }

  @Test func eventsAreRecordsWithTheirChecksums() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("log")
    let writer = try EventWriter(folder: path)
    try writer.scalar("loss/tvr", 1.5, step: 300)
    try writer.text("config", "**lr** 1e-4", step: 0)
    try writer.flush()
    #expect(writer.path.contains("events.out.tfevents."))
    let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: writer.path)))
    var events: [[UInt8]] = []
    try bytes.withUnsafeBytes { buffer in
      var cursor = ByteCursor(buffer)
      while cursor.remaining > 0 {
        let length = try cursor.integer(UInt64.self)
        #expect(try cursor.integer(UInt32.self) == masked(withUnsafeBytes(of: length) { [UInt8]($0) }))
        let event = [UInt8](try cursor.take(Int(length)))
        #expect(try cursor.integer(UInt32.self) == masked(event))
        events.append(event)
      }
    }
    #expect(events.count == 3)
    // Field 3 of the first event, after its time.
    #expect(events[0].dropFirst(9) == [0x1a, 13] + Array("brain.Event:2".utf8)[...])
    // Step 300, then a summary of one value: its tag and 1.5 as a float.
    let tag: [UInt8] = [0x0a, 8] + Array("loss/tvr".utf8)
    let value: [UInt8] = tag + [0x15, 0x00, 0x00, 0xc0, 0x3f]
    let summary: [UInt8] = [0x0a, UInt8(value.count)] + value
    #expect(Array(events[1].dropFirst(9)) == [0x10, 0xac, 0x02, 0x2a, UInt8(summary.count)] + summary)
    #expect(String(decoding: events[2], as: UTF8.self).contains("**lr** 1e-4"))
  }

  /// Events are read as written, up to where a file is cut, and damage is refused without a trap.
  @Test func eventsAreReadAsTheyWereWritten() throws {
    let folder = try TemporaryFolder()
    let writer = try EventWriter(folder: folder.path("log"))
    try writer.scalar("loss/tvr", 1.5, step: 300)
    try writer.text("config", "**lr** 1e-4", step: 0)
    try writer.scalar("valid_val_VR/VR_r1", 53.25, step: 70_000)
    try writer.flush()
    let read = try EventReader(path: writer.path)
    #expect(read.scalars.map(\.tag) == ["loss/tvr", "valid_val_VR/VR_r1"])
    #expect(read.scalars.map(\.step) == [300, 70_000] && read.scalars.map(\.value) == [1.5, 53.25])
    let begun = try #require(read.begun)
    #expect(read.scalars.allSatisfy { (0..<600).contains($0.seconds - begun) })
    let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: writer.path)))
    for count in bytes.indices {
      #expect(try EventReader(bytes: Array(bytes.prefix(count)), file: "cut").scalars.count < 2)
      var damaged = bytes
      damaged[count] ^= 0x10
      #expect(throws: DataError.self, "byte \(count)") { try EventReader(bytes: damaged, file: "damaged") }
    }
  }

  /// A record with valid checksums is read or skipped, whatever it holds.
  @Test func strangeEventsArePassedOver() throws {
    var random = SystemRandomNumberGenerator()
    let value: [UInt8] = [0x0a, 2, 0x76, 0x72, 0x15, 0, 0, 0xc0, 0x3f]
    let whole =
      [UInt8](repeating: 9, count: 1) + [UInt8](repeating: 0, count: 8) + [0x10, 3, 0x2a, 11, 0x0a, 9] + value
    func record(_ event: [UInt8]) -> [UInt8] {
      func bytes(_ number: some FixedWidthInteger) -> [UInt8] {
        withUnsafeBytes(of: number.littleEndian) { [UInt8]($0) }
      }
      let length = bytes(UInt64(event.count))
      return length + bytes(masked(length)) + event + bytes(masked(event))
    }
    #expect(
      try EventReader(bytes: record(whole), file: "").scalars == [
        .init(tag: "vr", step: 3, value: 1.5, seconds: 0)
      ])
    for _ in 0..<2000 {
      var event = whole
      for _ in 0...Int.random(in: 0..<4, using: &random) {
        event[Int.random(in: event.indices, using: &random)] = .random(in: 0...255, using: &random)
      }
      #expect(try EventReader(bytes: record(event), file: "").scalars.count < 2)
    }
  }

  @Test func writersInOneFolderDoNotMeet() throws {
    let folder = try TemporaryFolder()
    let first = try EventWriter(folder: folder.root)
    let second = try EventWriter(folder: folder.root)
    #expect(first.path != second.path)
  }

  private func masked(_ bytes: [UInt8]) -> UInt32 {
    let checksum = CRC32C.checksum(bytes)
    return (checksum >> 15 | checksum << 17) &+ 0xa282_ead8
  }
}
