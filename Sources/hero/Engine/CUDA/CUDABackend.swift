import CCUDA
import Foundation

/// The engine on an NVIDIA GPU: cuBLASLt for products, hero's own kernels for the rest, on one
/// stream.
///
/// Nothing in an update waits for the device. Sums have a fixed order: no kernel adds floats with
/// atomics, so a run repeats bit for bit on one kind of device.
public final class CUDABackend: Backend, @unchecked Sendable {
  let stream: CUDAStream
  let deviceMemory: CUDAMemory
  let products: CUDAProducts
  /// The precision of products, and of layers' results in memory.
  public let precision: Precision
  /// NCCL between the ranks' GPUs; nil where none was opened.
  public internal(set) var link: (any DeviceLink)?
  private let module: UnsafeMutableRawPointer
  /// The shared memory of a block, in bytes.
  let sharedMemory: Int
  /// The kernels' functions by `CUDAKernel.place`; nil for those that the program or device lacks.
  private let kernels: [UnsafeMutableRawPointer?]
  /// - Parameters:
  ///   - functions: the functions of the driver, NVRTC and cuBLASLt.
  ///   - ordinal: the device's number, as the driver counts.
  ///   - cache: a folder for compiled kernels and for the products' algorithms; nil for none.
  ///   - timesProducts: whether to choose algorithms by their times; needs `cache` to keep the
  ///     choice.
  /// - Throws: `EngineError` if the device cannot do what is asked, or the kernels do not compile.
  package init(
    _ functions: hero_cuda_functions, ordinal: Int = 0, precision: Precision = .fp32, cache: URL? = nil,
    timesProducts: Bool = true
  ) throws {
    guard precision != .int8 else {
      throw EngineError("int8 is the CPU's; a GPU computes in fp32, tf32 or bf16: give one of those")
    }
    stream = try CUDAStream(functions, ordinal: ordinal)
    let (major, minor) = (try stream.attribute(.majorCapability), try stream.attribute(.minorCapability))
    guard major >= 7 else {
      throw EngineError("compute capability \(major).\(minor) is too old; hero needs 7.0")
    }
    guard precision == .fp32 || major >= 8 else {
      throw EngineError(
        "compute capability \(major).\(minor) has no \(precision.rawValue); that begins with 8.0")
    }
    self.precision = precision
    deviceMemory = try CUDAMemory(stream)
    var choices: CUDAChoices?
    if timesProducts, let cache { choices = try CUDAChoices(stream, precision, folder: cache) }
    products = try CUDAProducts(stream, deviceMemory, precision, choices: choices)
    let program = CUDAProgram(architecture: 10 * major + minor, precision: precision)
    let room = try stream.attribute(.sharedMemory)
    sharedMemory = room
    (module, kernels) = try program.load(functions, cache: cache) {
      try Self.load($0, functions, precision, room: room)
    }
  }

  /// Loads a compiled program and finds its kernels.
  private static func load(
    _ binary: [UInt8], _ functions: hero_cuda_functions, _ precision: Precision, room: Int
  ) throws -> (module: UnsafeMutableRawPointer, kernels: [UnsafeMutableRawPointer?]) {
    var module: UnsafeMutableRawPointer?
    try binary.withUnsafeBytes {
      try CUDAStream.check(functions, functions.load_module(&module, $0.baseAddress), "load the kernels")
    }
    guard let module else { throw EngineError("CUDA gave no module") }
    do {
      return (module, try Self.functions(of: module, functions, precision, room: room))
    } catch {
      _ = functions.unload_module(module)
      throw error
    }
  }

  /// Finds every kernel of a module by its name.
  private static func functions(
    of module: UnsafeMutableRawPointer, _ functions: hero_cuda_functions, _ precision: Precision, room: Int
  ) throws -> [UnsafeMutableRawPointer?] {
    var found = [UnsafeMutableRawPointer?](repeating: nil, count: CUDAKernel.places)
    for kernel in CUDAKernel.all(in: precision) {
      for width in kernel.headWidths {
        let name = kernel.name(precision, headWidth: width)
        var function: UnsafeMutableRawPointer?
        try CUDAStream.check(
          functions, functions.get_function(&function, module, name), "find kernel \(name)")
        if width > 0 {
          let shape = AttentionShape(precision: precision, headWidth: width)
          let longest = shape.shortRows(room: room)
          let shared = shape.block(kernel, longest: longest).sharedBytes
          // Devices with little shared memory go without the widest heads.
          guard shared <= room else { continue }
          try CUDAStream.check(
            functions, functions.set_function_attribute(function, DriverCode.sharedBytes, Int32(shared)),
            "make room for \(name)")
        }
        found[kernel.place(headWidth: width)] = function
      }
    }
    return found
  }

