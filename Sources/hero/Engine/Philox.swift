import Foundation

/// Philox4x32-10, a counter-based random generator: the n-th number of a stream is a function of
/// (key, counter).
///
/// So a run can be repeated or resumed at any place, on any number of threads and any backend.
///
/// Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
public enum Philox {
  /// Returns four independent 32-bit words for one counter.
  public static func block(
    _ counter: SIMD4<UInt32>, key: SIMD2<UInt32>
  ) -> SIMD4<UInt32> {
    var c = counter
    var k = key
    for _ in 0..<10 {
      let p0 = UInt64(c[0]) &* 0xD251_1F53
      let p1 = UInt64(c[2]) &* 0xCD9E_8D57
      c = SIMD4(
        UInt32(truncatingIfNeeded: p1 >> 32) ^ c[1] ^ k[0], UInt32(truncatingIfNeeded: p1),
        UInt32(truncatingIfNeeded: p0 >> 32) ^ c[3] ^ k[1], UInt32(truncatingIfNeeded: p0))
      k = SIMD2(k[0] &+ 0x9E37_79B9, k[1] &+ 0xBB67_AE85)
    }
    return c
  }
}

/// A stream of random numbers named by (seed, step, stream), as a Swift generator.
public struct RandomStream: RandomNumberGenerator, Sendable {
  private let key: SIMD2<UInt32>
  private var counter: SIMD4<UInt32>
  private var words = SIMD4<UInt32>()
  private var used = 4

  /// - Parameters:
  ///   - seed: the run's seed.
  ///   - step: a number that changes with time (of an update, of an epoch).
  ///   - stream: the purpose of the numbers, so that two uses never share any.
  public init(seed: UInt64, step: UInt64 = 0, stream: UInt32) {
    key = SIMD2(UInt32(truncatingIfNeeded: seed), UInt32(truncatingIfNeeded: seed >> 32))
    // The last word holds 16 bits of the step's upper half above the domain 0x57AE: 2⁴⁸ steps
    // before a repeat.
    counter = SIMD4(
      0, stream, UInt32(truncatingIfNeeded: step), UInt32(truncatingIfNeeded: step >> 32) << 16 | 0x57AE)
  }

  /// Returns the stream of the same seed and use some steps later, for items numbered in a row.
  public func following(_ steps: Int) -> RandomStream {
    let step = UInt64(counter[2]) | UInt64(counter[3] >> 16) << 32
    var other = self
    let moved = step &+ UInt64(steps)
    other.counter = SIMD4(
      0, counter[1], UInt32(truncatingIfNeeded: moved), UInt32(truncatingIfNeeded: moved >> 32) << 16 | 0x57AE
    )
    other.used = 4
    return other
  }

  /// Returns the seed for what a rank draws by itself (dropout); the first rank's is the run's own.
  public static func seed(_ seed: UInt64, of rank: Int) -> UInt64 {
    seed &+ UInt64(rank) &* 0xD1B5_4A32_D192_ED03
  }

  private mutating func nextWord() -> UInt32 {
    if used == 4 {
      words = Philox.block(counter, key: key)
      counter[0] &+= 1
      used = 0
    }
    used += 1
    return words[used - 1]
  }

  /// Returns two words of the stream, the first in the low half.
  public mutating func next() -> UInt64 { UInt64(nextWord()) | UInt64(nextWord()) << 32 }

  /// Returns a uniform number in [0, 1) of 24 bits.
  public mutating func uniform() -> Float { Float(nextWord() >> 8) * 0x1p-24 }

  /// Returns a pair of standard normal numbers by the Box–Muller transform.
  public mutating func normalPair() -> (Float, Float) {
    let radius = (-2 * log(Double(nextWord()) * 0x1p-32 + 0x1p-33)).squareRoot()
    let angle = 2 * Double.pi * Double(nextWord()) * 0x1p-32
    return (Float(radius * cos(angle)), Float(radius * sin(angle)))
  }
}
