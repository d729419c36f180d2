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
    // A profiled backend forwards every operation unchanged.
    try body(ProfiledBackend(try CPUBackend(threads: 2), limits: .init(peak: 1e9, bandwidth: 1e9)))
  }

  /// Runs `body` in bfloat16 on every kernel set of the CPU, also on those without instructions for
  /// it.
  static func forEachBF16(_ body: (CPUBackend) throws -> Void) throws {
    for kernels in KernelSets.multiplying {
      let backend = try CPUBackend(threads: 2, kernels: kernels, precision: .bf16)
      poison(backend)
      try body(backend)
    }
  }

  /// Leaves NaN in the memory of the next tensors, so that a read before a write shows.
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
