import CKernels
import COpenBLAS
import Foundation

/// The engine on the processor: OpenBLAS for products, vectorised loops for the rest, one pool of
/// threads for both.
///
/// hero's own kernels compute products in bf16 and, outside training, fp32 products with weights
/// (`packedProduct`). In bf16, the loops that take much time read and write bfloat16.
public final class CPUBackend: Backend, @unchecked Sendable {
  let pool: ThreadPool
  let kernels: hero_kernels
  /// The precision of products and of activations.
  public let precision: Precision
  private let host = HostMemory()

  /// - Parameter threads: defaults to `HERO_NUM_THREADS`, `OMP_NUM_THREADS` or the cores that this
  ///   process may use.
  /// - Throws: `EngineError` if OpenBLAS is not installed, or `HERO_KERNELS` names kernels that
  ///   this processor cannot run.
  public convenience init(threads: Int? = nil) throws {
    try self.init(threads: threads ?? Self.defaultThreads, kernels: try Self.chosenKernels())
  }

  /// Checks settings of the environment, also for work on the processor that opens no backend.
  /// - Throws: `EngineError` if `HERO_KERNELS` names no kernels of this processor, or
  ///   `HERO_NUM_THREADS` is no number of threads.
  public static func requireSettings() throws {
    _ = try chosenKernels()
    guard let text = ProcessInfo.processInfo.environment["HERO_NUM_THREADS"], !text.isEmpty else { return }
    guard let count = Int(text), 1...mostThreads ~= count else {
      throw EngineError(
        "HERO_NUM_THREADS is \"\(text)\"; give a whole number from 1 to \(mostThreads), or leave it out")
    }
  }

  /// The most threads that the user may ask for.
  package static let mostThreads = 1024

  /// Returns the kernels that `HERO_KERNELS` names, or the best.
  private static func chosenKernels() throws -> hero_kernels {
    let best = hero_kernels_best().pointee
    guard let name = ProcessInfo.processInfo.environment["HERO_KERNELS"], name != String(cString: best.name)
    else { return best }
    var sets = [UnsafePointer<hero_kernels>?](repeating: nil, count: Int(HERO_KERNEL_SETS))
    let count = sets.withUnsafeMutableBufferPointer { hero_kernels_all($0.baseAddress) }
    let names = sets.prefix(Int(count)).compactMap { $0.map { String(cString: $0.pointee.name) } }
    throw EngineError(
      "HERO_KERNELS is \"\(name)\", and this processor and system run \(names.joined(separator: ", ")); "
        + "name one of those, or none for the last")
  }

  /// - Parameter precision: fp32, or bf16 or int8 if the processor multiplies in it.
  /// - Throws: `EngineError` for any other, saying what is missing, and for `HERO_KERNELS` as
  ///   above.
  public convenience init(threads: Int? = nil, precision: Precision) throws {
    switch precision {
    case .fp32: break
    case .bf16:
      guard Self.multipliesBF16 else {
        throw EngineError(
          "this processor has no products in bfloat16 (AVX512-BF16), which --precision bf16 is for; give "
            + "--precision auto, which takes it where it is there, or fp32")
      }
    case .int8:
      guard Self.multipliesInt8 else {
        throw EngineError(
          "this processor has no products in int8 and bfloat16 (AVX512-VNNI and AVX512-BF16), which "
            + "--precision int8 is for; give --precision auto, which takes what is there, or fp32")
      }
    case .tf32:
      throw EngineError("the CPU computes in fp32 or bf16 or int8, tf32 is a GPU's; give one of those")
    }
    try self.init(threads: threads, emulating: precision)
  }

  /// Opens any precision but tf32 on any processor, if need be slowly.
  package convenience init(threads: Int? = nil, emulating precision: Precision) throws {
    try self.init(
      threads: threads ?? Self.defaultThreads, kernels: try Self.chosenKernels(), precision: precision)
  }

