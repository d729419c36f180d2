import Engine

/// Random numbers for what a bench only times: many of them, quickly.
package enum RandomRows {
  /// Uniform numbers of mean zero, four of a draw.
  /// - Parameters:
  ///   - deviation: the square root of their variance.
  ///   - centre: as many numbers to add to them.
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
