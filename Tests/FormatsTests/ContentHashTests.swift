import TestSupport
import Testing

@testable import Formats

@Suite("Hashes of content")
struct ContentHashTests {
  private let bytes = (0..<1000).map { UInt8(truncatingIfNeeded: $0 * 7) }

  @Test func piecesMakeNoDifference() {
    for size in [1, 7, 31, 32, 33, 500] {
      var hash = ContentHash()
      for start in stride(from: 0, to: bytes.count, by: size) {
        hash.update(Array(bytes[start..<min(bytes.count, start + size)]))
      }
      #expect(hash.value == ContentHash.of(bytes))
    }
  }

  @Test func everyBitAndTheLengthCount() {
    let whole = ContentHash.of(bytes)
    var seen: Set<UInt64> = [whole]
    for damaged in Damage.flips(bytes) + Damage.truncations(bytes) { seen.insert(ContentHash.of(damaged)) }
    #expect(seen.count == 1 + Damage.flips(bytes).count + Damage.truncations(bytes).count)
    #expect(ContentHash.of([]) != ContentHash.of([0]) && ContentHash.of([0]) != ContentHash.of([0, 0]))
  }

  @Test func ofAFile() throws {
    let folder = try TemporaryFolder()
    let path = try folder.file("a", "hello")
    var hash = ContentHash()
    hash.update(Array("hello".utf8))
    #expect(try ContentHash.text(ofFile: path) == hash.text && hash.text.count == 16)
  }
}
