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
