import Foundation

@testable import Engine

extension Referee {
  /// The columns of queries, keys and values, and which query sees which key.
  struct AttentionShape {
    var width: Int
    var heads: Int
    var queryLengths: [Int]
    var keyLengths: [Int]
    var queryColumn = 0
    var keyColumn: Int
    var valueColumn: Int
    var causal = false
    /// The probability with which stream 1 drops.
    var dropout: Float = 0
  }

  static func attention(_ queries: Matrix, _ keysValues: Matrix, _ shape: AttentionShape) -> Matrix {
    var out = Matrix(rows: queries.rows, columns: shape.width)
    let head = shape.width / shape.heads
    var (queryStart, keyStart, dropRow) = (0, 0, 0)
    for (queryCount, keyCount) in zip(shape.queryLengths, shape.keyLengths) {
      for h in 0..<shape.heads where queryCount > 0 {
        let kept = dropoutFactors(
          rows: shape.dropout > 0 ? queryCount : 0, columns: keyCount, probability: shape.dropout, stream: 1,
          firstRow: dropRow)
        dropRow += queryCount
        for i in 0..<queryCount where keyCount > 0 {
          let scores = (0..<(shape.causal ? min(i + 1, keyCount) : keyCount)).map { j in
            (0..<head).reduce(0) { total, d in
              total + queries[queryStart + i, shape.queryColumn + h * head + d]
                * keysValues[keyStart + j, shape.keyColumn + h * head + d]
            } / Double(head).squareRoot()
          }
          for (j, share) in softmax(scores).enumerated() {
            let weight = share * (shape.dropout > 0 ? kept[i, j] : 1)
            for d in 0..<head {
              out[queryStart + i, h * head + d] +=
                weight * keysValues[keyStart + j, shape.valueColumn + h * head + d]
            }
          }
        }
      }
      queryStart += queryCount
      keyStart += keyCount
    }
    return out
  }

  static func softmax(_ scores: [Double]) -> [Double] {
    let top = scores.max() ?? 0
    let powers = scores.map { exp($0 - top) }
    let total = powers.reduce(0, +)
    return powers.map { $0 / total }
  }

  static func logSumExp(_ x: [Double]) -> Double {
    let top = x.max() ?? 0
    return top + log(x.reduce(0) { $0 + exp($1 - top) })
  }

  static func softmaxPool(_ x: Matrix, _ scores: Matrix, _ segments: Segments) -> Matrix {
    var out = Matrix(rows: segments.count, columns: x.columns)
    for s in 0..<segments.count {
      let shares = softmax(Array(scores.values[segments[s]]))
      for (r, share) in zip(segments[s], shares) {
        for c in 0..<x.columns { out[s, c] += share * x[r, c] }
      }
    }
    return out
  }

  static func segmentMax(_ x: Matrix, _ segments: Segments) -> Matrix {
    Matrix(rows: x.rows, columns: segments.count) { r, s in segments[s].map { x[r, $0] }.max() ?? 0 }
  }

  static func pairDot(_ queries: Matrix, _ x: Matrix, _ pairs: [Range<Int>]) -> Matrix {
    Matrix(
      row: pairs.enumerated().flatMap { p, rows in
        rows.map { r in (0..<x.columns).reduce(0) { $0 + queries[p, $1] * x[r, $1] } }
      })
  }

  static func convolve(_ x: Matrix, _ kernel: Matrix, _ segments: Segments) -> Matrix {
    var out = x
    let half = kernel.count / 2
    for s in 0..<segments.count {
      for i in segments[s] {
        out.values[i] = (0..<kernel.count).reduce(0) { total, k in
          let from = i + k - half
          return segments[s].contains(from) ? total + kernel.values[k] * x.values[from] : total
        }
      }
    }
    return out
  }

  /// Returns each row's loss against its target, or its divergence from the smoothed target.
  static func crossEntropy(_ logits: Matrix, columns: Int, targets: [Int], smoothing: Double) -> Matrix {
    Matrix(rows: logits.rows, columns: 1) { r, _ in
      guard targets[r] >= 0 else { return 0 }
      let shares = softmax(Array(logits.values[r * logits.columns..<r * logits.columns + columns]))
      return shares.enumerated().reduce(0) { total, entry in
        let wanted =
          entry.offset == targets[r]
          ? 1 - smoothing : smoothing / Double(columns - 1)
        return wanted == 0 ? total : total + wanted * (log(wanted) - log(entry.element))
      }
    }
  }

  static func segmentCrossEntropy(_ logits: Matrix, _ segments: Segments, _ targets: [Int]) -> Matrix {
    Matrix(rows: segments.count, columns: 1) { s, _ in
      guard targets[s] >= 0, !segments[s].isEmpty else { return 0 }
      return -log(softmax(Array(logits.values[segments[s]]))[targets[s]])
    }
  }
}
