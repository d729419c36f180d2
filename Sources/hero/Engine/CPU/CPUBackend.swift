import CKernels
import COpenBLAS
import Foundation

/// The engine on the processor: OpenBLAS for products, vectorised loops for the rest, one pool of threads for both.
public final class CPUBackend: Backend, @unchecked Sendable {
  let pool: ThreadPool
  let kernels: hero_kernels
  private let host = HostMemory()

  /// - Parameter threads: defaults to `HERO_NUM_THREADS`, `OMP_NUM_THREADS` or the cores this process may use.
  /// - Throws: `EngineError` where OpenBLAS is not installed.
  public convenience init(threads: Int? = nil) throws {
    try self.init(threads: threads ?? Self.defaultThreads, kernels: hero_kernels_best().pointee)
  }

  init(threads: Int, kernels: hero_kernels) throws {
    if let problem = hero_blas_load() {
      throw EngineError("OpenBLAS could not be loaded (\(String(cString: problem))); install libopenblas0")
    }
    try Self.requireProductMemory(threads: threads)
    pool = ThreadPool(threads: threads)
    self.kernels = kernels
  }

  deinit { pool.stop() }

  /// OpenBLAS takes this much address space for each thread with its first product, and tries for ever where it gets none.
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

  static var defaultThreads: Int { chosenThreads ?? ProcessInfo.processInfo.activeProcessorCount }

  /// What the environment says (`HERO_NUM_THREADS`, `OMP_NUM_THREADS`).
  public static var chosenThreads: Int? {
    for name in ["HERO_NUM_THREADS", "OMP_NUM_THREADS"] {
      if let text = ProcessInfo.processInfo.environment[name], let count = Int(text), count > 0 {
        return count
      }
    }
    return nil
  }

  public var summary: String {
    "CPU, \(pool.threads) threads, OpenBLAS \(String(cString: hero_blas_core())), \(String(cString: kernels.name)) loops"
  }

  public internal(set) var operations = 0

  public var precision: Precision { .fp32 }

  public var memory: (peak: Int, now: Int) { (host.peak, host.now) }

  public func makeStorage(count: Int, type: ElementType) -> Storage {
    HostStorage(count: count, type: type, memory: host)
  }

  /// Scratch of `each` floats for every part of a divided loop.
  func scratch(parts: Int, each: Int) -> HostStorage { HostStorage(count: parts * each, memory: host) }

  public func upload(_ values: UnsafeBufferPointer<Float>, to tensor: Tensor) {
    precondition(values.count == tensor.count)
    if let base = values.baseAddress { tensor.pointer.update(from: base, count: values.count) }
  }

  public func download(_ tensor: Tensor, to values: UnsafeMutableBufferPointer<Float>) {
    precondition(values.count == tensor.count)
    values.baseAddress?.update(from: tensor.pointer, count: values.count)
  }

  public func upload(_ values: UnsafeBufferPointer<Int32>, to indices: Indices) {
    precondition(values.count == indices.count)
    if let base = values.baseAddress { indices.pointer.update(from: base, count: values.count) }
  }

  public func download(_ indices: Indices, to values: UnsafeMutableBufferPointer<Int32>) {
    precondition(values.count == indices.count)
    values.baseAddress?.update(from: indices.pointer, count: values.count)
  }

  public func numbers(of tensors: [Tensor]) -> [Double] {
    tensors.flatMap { tensor in UnsafeBufferPointer(start: tensor.sums, count: tensor.count) }
  }

  /// Every operation is done when its call returns.
  public func synchronize() {}

  public func fill(_ tensor: Tensor, with value: Float) {
    if tensor.storage.type == .float64 {
      return tensor.sums.update(repeating: Double(value), count: tensor.count)
    }
    let p = tensor.pointer
    pool.split(tensor.count, grain: 1 << 16) { range, _ in
      (p + range.lowerBound).update(repeating: value, count: range.count)
    }
  }

  public func add(_ x: Tensor, to y: Tensor) {
    precondition(x.count == y.count)
    let (from, to) = (x.pointer, y.pointer)
    pool.split(x.count, grain: 1 << 14) { range, _ in
      kernels.add(to + range.lowerBound, from + range.lowerBound, range.count)
    }
  }

  public func copy(_ x: Tensor, to y: Tensor) {
    precondition(x.count == y.count)
    let (from, to) = (x.pointer, y.pointer)
    pool.split(x.count, grain: 1 << 14) { range, _ in
      (to + range.lowerBound).update(from: from + range.lowerBound, count: range.count)
    }
  }

  public func scale(_ x: Tensor, by factor: Float) {
    let p = x.pointer
    pool.split(x.count, grain: 1 << 14) { range, _ in kernels.scale(p + range.lowerBound, factor, range.count)
    }
  }
}

/// Something is wrong with the machine the engine is to run on.
public struct EngineError: Error, CustomStringConvertible {
  public let description: String

  public init(_ description: String) { self.description = description }
}

extension Tensor {
  /// The elements of a tensor of the CPU backend.
  var pointer: UnsafeMutablePointer<Float> {
    precondition(storage.type == .float32)
    return storage.onHost.pointer + offset
  }

  /// The elements of a tensor of sums.
  var sums: UnsafeMutablePointer<Double> { storage.onHost.sums + offset }
}

extension Indices {
  /// The row numbers, of the CPU backend.
  var pointer: UnsafeMutablePointer<Int32> { storage.onHost.rowNumbers + offset }

  /// The same, for loops.
  var onHost: UnsafeBufferPointer<Int32> { UnsafeBufferPointer(start: pointer, count: count) }
}

extension Storage {
  fileprivate var onHost: HostStorage {
    guard let host = self as? HostStorage else { preconditionFailure("memory of another backend") }
    return host
  }
}
