import Formats
import Testing

@testable import Vision

@Suite(.serialized) struct ConvolutionTests {
  /// Runs a plan of one input.
  private func run(
    _ x: Volume, shape: [Int], _ precision: NetworkPrecision, _ build: (PlanBuilder, Value) throws -> Value
  )
    throws -> (shape: [Int], values: [Float])
  {
    try OneDNN.load()
    let builder = PlanBuilder(precision: precision)
    let input = try builder.input(shape)
    let output = try builder.output(build(builder, input))
    let plan = try builder.finish()
    for (place, value) in x.values.enumerated() { plan.elements(of: input)[place] = Float(value) }
    // The plan runs twice, since a run must not depend on what the one before left behind.
    try plan.run()
    for (place, value) in x.values.enumerated() { plan.elements(of: input)[place] = Float(value) }
    try plan.run()
    let count = output.shape.reduce(1, *)
    return (output.shape, Array(UnsafeBufferPointer(start: plan.elements(of: output), count: count)))
  }

  private func volume(_ shape: [Int], _ arrays: TinyArrays) -> Volume {
    Volume(shape, (0..<shape.reduce(1, *)).map { _ in Double(arrays.random()) })
  }

  struct Case: Sendable {
    var kernel: [Int]
    var strides: [Int]
    var size: [Int]
  }

  @Test(
    arguments: [
      Case(kernel: [8, 3, 7, 7], strides: [2, 2], size: [2, 3, 23, 19]),
      Case(kernel: [16, 16, 3, 3], strides: [1, 1], size: [1, 16, 9, 7]),
      // Enough tiles for Winograd's algorithm.
      Case(kernel: [16, 16, 3, 3], strides: [1, 1], size: [3, 16, 26, 27]),
      Case(kernel: [16, 20, 3, 3], strides: [2, 2], size: [3, 20, 9, 7]),
      Case(kernel: [32, 16, 1, 1], strides: [2, 2], size: [2, 16, 8, 8]),
      Case(kernel: [8, 3, 5, 7, 7], strides: [1, 2, 2], size: [1, 3, 6, 14, 14]),
      Case(kernel: [16, 8, 7, 1, 1], strides: [4, 1, 1], size: [2, 8, 8, 3, 3]),
      Case(kernel: [6, 10, 3, 1, 1], strides: [1, 1, 1], size: [1, 10, 4, 5, 3]),
      Case(kernel: [10, 6, 1, 3, 3], strides: [1, 2, 2], size: [1, 6, 4, 5, 6]),
    ], NetworkPrecision.allCases.filter(\.isComputedHere))
  func convolutionsAgreeWithLoops(_ one: Case, _ precision: NetworkPrecision) throws {
    let arrays = TinyArrays()
    arrays.addConvolution("conv", norm: "norm", one.kernel)
    let layer = try Convolution("conv", norm: "norm", strides: one.strides, from: arrays.weights)
    let x = volume(
      one.size.count == 4 ? [one.size[0], one.size[1], 1, one.size[2], one.size[3]] : one.size, arrays)
    let plain = x.convolved(
      arrays.kernel("conv"), strides: one.strides.count == 2 ? [1] + one.strides : one.strides
    )
    .normed("norm", arrays)
    for (adds, rectifies) in [(false, true), (true, true), (false, false)] {
      let result = try run(x, shape: one.size, precision) { builder, input in
        let residual = adds ? try builder.convolution(input, layer, relu: false) : nil
        return try builder.convolution(input, layer, adding: residual, relu: rectifies)
      }
      var wanted = adds ? plain + plain : plain
      if rectifies { wanted = wanted.rectified() }
      let flat = [wanted.shape[0], wanted.shape[1]] + wanted.shape.suffix(2)
      #expect(result.shape == (one.size.count == 4 ? flat : wanted.shape))
      #expect(worstRow(result.values, [wanted.values]) < (precision == .float32 ? 1e-5 : 1e-2))
    }
  }

  @Test func poolingTakesTheLargest() throws {
    let arrays = TinyArrays()
    let x = volume([2, 16, 1, 9, 8], arrays).rectified()
    let result = try run(x, shape: [2, 16, 9, 8], .float32) { builder, input in
      try builder.maxPool(input, kernel: [3, 3], strides: [2, 2], padding: [1, 1])
    }
    #expect(result.shape == [2, 16, 5, 4])
    #expect(result.values.map(Double.init) == x.pooled().values.map { Double(Float($0)) })
  }

  @Test func channelsAreJoined() throws {
    let arrays = TinyArrays()
    let x = volume([1, 5, 2, 3, 3], arrays)
    let result = try run(x, shape: x.shape, .float32) { try $0.concatenation([$1, $1]) }
    #expect(result.values.map(Double.init) == x.joined(x).values)
  }

  @Test func weightsThatDoNotFitAreAnError() throws {
    let arrays = TinyArrays()
    arrays.addConvolution("conv", norm: "norm", [8, 4, 3, 3])
    let layer = try Convolution("conv", norm: "norm", strides: [1, 1], from: arrays.weights)
    #expect(throws: DataError.self) {
      let builder = PlanBuilder(precision: .float32)
      _ = try builder.convolution(builder.input([1, 3, 8, 8]), layer, relu: true)
    }
    #expect(throws: DataError.self) {
      try Convolution("conv", norm: "none", strides: [1, 1], from: arrays.weights)
    }
    #expect(throws: DataError.self) {
      try Convolution("conv", norm: "norm", strides: [1, 1, 1], from: arrays.weights)
    }
  }
}