  deinit {
    deviceMemory.finishUploads()
    stream.synchronize()
    _ = stream.functions.unload_module(module)
  }

  /// Device, precision and version of cuBLASLt.
  public var summary: String {
    let version = stream.functions.products_version()
    return
      "CUDA, \(stream.name), \(precision.rawValue), cuBLASLt \(version / 10_000).\(version / 100 % 100)"
  }

  /// The number of multiplications and additions in products so far.
  public var operations: Int { products.operations }

  /// The widest rows and heads that the compiled kernels take.
  public var limits: BackendLimits {
    let heads = CUDAProgram.headWidths.filter { width in
      CUDAKernel.allCases.allSatisfy {
        $0.headWidths == [0] || kernels[$0.place(headWidth: width)] != nil
      }
    }
    return BackendLimits(normColumns: NormShape.mostColumns, headColumns: heads.max() ?? 0)
  }

  /// The bytes that the pool of buffers holds, at most so far and at present.
  public var memory: (peak: Int, now: Int) { deviceMemory.use }
  /// The peak of the driver's pool, in bytes: tensors, unused ends of regions and products'
  /// workspace.
  public var peakDeviceMemory: Int? { stream.peakBytes }
  /// The decoder's steps between two reads: waiting for the device costs about as much as a step.
  public var stepsBetweenReads: Int { 8 }
  /// False: the backward pass of an attention recomputes its probabilities.
  public var keepsProbabilities: Bool { false }
  /// True: reading a GELU's result takes less time than making and writing it again.
  public var keepsGELU: Bool { true }
  /// One block for all gradients, because each block costs launches.
  public var gradientBlock: Int { .max }
  /// A product that keeps the whole device busy, for measuring the best rate.
  public var largeProduct: (rows: Int, columns: Int) { (8192, 8192) }

  /// Checks the operation's shapes and queues it.
  public func run(_ operation: some Operation) {
    operation.check()
    operation.run(on: self)
  }

  /// Returns a repetition that is a graph of kernels from its second run on.
  public func repetition(_ body: @escaping () -> Void) -> any Repetition { CUDARepetition(self, body) }

  /// Queues a kernel.
  /// - Parameters:
  ///   - grid: the number of blocks; with none, nothing is queued.
  ///   - headWidth: the head width of an attention's kernel; 0 for other kernels.
  ///   - side: a stream to queue on in place of the backend's own.
  func launch<Argument>(
    _ kernel: CUDAKernel, headWidth: Int = 0, grid: (x: Int, y: Int, z: Int), block: Int,
    sharedBytes: Int = 0,
    _ argument: Argument, on side: CUDAStream? = nil
  ) {
    guard grid.x > 0, grid.y > 0, grid.z > 0 else { return }
    guard let function = kernels[kernel.place(headWidth: headWidth)] else {
      preconditionFailure("no room for \(kernel), which `limits` rules out")
    }
    stream.enter()
    let failure = withUnsafePointer(to: argument) { argument in
      var pointer: UnsafeMutableRawPointer? = UnsafeMutableRawPointer(mutating: argument)
      return stream.functions.launch(
        function, UInt32(grid.x), UInt32(grid.y), UInt32(grid.z), UInt32(block), 1, 1, UInt32(sharedBytes),
        (side ?? stream).handle, &pointer, nil)
    }
    guard failure == 0 else { return stream.check(failure, "start \(kernel)") }
  }

  /// Queues a kernel with one block for each row.
  func launch<Argument>(_ kernel: CUDAKernel, rows: Int, block: Int = 128, _ argument: Argument) {
    launch(kernel, grid: (rows, 1, 1), block: block, argument)
  }

  /// Queues a kernel with one thread for every `each` elements.
  func launch<Argument>(
    _ kernel: CUDAKernel, elements: Int, each: Int = 1, _ argument: Argument, on side: CUDAStream? = nil
  ) {
    launch(kernel, grid: ((elements + 256 * each - 1) / (256 * each), 1, 1), block: 256, argument, on: side)
  }

  /// Returns scratch memory for kernels: `count` float32 elements.
  func scratch(_ count: Int) -> Tensor { makeTensor(rows: 1, columns: count) }
}
