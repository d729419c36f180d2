import Engine

/// A fast source of many random numbers, for work that a bench only times.
package enum RandomRows {
  /// Fills a buffer with uniform numbers of mean zero, four from each draw.
  /// - Parameters:
  ///   - deviation: the standard deviation of the numbers.
  ///   - centre: numbers to add, one for each element.
  package static func fill(
    _ values: UnsafeMutableBufferPointer<Float>, deviation: Float, _ random: inout RandomStream,
    adding centre: [Float]? = nil
  ) {
    let factor = deviation * Float(12).squareRoot() / 65_536
    var bits: UInt64 = 0
    for i in values.indices {
      if i % 4 == 0 { bits = random.next() }
      values[i] = factor * (Float(bits & 0xFFFF) - 32_767.5) + (centre?[i] ?? 0)
      bits >>= 16
    }
  }
}
