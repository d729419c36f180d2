import Foundation

@testable import Engine

/// A matrix of doubles, with which the referee computes.
struct Matrix {
  var rows: Int
  var columns: Int
  var values: [Double]

  init(rows: Int, columns: Int, repeating value: Double = 0) {
    (self.rows, self.columns) = (rows, columns)
    values = [Double](repeating: value, count: rows * columns)
  }

  init(rows: Int, columns: Int, element: (_ row: Int, _ column: Int) -> Double) {
    self.init(rows: rows, columns: columns)
    for r in 0..<rows {
      for c in 0..<columns { self[r, c] = element(r, c) }
    }
  }

  /// Makes a matrix of one row.
  init(row values: [Double]) {
    (rows, columns) = (1, values.count)
    self.values = values
  }

  subscript(row: Int, column: Int) -> Double {
    get { values[row * columns + column] }
    set { values[row * columns + column] = newValue }
  }

  var count: Int { values.count }
  var floats: [Float] { values.map { Float($0) } }
  /// The largest absolute value of an element.
  var magnitude: Double { values.reduce(0) { max($0, abs($1)) } }

  /// The elements rounded to bfloat16.
  var asBF16: Matrix {
    Matrix(rows: rows, columns: columns) { Double(BFloat16.float(BFloat16.bits(Float(self[$0, $1])))) }
  }

  /// Returns normal numbers times `scale`, each exactly a float32, so that the engine and the
  /// referee see the same inputs.
  static func random(_ rows: Int, _ columns: Int, scale: Double = 1, seed: UInt64) -> Matrix {
    var random = TestRandom(seed: seed)
    return Matrix(rows: rows, columns: columns) { _, _ in Double(Float(random.normal() * scale)) }
  }
}

/// SplitMix64, a generator for the tests that is independent of the engine's.
struct TestRandom: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 &+ 1 }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  mutating func normal() -> Double {
    let radius = (-2 * log(Double.random(in: 1e-12..<1, using: &self))).squareRoot()
    return radius * cos(Double.random(in: 0..<2 * .pi, using: &self))
  }
}
