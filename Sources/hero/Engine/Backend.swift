import Dispatch

/// A device: its memory, and what runs operations on it. CPU is one, CUDA another.
///
/// Work is queued: only `values`, `numbers` and `synchronize` wait for it. One thread issues
/// operations; loading threads only make and fill memory, while a step may be under way.
public protocol Backend: AnyObject, Sendable {
  /// What runs the operations: processor, kernels, threads.
  var summary: String { get }
  /// Where there is one, the way to the devices of other ranks (`Device.link`).
  var link: (any DeviceLink)? { get }
  /// The widest rows of its kernels; opening a model checks against them.
  var limits: BackendLimits { get }
  /// How exactly this device computes.
  var precision: Precision { get }
  /// Steps of a loop, such as a decoder's, to ask for before reading what they came to: 1 where
  /// reading costs nothing. A training elsewhere reads of an update once it has asked for the next.
  var stepsBetweenReads: Int { get }
  /// Whether the backward pass of an attention reads its probabilities, or makes them again of the
  /// logarithms of their sums.
  var keepsProbabilities: Bool { get }
  /// Whether the backward pass of a feed-forward layer reads its GELUs, or makes them again of
  /// their arguments.
  var keepsGELU: Bool { get }
  /// Elements of gradients that take and give back their memory together. Small ones share more of
  /// it with the results of the forward pass, large ones are fewer operations.
  var gradientBlock: Int { get }
  /// Rows and columns of a product, by a square, that is large enough for the best rate.
  var largeProduct: (rows: Int, columns: Int) { get }
  /// Multiplications and additions that products (attention's included) have done so far.
  var operations: Int { get }

  /// Queues an operation.
  func run(_ operation: some Operation)
  /// Operations that are asked for again and again.
  /// - Parameter body: asks for them. They read and write memory from before, which stays, beside
  ///   what they make and use themselves; `body` neither uploads nor waits.
  func repetition(_ body: @escaping () -> Void) -> any Repetition
  /// Waits until everything queued is done.
  func synchronize()

  /// Bytes of tensor memory held at most so far, and now. The CPU's `makeZeros`, the optimizer's
  /// moments, do not count: how many of their pages were written nobody knows.
  var memory: (peak: Int, now: Int) { get }
  /// Bytes of the device's own memory that this process held at most; nil of a device that computes
  /// in the host's.
  var peakDeviceMemory: Int? { get }
  /// Memory for `count` elements, whose values are whatever was there.
  func makeStorage(count: Int, type: ElementType) -> Storage
  /// Zeros of float32 or bfloat16. Those that are never written take no memory where the device can
  /// tell.
  func makeZeros(count: Int, type: ElementType) -> Storage
  /// Memory for `count` weights: float32, with whatever the device keeps beside them to multiply
  /// with in bfloat16.
  func makeWeights(count: Int) -> Storage
  /// Copies elements to a tensor of values, row by row; they may be changed afterwards.
  /// - Parameter fill: gives `put` runs of elements that lie end to end in the tensor, of as many
  ///   elements as it has. It may be called several times, and gives the same runs each time.
  func upload(to tensor: Tensor, _ fill: (_ put: (UnsafeBufferPointer<Float>) -> Void) -> Void)
  /// Waits, and copies the elements of a tensor of values, as float32.
  func download(_ tensor: Tensor, to values: UnsafeMutableBufferPointer<Float>)
  func upload(_ values: UnsafeBufferPointer<Int32>, to indices: Indices)
  /// Waits, and copies row numbers.
  func download(_ indices: Indices, to values: UnsafeMutableBufferPointer<Int32>)
  /// Asks for the elements of float64 tensors, end to end, as they are now.
  func reading(_ tensors: [Tensor]) -> any Reading
}

/// Numbers that a device was asked for.
public protocol Reading {
  /// Waits until the device has come to where they were asked for, and no further.
  func numbers() -> [Double]
}

/// Operations that are asked for again and again.
public protocol Repetition {
  /// Asks for them once more.
  func run()
}

/// Operations of which each is asked for every time.
private struct Calls: Repetition {
  let body: () -> Void

