import CKernels
import COpenBLAS
import Foundation

/// The engine on the processor: OpenBLAS for products, vectorised loops for the rest, one pool of threads for both.
public final class CPUBackend: Backend {
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
    pool = ThreadPool(threads: threads)
    self.kernels = kernels
  }

  deinit { pool.stop() }

  static var defaultThreads: Int {
    for name in ["HERO_NUM_THREADS", "OMP_NUM_THREADS"] {
      if let text = ProcessInfo.processInfo.environment[name], let count = Int(text), count > 0 {
        return count
      }
    }
    return ProcessInfo.processInfo.activeProcessorCount
  }

  public var summary: String {
    "CPU, \(pool.threads) threads, OpenBLAS \(String(cString: hero_blas_core())), \(String(cString: kernels.name)) loops"
  }

  public internal(set) var operations = 0

  public var memory: (peak: Int, now: Int) { (host.peak, host.now) }

  public func makeStorage(count: Int) -> Storage { HostStorage(count: count, memory: host) }

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

  public func fill(_ tensor: Tensor, with value: Float) {
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

  public func sumOfSquares(_ x: Tensor) -> Double {
    let p = x.pointer
    var parts = [Double](repeating: 0, count: pool.threads)
    parts.withUnsafeMutableBufferPointer { sums in
      nonisolated(unsafe) let sums = sums
      // Blocks of 4,096 start at the same places whatever the thread count.
      pool.split(x.count, grain: 1 << 16, multiple: 4096) { range, part in
        sums[part] = kernels.sum_of_squares(p + range.lowerBound, range.count)
      }
    }
    return parts.reduce(0, +)
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
    guard let host = storage as? HostStorage else { preconditionFailure("a tensor of another backend") }
    return host.pointer + offset
  }
}
