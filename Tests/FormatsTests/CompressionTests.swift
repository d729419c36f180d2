import TestSupport
import Testing

@testable import Formats

@Suite struct CompressionTests {
  /// Returns text-like bytes, which compress, mixed with noise, which does not.
  static func sample(_ count: Int) -> [UInt8] {
    var state: UInt32 = 1
    return (0..<count).map { place in
      state = state &* 1_664_525 &+ 1_013_904_223
      return place % 3 == 0 ? UInt8(state >> 24) : UInt8(place % 7)
    }
  }

  @Test(arguments: Compression.allCases, [0, 1, 100, 4096, 65536, 65537, 1_000_000])
  func everySizeComesBack(_ compression: Compression, _ count: Int) throws {
    let bytes = Self.sample(count)
    let packed = try compression.compress(bytes)
    #expect(Compression.detect(packed) == compression)
    #expect(try Compression.decompress(packed) == bytes)
  }

  @Test(arguments: [Compression.lz4, .zstd])
  func smallValuesCannotTakeAllMemory(_ compression: Compression) throws {
    let packed = try compression.compress([UInt8](repeating: 0, count: 10_000_000))
    #expect(packed.count < 100_000)
    #expect(throws: DataError.self) { try Compression.decompress(packed, limit: 9_999_999) }
    #expect(try Compression.decompress(packed, limit: 10_000_000).count == 10_000_000)
  }

  @Test(arguments: [Compression.lz4, .zstd])
  func truncationsAndFlippedBitsNeverTrap(_ compression: Compression) throws {
    let packed = try compression.compress(Self.sample(3000))
    for length in 4..<packed.count {
      #expect(throws: DataError.self) { try Compression.decompress(Array(packed[..<length])) }
    }
    for bit in stride(from: 0, to: packed.count * 8, by: 7) {
      var flipped = packed
      flipped[bit / 8] ^= 1 << (bit % 8)
      _ = try? Compression.decompress(flipped, limit: 1 << 20)
    }
    #expect(throws: DataError.self) { try Compression.decompress(packed + [0, 1, 2, 3, 4]) }
  }

  /// Decoders that many threads reuse keep no trace of a damaged value.
  @Test(arguments: [Compression.lz4, .zstd])
  func damagedValuesLeaveNothingBehind(_ compression: Compression) async throws {
    let values = (1...8).map { Self.sample(1000 * $0) }
    let packed = try values.map(compression.compress)
    await withTaskGroup(of: Bool.self) { group in
      for (bytes, packed) in paired(values, packed) {
        group.addTask {
          (0..<50).allSatisfy { length in
            (try? Compression.decompress(Array(packed[..<(packed.count / 2 + length)]))) == nil
              && (try? Compression.decompress(packed)) == bytes
          }
        }
      }
      for await isRight in group { #expect(isRight) }
    }
  }
}
