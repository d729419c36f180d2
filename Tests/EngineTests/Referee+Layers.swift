import Foundation

@testable import Engine

/// The operations by their definitions, in double precision, one element at a time.
enum Referee {
  static func linear(_ x: Matrix, _ weight: Matrix, _ bias: Matrix?, _ activation: Activation) -> Matrix {
    Matrix(rows: x.rows, columns: weight.rows) { r, m in
      var total = bias?.values[m] ?? 0
      for k in 0..<x.columns { total += x[r, k] * weight[m, k] }
      switch activation {
      case .none: return total
      case .relu: return max(0, total)
      case .gelu: return gelu(total)
      case .quickGELU: return total / (1 + exp(-1.702 * total))
      }
    }
  }

  static func gelu(_ x: Double) -> Double { x * 0.5 * erfc(-x / 2.0.squareRoot()) }

  static func geluSlope(_ x: Double) -> Double {
    0.5 * erfc(-x / 2.0.squareRoot()) + x * exp(-x * x / 2) / (2 * Double.pi).squareRoot()
  }

  static func layerNorm(
    _ x: Matrix, residual: Matrix? = nil, _ gamma: Matrix, _ beta: Matrix, epsilon: Float,
    inner: Matrix? = nil, outer: Matrix? = nil
  ) -> Matrix {
    var out = x
    for r in 0..<x.rows {
      let row = (0..<x.columns).map { c in
        x[r, c] * (inner?[r, c] ?? 1) + (residual?[r, c] ?? 0)
      }
      let mean = row.reduce(0, +) / Double(row.count)
      let variance = row.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(row.count)
      for (c, value) in row.enumerated() {
        let hat = (value - mean) / (variance + Double(epsilon)).squareRoot()
        out[r, c] = (gamma.values[c] * hat + beta.values[c]) * (outer?[r, c] ?? 1)
      }
    }
    return out
  }

  static func gatherSum(_ terms: [(table: Matrix, indices: [Int]?)]) -> Matrix {
    let rows = terms[0].indices?.count ?? terms[0].table.rows
    return Matrix(rows: rows, columns: terms[0].table.columns) { r, c in
      terms.reduce(0) { total, term in
        let from = term.indices?[r] ?? r
        return from < 0 ? total : total + term.table[from, c]
      }
    }
  }

  static func normalizeRows(_ x: Matrix, floor: Float) -> Matrix {
    Matrix(rows: x.rows, columns: x.columns) { r, c in
      let square = (0..<x.columns).reduce(0) { $0 + x[r, $1] * x[r, $1] }
      return x[r, c] / max(square.squareRoot(), Double(floor))
    }
  }

  static func times(_ x: Matrix, _ factors: Matrix) -> Matrix {
    Matrix(rows: x.rows, columns: x.columns) { x[$0, $1] * factors[$0, $1] }
  }

  /// Returns dropout's factors by the mapping that `hero_dropout.h` documents.
  /// - Parameters:
  ///   - firstRow: where a sequence's rows start among the rows of the stream (attention).
  ///   - stream: the number of the dropout on its tape, from 1.
  static func dropoutFactors(
    rows: Int, columns: Int, probability: Float, stream: UInt32, firstRow: Int = 0,
    seed: UInt64 = OperationCheck.seed, step: UInt64 = OperationCheck.step
  ) -> Matrix {
    let threshold = UInt32((probability * 65_536).rounded())
    return Matrix(rows: rows, columns: columns) { r, c in
      let counter = SIMD4<UInt32>(
        UInt32(firstRow + r), stream, UInt32(step), 0xD20B | UInt32(c / 8) << 16)
      let key = SIMD2(UInt32(truncatingIfNeeded: seed), UInt32(seed >> 32))
      let word = Philox.block(counter, key: key)[c % 8 / 2]
      let bits = c % 2 == 0 ? word & 0xFFFF : word >> 16
      return bits >= threshold ? 65_536 / (65_536 - Double(threshold)) : 0
    }
  }
}
