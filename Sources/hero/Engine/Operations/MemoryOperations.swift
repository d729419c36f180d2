/// Memory of a device, and what moves whole tensors.
///
/// Work is queued: only `values`, `numbers` and `synchronize` wait for it. `makeStorage` and the
/// uploads may be called by loading threads while a step is under way.
public protocol MemoryOperations {
  /// Bytes of tensor memory held at most so far, and now.
  var memory: (peak: Int, now: Int) { get }
  /// How exactly this device computes.
  var precision: Precision { get }
  /// Steps of a loop, such as a decoder's, to ask for before reading what they came to: 1 where
  /// reading costs nothing.
  var stepsBetweenReads: Int { get }
  /// Memory for `count` elements, whose values are whatever was there.
  func makeStorage(count: Int, type: ElementType) -> Storage
  /// Memory for `count` weights: float32, with whatever the device keeps beside them to multiply
  /// with in bfloat16.
  func makeWeights(count: Int) -> Storage
  func upload(_ values: UnsafeBufferPointer<Float>, to tensor: Tensor)
  /// Waits, and copies the elements of a tensor of values, as float32.
  func download(_ tensor: Tensor, to values: UnsafeMutableBufferPointer<Float>)
  func upload(_ values: UnsafeBufferPointer<Int32>, to indices: Indices)
  /// Waits, and copies row numbers.
  func download(_ indices: Indices, to values: UnsafeMutableBufferPointer<Int32>)
  /// Waits once for all of them: the elements of float64 tensors, end to end.
  func numbers(of tensors: [Tensor]) -> [Double]
  /// Waits until everything that was asked for is done.
  func synchronize()

  /// Every element of a float32 or float64 tensor.
  func fill(_ tensor: Tensor, with value: Float)
  /// y += x
  func add(_ x: Tensor, to y: Tensor)
  func copy(_ x: Tensor, to y: Tensor)
  func scale(_ x: Tensor, by factor: Float)
}

extension MemoryOperations {
  public var stepsBetweenReads: Int { 1 }
  public func makeWeights(count: Int) -> Storage { makeStorage(count: count, type: .float32) }

  /// A float32 matrix: inputs, statistics, losses, scores, gradients of weights, moments.
  public func makeTensor(rows: Int, columns: Int) -> Tensor {
    Tensor(rows: rows, columns: columns, storage: makeStorage(count: rows * columns, type: .float32))
  }

  /// Sums in double precision, which start at zero: losses, norms.
  public func makeSums(_ count: Int = 1) -> Tensor {
    let sums = Tensor(rows: 1, columns: count, storage: makeStorage(count: count, type: .float64))
    fill(sums, with: 0)
    return sums
  }

  /// A matrix with these elements, row by row.
  public func makeTensor(_ values: [Float], rows: Int, columns: Int) -> Tensor {
    precondition(values.count == rows * columns)
    let tensor = makeTensor(rows: rows, columns: columns)
    values.withUnsafeBufferPointer { upload($0, to: tensor) }
    return tensor
  }

  /// Room for row numbers.
  public func makeIndices(count: Int) -> Indices {
    Indices(count: count, storage: makeStorage(count: count, type: .int32))
  }

  /// Row numbers in the device's memory.
  public func makeIndices(_ values: [Int32]) -> Indices {
    let indices = Indices(
      count: values.count, storage: makeStorage(count: values.count, type: .int32), given: values)
    values.withUnsafeBufferPointer { upload($0, to: indices) }
    return indices
  }

  public func makeIndices(_ values: some Sequence<Int>) -> Indices { makeIndices(values.map { Int32($0) }) }

  /// The elements, row by row.
  public func values(of tensor: Tensor) -> [Float] {
    [Float](unsafeUninitializedCapacity: tensor.count) { buffer, count in
      download(tensor, to: UnsafeMutableBufferPointer(rebasing: buffer[..<tensor.count]))
      count = tensor.count
    }
  }

  /// The row numbers.
  public func values(of indices: Indices) -> [Int32] {
    [Int32](unsafeUninitializedCapacity: indices.count) { buffer, count in
      download(indices, to: UnsafeMutableBufferPointer(rebasing: buffer[..<indices.count]))
      count = indices.count
    }
  }
}
