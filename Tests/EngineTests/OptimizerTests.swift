import Foundation
import Testing

@testable import Engine

@Suite(.serialized) struct OptimizerTests {
  /// One parameter's history in double precision, by the reference's `optim/adamw.py` and torch's
  /// optimizers.
  private struct Double64 {
    var p: [Double]
    var m: [Double]
    var v: [Double]
    var step = 0

    init(_ p: [Double]) {
      self.p = p
      m = p.map { _ in 0 }
      v = m
    }

    mutating func update(
      _ kind: OptimizerKind, _ gradient: [Double], rate: Double, decay: Double, betas: (Double, Double),
      epsilon: Double
    ) {
      step += 1
      let (b1, b2) = betas
      let (c1, c2) = (1 - pow(b1, Double(step)), 1 - pow(b2, Double(step)))
      for i in p.indices {
        let g = gradient[i] + (kind == .adamw ? 0 : decay * p[i])
        m[i] = b1 * m[i] + (1 - b1) * g
        switch kind {
        case .adamw:
          v[i] = b2 * v[i] + (1 - b2) * g * g
          p[i] -= rate * c2.squareRoot() / c1 * m[i] / (v[i].squareRoot() + epsilon)
          p[i] -= rate * decay * p[i]
        case .adam:
          v[i] = b2 * v[i] + (1 - b2) * g * g
          p[i] -= rate / c1 * m[i] / (v[i].squareRoot() / c2.squareRoot() + epsilon)
        case .adamax:
          v[i] = max(b2 * v[i], abs(g) + epsilon)
          p[i] -= rate / c1 * m[i] / v[i]
        }
      }
    }
  }

  /// Parameters whose neighbours differ in decay, in rate or in history.
  ///
  /// One gets its first gradient late, one gets it in every other step, one never.
  private static let shapes = [[7, 5], [33], [1], [40, 130], [20], [64], [3]]
  private static let decays: [Float] = [0.1, 0, 0, 0.1, 0.1, 0, 0]
  private static let factors: [Float] = [1, 1, 3, 3, 1, 1, 1]

  private func hasGradient(_ parameter: Int, in step: Int) -> Bool {
    switch parameter {
    case 2: step >= 3
    case 4: step % 2 == 0
    case 5: false
    default: true
    }
  }

