import Formats

/// A convolution over one, two or three spatial dimensions, with its batch norm folded in.
struct Convolution {
  /// [outputs, inputs, kernel…]
  let weight: Weight
  /// [outputs]
  let bias: Weight
  let strides: [Int]
  /// The zeros before and after the input, along each dimension.
  let before: [Int]
  let after: [Int]

  /// Returns the shape of the result for an input of [batch, inputs, sizes…].
  ///
  /// It is [batch, outputs, (size + before + after − kernel)/stride + 1 …].
  func resultShape(of shape: [Int]) -> [Int] {
    [shape[0], weight.shape[0]]
      + strides.indices.map {
        (shape[$0 + 2] + before[$0] + after[$0] - weight.shape[$0 + 2]) / strides[$0] + 1
      }
  }

  /// Returns whether Winograd's F(4×4, 3×3) should be faster.
  ///
  /// It takes a quarter of the multiplications, but its weights are four times as large. That pays
  /// only if enough tiles of 4×4 results share them. With ResNet-152's layers and 128 tiles, it
  /// took 0.6 to 1 times as long as the direct convolution. With fewer tiles it took twice as long.
  func suitsWinograd(result shape: [Int]) -> Bool {
    guard shape.count == 4, weight.shape.suffix(2) == [3, 3], strides == [1, 1] else { return false }
    return shape[0] * ((shape[2] + 3) / 4) * ((shape[3] + 3) / 4) >= 128
  }

  /// Folds a trained batch norm into the convolution before it, which has no bias:
  ///
  ///     γ·(W∗x − mean)/√(variance + ε) + β = (γ/√(variance + ε)·W)∗x + β − γ·mean/√(variance + ε)
  ///
  /// - Parameters:
  ///   - name: the name of the convolution; its array is `name.weight`.
  ///   - norm: the name of the batch norm; its arrays are `weight`, `bias`, `running_mean` and
  ///     `running_var`.
  ///   - strides: one for each dimension of the kernel.
  ///   - padding: the zeros before and after the input; half the kernel's width by default.
  init(
    _ name: String, norm: String, strides: [Int], padding: (before: [Int], after: [Int])? = nil,
    from weights: NetworkWeights, epsilon: Float = 1e-5
  ) throws {
    let kernel = try weights.array(name + ".weight", dimensions: strides.count + 2)
    let outputs = kernel.shape[0]
    let (scale, shift) = (
      try weights.floats("\(norm).weight", count: outputs), try weights.floats("\(norm).bias", count: outputs)
    )
    let mean = try weights.floats("\(norm).running_mean", count: outputs)
    let variance = try weights.floats("\(norm).running_var", count: outputs)
    if let place = variance.firstIndex(where: { $0 < 0 }) {
      throw DataError(
        "element \(place) of \(outputs) is \(variance[place]), and no variance is below 0",
        file: weights.path,
        place: "parameter “\(norm).running_var”", cure: "The weights are damaged: get them again")
    }
    var values = kernel.floats()
    var bias = [Float](repeating: 0, count: outputs)
    let each = values.count / max(outputs, 1)
    for output in 0..<outputs {
      let factor = Double(scale[output]) / (Double(variance[output]) + Double(epsilon)).squareRoot()
      bias[output] = Float(Double(shift[output]) - factor * Double(mean[output]))
      for place in output * each..<(output + 1) * each {
        values[place] = Float(Double(values[place]) * factor)
      }
    }
    weight = try Weight(values, shape: kernel.shape)
    self.bias = try Weight(bias, shape: [outputs])
    self.strides = strides
    let half = kernel.shape.dropFirst(2).map { $0 / 2 }
    (before, after) = padding ?? (half, half)
  }

  /// Throws `DataError` unless this first convolution reads the three colours of pictures.
  func requireColours(_ name: String, file: String) throws {
    guard weight.shape[1] != 3 else { return }
    throw DataError(
      "reads \(weight.shape[1]) channels, and pictures have 3", file: file,
      place: "parameter “\(name).weight”",
      cure: "Give the weights of a network of colour pictures")
  }
}
