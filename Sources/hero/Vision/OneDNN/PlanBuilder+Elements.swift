import CDNNL

/// Steps that work on windows, channels or elements.
extension PlanBuilder {
  /// Returns the largest element of each window.
  func maxPool(_ x: Value, kernel: [Int], strides: [Int], padding: [Int]) throws -> Value {
    try pool(x, kernel: kernel, strides: strides, before: padding, after: padding, mean: false)
  }

  /// Returns the largest element of each window, with TensorFlow's "SAME" padding.
  ///
  /// There are ⌈size / stride⌉ windows. Where they reach over both ends, they reach further over
  /// the far one. Where sizes divide, they are the windows of PyTorch's `ceil_mode` after a padding
  /// of ⌊(kernel − stride) / 2⌋ before and the rest behind.
  func maxPoolSame(_ x: Value, kernel: [Int], strides: [Int]) throws -> Value {
    var (before, after) = ([Int](), [Int]())
    for (axis, size) in x.shape.dropFirst(2).enumerated() {
      let padding = max(kernel[axis] - strides[axis], 0)
      let steps = (max(size + padding - kernel[axis], 0) + strides[axis] - 1) / strides[axis]
      before.append(padding / 2)
      after.append(max(0, steps * strides[axis] + kernel[axis] - size - padding / 2))
    }
    return try pool(x, kernel: kernel, strides: strides, before: before, after: after, mean: false)
  }

  /// Returns the mean of each window of `size` elements along each dimension.
  ///
  /// It ignores the remainder at the ends.
  func meanPool(_ x: Value, size: Int) throws -> Value {
    let kernel = x.shape.dropFirst(2).map { _ in size }
    let none = kernel.map { _ in 0 }
    return try pool(x, kernel: kernel, strides: kernel, before: none, after: none, mean: true)
  }

  /// Returns the mean of each channel over all places: [batch, channels, 1 …].
  func means(_ x: Value) throws -> Value {
    let kernel = Array(x.shape.dropFirst(2))
    let none = kernel.map { _ in 0 }
    return try pool(x, kernel: kernel, strides: kernel, before: none, after: none, mean: true)
  }

  private func pool(
    _ x: Value, kernel: [Int], strides: [Int], before: [Int], after: [Int], mean: Bool
  ) throws -> Value {
    let shape =
      x.shape.prefix(2)
      + kernel.indices.map { (x.shape[$0 + 2] + before[$0] + after[$0] - kernel[$0]) / strides[$0] + 1 }
    let wanted = try Layout(any: Array(shape), precision)
    let primitive = try Primitive(
      hero_pool(
        x.layout.handle, wanted.handle, kernel.map(Int64.init), strides.map(Int64.init),
        before.map(Int64.init), after.map(Int64.init), mean))
    let result = try value(primitive.layout(HERO_RESULT, like: wanted))
    try add(primitive, [(HERO_SOURCE, 0, x), (HERO_RESULT, 0, result)])
    return result
  }

  /// Returns the channels of all values, one after the other.
  func concatenation(_ values: [Value]) throws -> Value {
    var shape = values[0].shape
    shape[1] = values.reduce(0) { $0 + $1.shape[1] }
    let wanted = try Layout(any: shape, precision)
    let primitive = try withExtendedLifetime(values) {
      try Primitive(hero_concatenation(Int32(values.count), values.map(\.layout.handle), wanted.handle))
    }
    let result = try value(primitive.layout(HERO_RESULT, like: wanted))
    try add(
      primitive,
      values.enumerated().map { (HERO_SOURCES, $0, $1) } + [(HERO_RESULT, 0, result)])
    return result
  }

  /// Returns x + y, both row-major.
  func sum(_ x: Value, _ y: Value) throws -> Value {
    try binary(x, y, product: false)
  }

  /// Returns x · factors, with one factor for each channel: [1, channels, 1 …].
  func scaled(_ x: Value, by factors: Value) throws -> Value {
    try binary(x, factors, product: true)
  }

  private func binary(_ x: Value, _ y: Value, product: Bool) throws -> Value {
    let result = try value(x.layout)
    let primitive = try Primitive(
      hero_binary(x.layout.handle, y.layout.handle, result.layout.handle, product))
    try add(primitive, [(HERO_SOURCE, 0, x), (HERO_SECOND, 0, y), (HERO_RESULT, 0, result)])
    return result
  }
}