  /// Whether bf16 is faster here than fp32.
  static var multipliesBF16: Bool { hero_kernels_best().pointee.multiplies_bf16 || emulates }
  /// Whether int8 is faster here than bf16.
  static var multipliesInt8: Bool { hero_kernels_best().pointee.multiplies_int8 || emulates }

  /// Whether any processor may compute in bf16 and int8, which tests set by `HERO_EMULATE_BF16=1`.
  private static var emulates: Bool { ProcessInfo.processInfo.environment["HERO_EMULATE_BF16"] == "1" }

  /// - Parameter precision: fp32, or bf16 and int8 by any kernels.
  init(threads: Int, kernels: hero_kernels, precision: Precision = .fp32) throws {
    precondition(precision != .tf32)
    if let problem = hero_blas_load() {
      throw EngineError("OpenBLAS could not be loaded (\(String(cString: problem))); install libopenblas0")
    }
    try Self.requireProductMemory(threads: threads)
    pool = ThreadPool(threads: threads)
    self.kernels = kernels
    self.precision = precision
  }

  deinit { pool.stop() }

  /// Checks that OpenBLAS can get its address space, since it retries for ever without it.
  ///
  /// OpenBLAS takes 128 MB for each thread with its first product.
  private static func requireProductMemory(threads: Int) throws {
    let bytes = threads << 27
    guard let memory = mmap(nil, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
      memory != MAP_FAILED
    else {
      throw EngineError(
        "out of memory: OpenBLAS wants \(bytes >> 20) MB of address space for \(threads) threads; raise the limit "
          + "(ulimit -v) or lower HERO_NUM_THREADS")
    }
    munmap(memory, bytes)
  }

  package static var defaultThreads: Int { chosenThreads ?? ProcessInfo.processInfo.activeProcessorCount }

  /// The number of threads that the environment sets (`HERO_NUM_THREADS`, `OMP_NUM_THREADS`).
  public static var chosenThreads: Int? {
    for name in ["HERO_NUM_THREADS", "OMP_NUM_THREADS"] {
      // `OMP_NUM_THREADS` may list several levels.
      if let text = ProcessInfo.processInfo.environment[name]?.split(separator: ",").first,
        let count = Int(text), count > 0
      {
        return min(count, mostThreads)
      }
    }
    return nil
  }

  /// The threads, products and vector loops, as in "CPU, 8 threads, OpenBLAS SkylakeX, avx512
  /// loops".
  public var summary: String {
    let products =
      precision == .fp32 ? "OpenBLAS \(String(cString: hero_blas_core()))" : precision.rawValue
    return "CPU, \(pool.threads) threads, \(products), \(String(cString: kernels.name)) loops"
  }

  /// The number of multiplications and additions in products so far.
  public internal(set) var operations = 0

  /// nil: ranks on CPUs exchange through MPI alone.
  public var link: (any DeviceLink)? { nil }
  /// No limit on the width of heads and norms.
  public var limits: BackendLimits { BackendLimits() }
  /// 1: what a step computes is in the host's memory anyway.
  public var stepsBetweenReads: Int { 1 }
  /// True: the backward pass of an attention reads the probabilities of its forward pass.
  public var keepsProbabilities: Bool { true }
  /// False: the GELUs would be an eighth of what an update keeps.
  public var keepsGELU: Bool { false }
  /// 2 million elements, 8 MB.
  public var gradientBlock: Int { 1 << 21 }
  /// A product that keeps every thread busy, for measuring the best rate.
  public var largeProduct: (rows: Int, columns: Int) { (2048 * pool.threads, 2048) }

  /// The bytes in use in the pool of buffers, at most and now.
  public var memory: (peak: Int, now: Int) { host.use }
  /// nil: tensors lie in the host's memory.
  public var peakDeviceMemory: Int? { nil }

  /// Allocates host memory from the pool of buffers.
  public func makeStorage(count: Int, type: ElementType) -> Storage {
    HostStorage(count: count, type: type, memory: host)
  }

  /// Allocates the system's pages of zeros, which take memory only once they are written.
  public func makeZeros(count: Int, type: ElementType) -> Storage {
    HostStorage(zeros: count, type: type)
  }

  /// Allocates weights; those used again and again outside training are also kept packed until they
  /// change.
  ///
  /// The packed copy takes half of their bytes in bf16, a quarter in int8, as many in fp32.
  public func makeWeights(count: Int) -> Storage {
    HostStorage(count: count, memory: host, packings: WeightPackings())
  }

  /// Allocates scratch of `each` floats for every part of a divided loop.
  func scratch(parts: Int, each: Int) -> HostStorage { HostStorage(count: parts * each, memory: host) }

  /// Copies elements, rounding them if the tensor is bfloat16.
  public func upload(to tensor: Tensor, _ fill: ((UnsafeBufferPointer<Float>) -> Void) -> Void) {
    tensor.storage.onHost.changes()
    var done = 0
    fill { run in
      precondition(done + run.count <= tensor.count)
      guard let base = run.baseAddress else { return }
      if tensor.storage.type == .bfloat16 {
        kernels.narrow(tensor.bf16 + done, base, run.count)
      } else {
        (tensor.pointer + done).update(from: base, count: run.count)
      }
      done += run.count
    }
    precondition(done == tensor.count)
  }

  /// Copies elements, widening them to float32 if the tensor is bfloat16.
  public func download(_ tensor: Tensor, to values: UnsafeMutableBufferPointer<Float>) {
    precondition(values.count == tensor.count)
    guard let base = values.baseAddress else { return }
    if tensor.storage.type == .bfloat16 {
      kernels.widen(base, tensor.bf16, values.count)
    } else {
      base.update(from: tensor.pointer, count: values.count)
    }
  }

  /// Copies int32 numbers.
  public func upload(_ values: UnsafeBufferPointer<Int32>, to indices: Indices) {
    precondition(values.count == indices.count)
    if let base = values.baseAddress { indices.pointer.update(from: base, count: values.count) }
  }

  /// Copies int32 numbers.
  public func download(_ indices: Indices, to values: UnsafeMutableBufferPointer<Int32>) {
    precondition(values.count == indices.count)
    values.baseAddress?.update(from: indices.pointer, count: values.count)
  }

  /// Returns the float64 elements of the tensors, end to end, without waiting.
  public func reading(_ tensors: [Tensor]) -> any Reading {
    Sums(
      elements: tensors.flatMap { tensor in UnsafeBufferPointer(start: tensor.sums, count: tensor.count) })
  }

  private struct Sums: Reading {
    let elements: [Double]

    func numbers() -> [Double] { elements }
  }

  /// Does nothing: every operation is done when its call returns.
  public func synchronize() {}

  /// Checks the operation's shapes and runs it on the calling thread and the pool.
  public func run(_ operation: some Operation) {
    operation.check()
    operation.run(on: self)
  }
}

extension Tensor {
  /// The float32 elements of a tensor of the CPU backend.
  var pointer: UnsafeMutablePointer<Float> {
    precondition(storage.type == .float32)
    return storage.onHost.pointer + offset
  }

  /// The float64 elements of a tensor of sums.
  var sums: UnsafeMutablePointer<Double> { storage.onHost.sums + offset }
}

extension Indices {
  /// The row numbers, in the CPU backend's memory.
  var pointer: UnsafeMutablePointer<Int32> { storage.onHost.rowNumbers + offset }

  /// The row numbers as a buffer, for loops.
  var onHost: UnsafeBufferPointer<Int32> { UnsafeBufferPointer(start: pointer, count: count) }
}

extension Storage {
  var onHost: HostStorage {
    guard let host = self as? HostStorage else { preconditionFailure("memory of another backend") }
    return host
  }
}