  func run() { body() }
}

/// How wide rows may be on a backend. Nil where there is no limit.
public struct BackendLimits: Equatable, Sendable {
  /// Columns of a layer norm.
  public var normColumns: Int?
  /// Columns of an attention's head.
  public var headColumns: Int?

  /// - Parameters:
  ///   - normColumns: the widest row of a norm; nil for no limit.
  ///   - headColumns: the widest head of an attention; nil for no limit.
  public init(normColumns: Int? = nil, headColumns: Int? = nil) {
    (self.normColumns, self.headColumns) = (normColumns, headColumns)
  }
}

extension Backend {
  /// Each operation is asked for every time.
  public func repetition(_ body: @escaping () -> Void) -> any Repetition { Calls(body: body) }

  /// A matrix; of float32: inputs, statistics, losses, scores, gradients of weights.
  public func makeTensor(rows: Int, columns: Int, type: ElementType = .float32) -> Tensor {
    Tensor(rows: rows, columns: columns, storage: makeStorage(count: rows * columns, type: type))
  }

  /// Sums in double precision, which start at zero: losses, norms.
  public func makeSums(_ count: Int = 1) -> Tensor {
    let sums = Tensor(rows: 1, columns: count, storage: makeStorage(count: count, type: .float64))
    run(Fill(sums, with: 0))
    return sums
  }

  /// Copies elements to a tensor of values, row by row; they may be changed afterwards.
  public func upload(_ values: UnsafeBufferPointer<Float>, to tensor: Tensor) {
    upload(to: tensor) { put in put(values) }
  }

  /// A matrix with the elements of runs that lie end to end in it, each copied from where it is.
  public func makeTensor(runs: [ArraySlice<Float>], rows: Int, columns: Int) -> Tensor {
    precondition(runs.reduce(0) { $0 + $1.count } == rows * columns)
    let tensor = makeTensor(rows: rows, columns: columns)
    upload(to: tensor) { put in
      for run in runs { run.withUnsafeBufferPointer(put) }
    }
    return tensor
  }

  /// A matrix with these elements, row by row.
  public func makeTensor(_ values: [Float], rows: Int, columns: Int) -> Tensor {
    precondition(values.count == rows * columns)
    let tensor = makeTensor(rows: rows, columns: columns)
    values.withUnsafeBufferPointer { upload($0, to: tensor) }
    return tensor
  }

  /// Waits once for all of them: the elements of float64 tensors, end to end.
  public func numbers(of tensors: [Tensor]) -> [Double] { reading(tensors).numbers() }

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

  /// Row numbers given as `Int`, stored as int32.
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

  /// The best rate of large float32 products here, in operations a second, of six: what
  /// `operations` compare with.
  public func measurePeak() -> Double {
    let (rows, side) = largeProduct
    func matrix(_ rows: Int) -> Tensor {
      let storage = makeStorage(count: rows * side, type: precision.activations)
      return Tensor(rows: rows, columns: side, storage: storage)
    }
    // In int8, only weights are multiplied so.
    let weight =
      precision == .int8
      ? Tensor(rows: side, columns: side, storage: makeWeights(count: side * side)) : matrix(side)
    let (x, out) = (matrix(rows), matrix(rows))
    // Equal numbers would take less power than a model's, and a GPU's rate is bound by that.
    var random = RandomStream(seed: 1, stream: 0)
    let numbers = (0..<64 * side).map { _ in random.normalPair().0 }
    for tensor in [x, weight] {
      for row in stride(from: 0, to: tensor.rows, by: 64) {
        numbers.withUnsafeBufferPointer { upload($0, to: tensor.rowsView(row..<row + 64)) }
      }
    }
    var best = 0.0
    for _ in 0..<6 {
      synchronize()
      let before = (operations, DispatchTime.now().uptimeNanoseconds)
      run(Product(x, weight: weight, out: out))
      synchronize()
      let seconds = Double(DispatchTime.now().uptimeNanoseconds - before.1) * 1e-9
      best = max(best, Double(operations - before.0) / seconds)
    }
    return best
  }
}
