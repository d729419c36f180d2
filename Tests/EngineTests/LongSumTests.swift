import TestSupport
import Testing

@testable import Engine

/// Sums of so many rows that float32's rounding errors add up.
@Suite(.serialized) struct LongSumTests {
  /// Equal numbers, which float32 rounds the same way every time.
  ///
  /// One sum of them all is off by a part in a thousand.
  private static let (rows, value) = (200_000, Float(0.1))
  private static let expected = Double(rows) * Double(value)

  @Test func oneSumIsOff() {
    let sum = (0..<Self.rows).reduce(Float(0)) { sum, _ in sum + Self.value }
    #expect(abs(Double(sum) - Self.expected) / Self.expected > 5e-4)
  }

  private func target(_ columns: Int, _ backend: any Backend) -> GradientTarget {
    let tensor = backend.makeTensor(rows: 1, columns: columns)
    backend.run(Fill(tensor, with: 0.5))
    return GradientTarget(tensor: tensor, accumulate: true)
  }

  private func expectExact(
    _ target: GradientTarget, _ expected: Double, _ backend: any Backend,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    for value in backend.values(of: target.tensor) {
      let error = abs(Double(value) - 0.5 - expected) / abs(expected)
      #expect(error <= 5e-5, "\(backend.summary): off by \(error)", sourceLocation: sourceLocation)
    }
  }

  private func constant(_ rows: Int, _ columns: Int, _ value: Float, _ backend: any Backend) -> Tensor {
    let tensor = backend.makeTensor(rows: rows, columns: columns)
    backend.run(Fill(tensor, with: value))
    return tensor
  }

  private static func devices() throws -> [any Backend] {
    try [CPUBackend(threads: 1), CPUBackend(threads: 2), TestGPU.open()]
  }

  @Test func biases() throws {
    for backend in try Self.devices() {
      let (dy, bias) = (constant(Self.rows, 5, Self.value, backend), target(5, backend))
      backend.run(ColumnSums(x: dy, out: bias))
      expectExact(bias, Self.expected, backend)
    }
  }

  @Test func norms() throws {
    for backend in try Self.devices() {
      // Normed rows are 1 and −1.
      let row: [Float] = [1, -1, 1, -1]
      let x = backend.makeTensor(
        (0..<Self.rows).flatMap { _ in row }, rows: Self.rows, columns: row.count)
      let (gamma, beta) = (constant(1, 4, 1, backend), constant(1, 4, 0, backend))
      let statistics = backend.makeTensor(rows: 2, columns: Self.rows)
      let out = backend.makeTensor(rows: Self.rows, columns: 4)
      backend.run(
        LayerNorm(
          x: x, residual: nil, gamma: gamma, beta: beta, epsilon: 0, inner: nil, outer: nil, sum: x,
          statistics: statistics, out: out))
      let (dGamma, dBeta) = (target(4, backend), target(4, backend))
      backend.run(
        LayerNormBackward(
          dy: constant(Self.rows, 4, Self.value, backend), sum: x, statistics: statistics, gamma: gamma,
          inner: nil, outer: nil, dx: nil, dResidual: nil, dGamma: dGamma, dBeta: dBeta))
      expectExact(dBeta, Self.expected, backend)
      for (found, sign) in paired(backend.values(of: dGamma.tensor), row) {
        let error = abs(Double(found) - 0.5 - Double(sign) * Self.expected) / Self.expected
        #expect(error <= 5e-5, "\(backend.summary): off by \(error)")
      }
    }
  }

  @Test func rowsOfOneType() throws {
    for backend in try Self.devices() {
      let to = target(8, backend)
      let places = backend.makeIndices((0..<Self.rows).map { $0 % 2 })
      backend.run(
        ScatterAdd(
          constant(Self.rows, 4, Self.value, backend), indices: places,
          to: Tensor(rows: 2, columns: 4, storage: to.tensor.storage)))
      expectExact(to, Self.expected / 2, backend)
    }
  }

  @Test func convolutions() throws {
    for backend in try Self.devices() {
      let segments = Segments(lengths: [Int](repeating: 100, count: Self.rows / 100), on: backend)
      let kernel = target(1, backend)
      let x = constant(1, Self.rows, 1, backend)
      backend.run(
        ConvolveBackward(
          dy: constant(1, Self.rows, Self.value, backend), x: x, kernel: constant(1, 1, 1, backend),
          segments: segments, dx: nil, dKernel: kernel))
      expectExact(kernel, Self.expected, backend)
    }
  }
}
