import TestSupport

@testable import Engine

/// The backends a check runs on: every kernel set of this processor, with 1, 2 and 3 threads, the
/// GPU of the tests, and one that is profiled.
enum Backends {
  static func forEach(_ body: (any Backend) throws -> Void) throws {
    for kernels in KernelSets.all {
      for threads in 1...3 {
        let backend = try CPUBackend(threads: threads, kernels: kernels)
        poison(backend)
        try body(backend)
      }
    }
    let device = try TestGPU.open()
    poison(device)
    try body(device)
    // A profile hands every operation on as it came.
    try body(ProfiledBackend(try CPUBackend(threads: 2), limits: .init(peak: 1e9, bandwidth: 1e9)))
  }

  /// The processor's in bfloat16: what only some processors can do themselves, the other kernels do
  /// as well.
  static func forEachBF16(_ body: (CPUBackend) throws -> Void) throws {
    for kernels in KernelSets.multiplying {
      let backend = try CPUBackend(threads: 2, kernels: kernels, precision: .bf16)
      poison(backend)
      try body(backend)
    }
  }

  /// Leaves NaN in the memory that the next tensors will get, so that whoever reads before writing
  /// is found out.
  static func poison(_ backend: any Backend) {
    var held: [Tensor] = []
    for power in 10...14 {
      for quarter in 4..<8 {
        for _ in 0..<10 {
          let tensor = backend.makeTensor(rows: 1, columns: (1 << power) / 4 * quarter)
          backend.run(Fill(tensor, with: .nan))
          held.append(tensor)
        }
      }
    }
  }
}
