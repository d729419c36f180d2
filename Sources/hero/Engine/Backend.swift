import Dispatch

/// A device: its memory and the code that runs operations on it, such as the CPU or CUDA.
///
/// A device queues its work; only `synchronize` and reads of values and numbers wait for it. One
/// thread issues operations. Loading threads only allocate and fill memory, and may do so during a
/// step.
public protocol Backend: AnyObject, Sendable {
  /// A description of what runs the operations: processor, kernels, threads.
  var summary: String { get }
  /// The link to the devices of other ranks; nil where there is none.
  var link: (any DeviceLink)? { get }
  /// The widest rows that the kernels take; opening a model checks its widths against them.
  var limits: BackendLimits { get }
  /// The precision in which the device computes.
  var precision: Precision { get }
  /// The number of a loop's steps, such as a decoder's, to queue before the host reads their
  /// results.
  ///
  /// It is 1 where reading costs nothing. Above 1, training reads an update's results only after it
  /// has queued the next update.
  var stepsBetweenReads: Int { get }
  /// Whether the backward pass of an attention reads its probabilities; otherwise it recomputes
  /// them from the log-sum-exps of the scores.
  var keepsProbabilities: Bool { get }
  /// Whether the backward pass of a feed-forward layer reads its GELUs; otherwise it recomputes
  /// them from their arguments.
  var keepsGELU: Bool { get }
  /// The number of gradient elements in a block, which takes and returns its memory as a whole.
  ///
  /// Small blocks share more memory with the activations; large blocks need fewer operations.
  var gradientBlock: Int { get }
  /// The size of a product large enough for the best rate: [rows, columns] by [columns, columns].
  var largeProduct: (rows: Int, columns: Int) { get }
  /// The number of multiplications and additions in all products so far, attention's included.
  var operations: Int { get }

  /// Queues an operation.
  func run(_ operation: some Operation)
  /// Returns operations that can be queued repeatedly.
  /// - Parameter body: queues the operations. They use memory that they allocate themselves and
  ///   memory from before, which must stay. `body` neither uploads nor waits.
  func repetition(_ body: @escaping () -> Void) -> any Repetition
  /// Waits until everything queued is done.
  func synchronize()

  /// The bytes of tensor memory in use: the peak so far and now.
  ///
  /// The CPU's `makeZeros`, the optimizer's moments, does not count: the number of its written
  /// pages is unknown.
  var memory: (peak: Int, now: Int) { get }
  /// The peak bytes of the device's own memory that this process held; nil for a device that
  /// computes in the host's memory.
  var peakDeviceMemory: Int? { get }
  /// Allocates memory for `count` elements, uninitialized.
  func makeStorage(count: Int, type: ElementType) -> Storage
  /// Allocates zeros of float32 or bfloat16; where the device can tell, zeros that are never
  /// written take no memory.
  func makeZeros(count: Int, type: ElementType) -> Storage
  /// Allocates memory for `count` float32 weights, with any copies that the device keeps for
  /// products.
  func makeWeights(count: Int) -> Storage
  /// Copies elements to a float32 or bfloat16 tensor, row by row; they may change afterwards.
  /// - Parameter fill: passes runs of elements to `put`. The runs lie end to end in the tensor and
  ///   fill it. `fill` may be called several times and passes the same runs each time.
  func upload(to tensor: Tensor, _ fill: (_ put: (UnsafeBufferPointer<Float>) -> Void) -> Void)
  /// Waits, then copies the elements of a float32 or bfloat16 tensor as float32.
  func download(_ tensor: Tensor, to values: UnsafeMutableBufferPointer<Float>)
  func upload(_ values: UnsafeBufferPointer<Int32>, to indices: Indices)
  /// Waits, then copies row numbers.
  func download(_ indices: Indices, to values: UnsafeMutableBufferPointer<Int32>)
  /// Queues a read of the elements of float64 tensors, end to end, as they are at this point.
  func reading(_ tensors: [Tensor]) -> any Reading
}

/// A queued read of numbers from a device.
public protocol Reading {
  /// Returns the numbers once the device has reached the read; waits for nothing queued later.
  func numbers() -> [Double]
}

/// Operations that can be queued repeatedly.
public protocol Repetition {
  /// Queues the operations once more.
  func run()
}

/// Operations that are queued one by one at every run.
private struct Calls: Repetition {
  let body: () -> Void

  func run() { body() }
}

