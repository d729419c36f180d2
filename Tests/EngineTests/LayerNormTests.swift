import TestSupport
import Testing

@testable import Engine

@Suite(.serialized) struct LayerNormTests {
  struct Form: CustomTestStringConvertible {
    var rows: Int
    var columns: Int
    var epsilon: Float = 1e-5
    var residual = false
    var inner: Float = 0
    var outer: Float = 0
    var testDescription: String {
      "[\(rows), \(columns)] eps \(epsilon) residual \(residual) dropout \(inner) \(outer)"
    }
  }

  static let forms = [
    Form(rows: 1, columns: 2), Form(rows: 6, columns: 16, epsilon: 1e-12), Form(rows: 5, columns: 37),
    Form(rows: 70, columns: 130, residual: true), Form(rows: 7, columns: 23, epsilon: 0.5, residual: true),
    Form(rows: 9, columns: 20, inner: 0.3), Form(rows: 9, columns: 140, outer: 0.25),
    Form(rows: 12, columns: 48, epsilon: 1e-12, residual: true, inner: 0.1),
    Form(rows: 60, columns: 150, residual: true, inner: 0.4, outer: 0.5),
    Form(rows: 0, columns: 8, residual: true),
  ]

  @Test(arguments: forms, [false, true])
  func equalsReferee(form: Form, overwriting: Bool) throws {
    let x = Matrix.random(form.rows, form.columns, scale: 2, seed: 1)
    let residual = form.residual ? [Matrix.random(form.rows, form.columns, seed: 2)] : []
    let gammaBeta = [Matrix.random(1, form.columns, seed: 3), .random(1, form.columns, seed: 4)]
    let streams = (inner: UInt32(1), outer: UInt32(form.inner > 0 ? 2 : 1))
    let masks = (
      inner: mask(form, form.inner, streams.inner), outer: mask(form, form.outer, streams.outer)
    )
    var check = OperationCheck([x] + gammaBeta + residual) { tape, t in
      tape.layerNorm(
        t[0], residual: t.count > 3 ? t[3] : nil, t[1], t[2], epsilon: form.epsilon,
        innerDropout: form.inner, outerDropout: form.outer, overwriting: overwriting)
    } referee: { m in
      Referee.layerNorm(
        m[0], residual: m.count > 3 ? m[3] : nil, m[1], m[2], epsilon: form.epsilon, inner: masks.inner,
        outer: masks.outer)
    }
    check.keepsInputs = !overwriting
    try check.run()
  }

  private func mask(_ form: Form, _ probability: Float, _ stream: UInt32) -> Matrix? {
    probability == 0
      ? nil
      : Referee.dropoutFactors(
        rows: form.rows, columns: form.columns, probability: probability, stream: stream)
  }

  /// A backend that counts operations by kind, and the tensors that norms write.
  private final class Recorder: ForwardingBackend, @unchecked Sendable {
    var counts: [String: Int] = [:]
    var written: [Int] = []

    override func run(_ operation: some Engine.Operation) {
      counts["\(type(of: operation))", default: 0] += 1
      if operation is LayerNorm { written.append(operation.writes.compactMap { $0 }.count) }
      super.run(operation)
    }
  }

  /// A norm that alone reads a layer's result computes its bias's gradient, and a GELU's slope that
  /// of the bias before it.
  ///
  /// No other operation reads these gradients once more.
  @Test func biasesAreMadeOnTheWay() throws {
    for overwriting in [false, true] {
      let backend = Recorder(try TestGPU.open())
      let tape = Tape.training(backend, seed: 1, step: 1)
      let t = [
        Matrix.random(5, 12, seed: 1), .random(40, 12, seed: 2), .random(1, 40, seed: 3),
        .random(12, 40, seed: 4), .random(1, 12, seed: 5), .random(1, 12, seed: 6), .random(1, 12, seed: 7),
      ].map { leaf($0, on: backend) }
      let result = tape.feedForward(t[0], up: (t[1], t[2]), down: (t[3], t[4]))
      let out = tape.layerNorm(result, t[5], t[6], epsilon: 0.1, innerDropout: 0.5, overwriting: overwriting)
      tape.customLoss([out]) { _ in [Matrix.random(5, 12, seed: 8).floats] }
      tape.backward()
      #expect(backend.counts["ColumnSums", default: 0] == (overwriting ? 0 : 1))
      let isMade = t.allSatisfy { $0.gradient.map { backend.values(of: $0).contains { $0 != 0 } } ?? false }
      #expect(isMade)
    }
  }

  /// Inference writes no sum and gives the same result.
  @Test func inferenceKeepsNoSum() throws {
    try Backends.forEach { base in
      let backend = Recorder(base)
      let results = [Tape.training(backend, seed: 1, step: 1), .inference(backend)].map { tape in
        let (x, residual) = (
          leaf(.random(9, 40, seed: 1), on: backend), leaf(.random(9, 40, seed: 2), on: backend)
        )
        let (gamma, beta) = (
          leaf(.random(1, 40, seed: 3), on: backend), leaf(.random(1, 40, seed: 4), on: backend)
        )
        let out = tape.layerNorm(x, residual: residual, gamma, beta, epsilon: 0.1)
        #expect(backend.values(of: x) == Matrix.random(9, 40, seed: 1).floats)
        return backend.values(of: out)
      }
      #expect(results[0] == results[1], "\(backend.summary)")
      #expect(backend.written == [3, 2])
    }
  }

  /// A constant row, which has no deviation, gives beta without a division by zero.
  @Test func constantRow() throws {
    try Backends.forEach { backend in
      let x = leaf(Matrix(rows: 2, columns: 20, repeating: 3), on: backend)
      let (gamma, beta) = (
        leaf(.random(1, 20, seed: 1), on: backend), leaf(.random(1, 20, seed: 2), on: backend)
      )
      let out = Tape.inference(backend).layerNorm(x, gamma, beta, epsilon: 1e-12)
      let expected = backend.values(of: beta)
      #expect(backend.values(of: out) == expected + expected)
    }
  }
}
