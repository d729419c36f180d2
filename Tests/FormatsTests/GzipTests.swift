import Foundation
import Testing

@testable import Formats

@Suite struct GzipTests {
  /// `printf 'one\ntwo\n\nlast' | gzip -n`
  private static let compressed =
    "H4sIAAAAAAAAA8vPS+UqKc/n4spJLC4BAGsnpScNAAAA"

  private func write(_ bytes: some Sequence<UInt8>) throws -> String {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("hero-\(UUID()).gz").path
    try Data(bytes).write(to: URL(fileURLWithPath: path))
    return path
  }

  private func lines(_ bytes: some Sequence<UInt8>) throws -> [String] {
    let path = try write(bytes)
    defer { try? FileManager.default.removeItem(atPath: path) }
    var lines: [String] = []
    try Gzip.forEachLine(path: path) { lines.append(String(decoding: $0, as: UTF8.self)) }
    return lines
  }

  @Test func readsLines() throws {
    let bytes = try #require(Data(base64Encoded: Self.compressed))
    #expect(try lines(bytes) == ["one", "two", "", "last"])
  }

  @Test func refusesWhatIsCutShortDamagedOrNoGzipFile() throws {
    let bytes = try #require(Data(base64Encoded: Self.compressed))
    for length in 1..<bytes.count { #expect(throws: DataError.self) { try lines(bytes.prefix(length)) } }
    // A flipped bit may go unseen only in the padding before the checksum.
    for index in bytes.indices.dropFirst(10) {
      var damaged = bytes
      damaged[index] ^= 0x10
      let read = try? lines(damaged)
      #expect(read == nil || read == ["one", "two", "", "last"], "byte \(index)")
    }
    #expect(throws: DataError.self) { try lines(Data("plain text\n".utf8)) }
    #expect(throws: DataError.self) { try Gzip.forEachLine(path: "missing.gz") { _ in } }
  }
}