  @Test(arguments: OptimizerKind.allCases)
  func followsTheDoubles(kind: OptimizerKind) throws {
    let (betas, epsilon) = ((Float(0.9), Float(0.98)), Float(kind == .adamw ? 1e-6 : 1e-8))
    try Backends.forEach { backend in
      let store = ParameterStore(backend: backend)
      for (i, shape) in Self.shapes.enumerated() { _ = store.add("p\(i)", shape, .constant(0)) }
      var expected = Self.shapes.enumerated().map { i, shape in
        Double64(Matrix.random(1, shape.reduce(1, *), scale: 0.1, seed: UInt64(i)).values)
      }
      for (parameter, history) in zip(store.parameters, expected) {
        store.set(parameter, to: history.p.map { Float($0) })
      }
      let place = Dictionary(uniqueKeysWithValues: store.parameters.enumerated().map { ($1.name, $0) })
      let optimizer = Optimizer(
        kind, store: store, betas: betas,
        weightDecay: { Self.decays[place[$0.name] ?? 0] },
        learningRateFactor: { Self.factors[place[$0.name] ?? 0] })
      #expect(optimizer.epsilon == epsilon)
      for step in 0..<8 {
        let (rate, scale) = (Float(0.01) / Float(1 + step), step % 3 == 1 ? Float(0.5) : 1)
        let tape = Tape.training(backend, seed: 1, step: UInt64(step))
        store.clearGradients()
        for (i, parameter) in store.parameters.enumerated() {
          let gradient = Matrix.random(
            1, parameter.count, scale: pow(10, Double(i - 3)), seed: UInt64(100 * step + i))
          if hasGradient(i, in: step) {
            tape.customLoss([parameter.tensor]) { _ in [gradient.floats] }
          } else if expected[i].step == 0 {
            continue
          }
          expected[i].update(
            kind,
            hasGradient(i, in: step)
              ? gradient.values.map { $0 * Double(scale) } : gradient.values.map { _ in 0 },
            rate: Double(rate) * Double(Self.factors[i]), decay: Double(Self.decays[i]),
            betas: (Double(betas.0), Double(betas.1)), epsilon: Double(epsilon))
        }
        tape.backward()
        optimizer.step(learningRate: rate, clipping: clipping(to: scale, backend))
      }
      for (parameter, history) in zip(store.parameters, expected) {
        #expect(parameter.updates == (history.step == 0 ? nil : history.step))
        let values = store.values(of: parameter)
        let label = Comment(rawValue: "\(parameter.name), \(backend.summary)")
        if history.step == 0 { #expect(values == history.p.map { Float($0) }, label) }
        for (value, wanted) in zip(values, history.p) {
          // Eight updates of 0.03 at most, each exact to a few parts in 10⁷.
          #expect(abs(Double(value) - wanted) <= 2e-7, label)
        }
      }
      let untouched = store.parameters[5].range
      #expect(backend.values(of: optimizer.first)[untouched].allSatisfy { $0 == 0 })
      #expect(backend.values(of: optimizer.second)[untouched].allSatisfy { $0 == 0 })
    }
  }

  /// Returns a clipping that scales gradients by `factor`: from norm 1 to the factor, with the 1e-6
  /// that PyTorch adds.
  private func clipping(to factor: Float, _ backend: any Backend) -> GradientClipping {
    let squares = backend.makeSums()
    backend.run(Fill(squares, with: 1))
    return GradientClipping(sumOfSquares: squares, limit: Double(factor) * (1 + 1e-6))
  }

  /// Updating neighbours with the same settings and history as one run equals updating each by
  /// itself.
  @Test(arguments: OptimizerKind.allCases)
  func runsEqualPieces(kind: OptimizerKind) throws {
    try Backends.forEach { backend in
      func update(_ pieces: [Range<Int>]) -> [Float] {
        let count = 10_000
        let tensors = (0..<4).map { leaf(.random(1, count, seed: UInt64($0 + 1)), on: backend) }
        // Second moments are not negative.
        let second = backend.values(of: tensors[3]).map { abs($0) }
        second.withUnsafeBufferPointer { backend.upload($0, to: tensors[3]) }
        backend.run(
          OptimizerStep(
            kind: kind,
            slices: pieces.map {
              OptimizerSlice(
                range: $0, gradients: tensors[1].slice($0, rows: 1, columns: $0.count), weightDecay: 0.01,
                learningRate: 0.1, step: 4)
            },
            parameters: tensors[0], first: tensors[2], second: tensors[3],
            betas: (0.9, 0.98), epsilon: 1e-6, clipping: clipping(to: 0.7, backend)))
        return backend.values(of: tensors[0])
      }
      #expect(update([0..<10_000]) == update([0..<3, 3..<20, 20..<20, 20..<8_191, 8_191..<10_000]))
    }
  }

  /// Gradients above the limit are scaled to it, and those below stay.
  ///
  /// Where the norm is NaN, nothing moves.
  @Test func clips() throws {
    try Backends.forEach { backend in
      func moved(_ squares: Float, limit: Double) -> Float {
        let tensors = (0..<4).map { _ in backend.makeTensor(rows: 1, columns: 1) }
        for (tensor, value) in zip(tensors, [Float(0), 1, 0, 0]) { backend.run(Fill(tensor, with: value)) }
        let sum = backend.makeSums()
        backend.run(Fill(sum, with: squares))
        backend.run(
          OptimizerStep(
            kind: .adamw,
            slices: [
              OptimizerSlice(range: 0..<1, gradients: tensors[1], weightDecay: 0, learningRate: 1, step: 1)
            ],
            parameters: tensors[0], first: tensors[2], second: tensors[3],
            betas: (0.9, 0.98), epsilon: 1e-6,
            clipping: GradientClipping(sumOfSquares: sum, limit: limit)))
        return backend.values(of: tensors[2])[0]
      }
      #expect(moved(4, limit: 3) == moved(1, limit: -1))
      #expect(abs(moved(4, limit: 1) / moved(4, limit: -1) - 0.5) < 1e-5)
      #expect(moved(.nan, limit: 1) == 0 && moved(.infinity, limit: -1) == 0)
    }
  }
}
