import CKernels
import Foundation
import TestSupport
import Testing

@testable import Engine

/// The functions of one number that the kernels approximate, and operations made of them.
struct FunctionTests {
  /// −30 … 30 in steps that meet no special value twice.
  private static let arguments = (0...60_000).map { Float($0) * 0.001 - 30 }

  @Test func exponential() {
    for kernels in KernelSets.all {
      let arguments = Self.arguments + [-87, -80, 80, 87, 0]
      var values = arguments
      kernels.exp_shift_scale(&values, 0, 1, values.count)
      for (x, value) in paired(arguments, values) {
        #expect(abs(Double(value) - exp(Double(x))) <= 2.5e-7 * exp(Double(x)), "exp \(x)")
      }
    }
  }

  /// The exponential of a very small number is negligible in a sum, and that of a large one finite.
  @Test func exponentialOfExtremes() {
    for kernels in KernelSets.all {
      var values: [Float] = [-88, -100, -1e10, -.infinity, -.greatestFiniteMagnitude, 89, 1e10]
      kernels.exp_shift_scale(&values, 0, 1, values.count)
      #expect(values.prefix(5).allSatisfy { $0 >= 0 && $0 < 2e-38 })
      #expect(values.suffix(2).allSatisfy { $0 > 1e38 && $0.isFinite })
    }
  }

  @Test func geluAndItsSlope() {
    for kernels in KernelSets.all {
      var (pre, out) = (Self.arguments, [Float](repeating: .nan, count: Self.arguments.count))
      kernels.bias_gelu(&pre, &out, nil, 1, pre.count)
      #expect(pre == Self.arguments)
      var slopes = [Float](repeating: 1, count: pre.count)
      let dy = slopes
      kernels.floats.pointee.gelu_backward(&slopes, dy, pre, pre.count)
      for (i, x) in Self.arguments.map({ Double($0) }).enumerated() {
        #expect(abs(Double(out[i]) - Referee.gelu(x)) <= 1e-6 * max(1, abs(x)), "gelu \(x)")
        #expect(abs(Double(slopes[i]) - Referee.geluSlope(x)) <= 1e-6, "gelu' \(x)")
      }
    }
  }

  @Test(arguments: [1, 2, 15, 16, 17, 50, 1000, 50_265])
  func logSumExp(count: Int) {
    for kernels in KernelSets.all {
      for (scale, shift) in [(1.0, 0.0), (20, 0), (1, 1e4), (1, -1e4), (3e3, 0)] {
        var x = Matrix.random(1, count, scale: scale, seed: 3)
        for c in 0..<count { x.values[c] = Double(Float(x.values[c] + shift)) }
        let expected = Referee.logSumExp(x.values)
        let value = Double(kernels.log_sum_exp(x.floats, count))
        #expect(abs(value - expected) <= 1e-6 * max(1, abs(expected)))
      }
    }
  }

  @Test func logSumExpOfExtremes() {
    for kernels in KernelSets.all {
      for count in [3, 16, 21, 40] {
        var row = [Float](repeating: -1e10, count: count)
        row[1] = 5
        #expect(kernels.log_sum_exp(row, count) == 5)
        row[1] = -.infinity
        #expect(kernels.log_sum_exp(row, count) == -1e10)
        row[2] = 3e38
        #expect(kernels.log_sum_exp(row, count) == 3e38)
      }
    }
  }

  @Test(arguments: [1, 15, 16, 17, 100, 4096, 10_001])
  func sums(count: Int) throws {
    let (x, y) = (Matrix.random(1, count, seed: 1), Matrix.random(1, count, seed: 2))
    let sizes = paired(x.values, y.values).reduce(0) { $0 + abs($1.0 * $1.1) }
    for kernels in KernelSets.all {
      let dot = paired(x.values, y.values).reduce(0) { $0 + $1.0 * $1.1 }
      #expect(abs(Double(kernels.dot(x.floats, y.floats, count)) - dot) <= 1e-6 * sizes)
      let sum = x.values.reduce(0, +)
      #expect(
        abs(Double(kernels.sum(x.floats, count)) - sum) <= 1e-6 * x.values.reduce(0) { $0 + abs($1) })
    }
    try Backends.forEach { backend in
      let squares = x.values.reduce(0) { $0 + $1 * $1 }
      let sum = backend.makeSums()
      backend.run(AddSumOfSquares(x: [leaf(x, on: backend)], sums: sum, place: 0))
      #expect(abs(backend.numbers(of: [sum])[0] - squares) <= 1e-6 * squares)
    }
  }

  /// A NaN stays NaN, so that diverged training shows.
  @Test func notANumberIsPassedOn() {
    for kernels in KernelSets.all {
      for count in [5, 16, 40] {
        var row = [Float](repeating: 1, count: count)
        row[count - 2] = .nan
        #expect(kernels.log_sum_exp(row, count).isNaN)
        kernels.exp_shift_scale(&row, 0, 1, count)
        #expect(row[count - 2].isNaN && !row[0].isNaN)
        kernels.bias_relu(&row, nil, 1, count)
        #expect(row[count - 2].isNaN && !row[0].isNaN)
        var out = row
        kernels.bias_gelu(&row, &out, nil, 1, count)
        #expect(out[count - 2].isNaN && !out[0].isNaN)
      }
    }
  }
}