/// The widest rows that a backend takes; nil where there is no limit.
public struct BackendLimits: Equatable, Sendable {
  /// The most columns of a layer norm.
  public var normColumns: Int?
  /// The most columns of an attention head.
  public var headColumns: Int?

  /// - Parameters:
  ///   - normColumns: the widest row of a norm; nil for no limit.
  ///   - headColumns: the widest head of an attention; nil for no limit.
  public init(normColumns: Int? = nil, headColumns: Int? = nil) {
    (self.normColumns, self.headColumns) = (normColumns, headColumns)
  }
}

extension Backend {
  /// Returns a repetition that queues each operation anew at every run.
  public func repetition(_ body: @escaping () -> Void) -> any Repetition { Calls(body: body) }

  /// Allocates a matrix, of float32 for inputs, statistics, losses, scores and gradients of
  /// weights.
  public func makeTensor(rows: Int, columns: Int, type: ElementType = .float32) -> Tensor {
    Tensor(rows: rows, columns: columns, storage: makeStorage(count: rows * columns, type: type))
  }

  /// Allocates float64 sums that start at zero, for losses and norms.
  public func makeSums(_ count: Int = 1) -> Tensor {
    let sums = Tensor(rows: 1, columns: count, storage: makeStorage(count: count, type: .float64))
    run(Fill(sums, with: 0))
    return sums
  }

  /// Copies elements to a float32 or bfloat16 tensor, row by row; they may change afterwards.
  public func upload(_ values: UnsafeBufferPointer<Float>, to tensor: Tensor) {
    upload(to: tensor) { put in put(values) }
  }

  /// Makes a matrix of runs that lie end to end in it, each copied from where it is.
  public func makeTensor(runs: [ArraySlice<Float>], rows: Int, columns: Int) -> Tensor {
    precondition(runs.reduce(0) { $0 + $1.count } == rows * columns)
    let tensor = makeTensor(rows: rows, columns: columns)
    upload(to: tensor) { put in
      for run in runs { run.withUnsafeBufferPointer(put) }
    }
    return tensor
  }

  /// Makes a matrix with these elements, row by row.
  public func makeTensor(_ values: [Float], rows: Int, columns: Int) -> Tensor {
    precondition(values.count == rows * columns)
    let tensor = makeTensor(rows: rows, columns: columns)
    values.withUnsafeBufferPointer { upload($0, to: tensor) }
    return tensor
  }

  /// Returns the elements of float64 tensors, end to end; it waits once for all of them.
  public func numbers(of tensors: [Tensor]) -> [Double] { reading(tensors).numbers() }

  /// Allocates memory for row numbers.
  public func makeIndices(count: Int) -> Indices {
    Indices(count: count, storage: makeStorage(count: count, type: .int32))
  }

  /// Copies row numbers to the device's memory.
  public func makeIndices(_ values: [Int32]) -> Indices {
    let indices = Indices(
      count: values.count, storage: makeStorage(count: values.count, type: .int32), given: values)
    values.withUnsafeBufferPointer { upload($0, to: indices) }
    return indices
  }

  /// Copies row numbers given as `Int` and stores them as int32.
  public func makeIndices(_ values: some Sequence<Int>) -> Indices { makeIndices(values.map { Int32($0) }) }

  /// Returns the elements, row by row.
  public func values(of tensor: Tensor) -> [Float] {
    [Float](unsafeUninitializedCapacity: tensor.count) { buffer, count in
      download(tensor, to: UnsafeMutableBufferPointer(rebasing: buffer[..<tensor.count]))
      count = tensor.count
    }
  }

  /// Returns the row numbers.
  public func values(of indices: Indices) -> [Int32] {
    [Int32](unsafeUninitializedCapacity: indices.count) { buffer, count in
      download(indices, to: UnsafeMutableBufferPointer(rebasing: buffer[..<indices.count]))
      count = indices.count
    }
  }

  /// Returns the best rate of six large products in this precision, in operations a second: the
  /// reference for rates of `operations`.
  public func measurePeak() -> Double {
    let (rows, side) = largeProduct
    func matrix(_ rows: Int) -> Tensor {
      let storage = makeStorage(count: rows * side, type: precision.activations)
      return Tensor(rows: rows, columns: side, storage: storage)
    }
    // int8 products exist only with weights.
    let weight =
      precision == .int8
      ? Tensor(rows: side, columns: side, storage: makeWeights(count: side * side)) : matrix(side)
    let (x, out) = (matrix(rows), matrix(rows))
    // Equal numbers draw less power than a model's, and power limits a GPU's rate.
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
