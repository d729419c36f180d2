/// A counter-based generator: value `n` of a stream is a mix of the stream's key and `n`
/// (SplitMix64).
///
/// The corpus seed, a purpose and an index name a stream. The draws for one video never depend on
/// how much was drawn for another, and the corpus is the same on every machine.
struct SeededRandom {
  private let key: UInt64
  private var counter: UInt64 = 0

  /// Creates the stream of `seed` for a purpose and an index, for example `("features", 12)`.
  init(seed: UInt64, _ purpose: String, _ index: Int = 0) {
    var key = Self.mix(seed &+ 0x9E37_79B9_7F4A_7C15)
    for byte in purpose.utf8 { key = Self.mix(key ^ UInt64(byte)) }
    self.key = Self.mix(key ^ UInt64(bitPattern: Int64(index)))
  }

  /// Returns the next 64 random bits.
  mutating func next() -> UInt64 {
    counter &+= 1
    return Self.mix(key &+ counter &* 0x9E37_79B9_7F4A_7C15)
  }

  /// Returns a number in [0, 1).
  mutating func unit() -> Double { Double(next() >> 11) * 0x1p-53 }

  /// Returns a number in [low, high).
  mutating func between(_ low: Double, _ high: Double) -> Double { low + (high - low) * unit() }

  /// Returns an integer in [0, count); `count` must be positive.
  mutating func below(_ count: Int) -> Int {
    Int(truncatingIfNeeded: next().multipliedFullWidth(by: UInt64(count)).high)
  }

  /// Returns true with the given probability.
  mutating func chance(_ probability: Double) -> Bool { unit() < probability }

  /// Returns a number of mean 0 and variance 1: the sum of twelve uniform ones, less 6.
  ///
  /// It needs no logarithm, so it is the same to the last bit everywhere.
  mutating func normal() -> Float {
    var sum = -6.0
    for _ in 0..<12 { sum += unit() }
    return Float(sum)
  }

  /// Returns one element of a collection that is not empty.
  mutating func pick<C: RandomAccessCollection>(_ choices: C) -> C.Element {
    choices[choices.index(choices.startIndex, offsetBy: below(choices.count))]
  }

  /// Returns the elements in random order (Fisher–Yates).
  mutating func shuffled<Element>(_ elements: [Element]) -> [Element] {
    var result = elements
    for last in stride(from: result.count - 1, to: 0, by: -1) { result.swapAt(last, below(last + 1)) }
    return result
  }

  private static func mix(_ value: UInt64) -> UInt64 {
    var z = value
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
