import CUDAEmulation
import Engine
import Foundation

/// The devices on which models are compared with the reference.
public enum TestDevice: String, CaseIterable, Sendable {
  case cpu
  case gpu
  /// The CPU, computing in bfloat16.
  case cpuBF16
  case gpuBF16

  /// The devices that compute in float32.
  public static let exact = TestGPU.isLeftOut ? [cpu] : [cpu, gpu]
  /// The devices that compute in bfloat16.
  public static let half = TestGPU.isLeftOut ? [cpuBF16] : [cpuBF16, gpuBF16]

  /// Opens the device; each call opens another.
  public func open() throws -> any Backend {
    switch self {
    case .cpu: try CPUBackend()
    case .cpuBF16: try CPUBackend(emulating: .bf16)
    case .gpu: try TestGPU.open()
    case .gpuBF16: try TestGPU.open(.bf16)
    }
  }
}

/// The GPU of the tests: one whose threads are fibers of this process or, with
/// `HERO_TEST_GPU=real`, the machine's first.
public enum TestGPU {
  private static let choice = ProcessInfo.processInfo.environment["HERO_TEST_GPU"]
  /// Whether the GPU is the tests' own emulation.
  public static let isEmulated = choice != "real"
  /// Whether models are tested on the CPU only, by `HERO_TEST_GPU=none`.
  ///
  /// Where the processor itself is emulated, an emulated GPU takes hours.
  static let isLeftOut = choice == "none"

  /// Opens the emulated GPU, or the machine's first where `HERO_TEST_GPU=real`.
  public static func open(_ precision: Precision = .fp32) throws -> CUDABackend {
    guard !isEmulated else { return try CUDABackend(hero_cuda_emulation().pointee, precision: precision) }
    let device = try Device.open("cuda", precision: precision)
    guard let device = device as? CUDABackend else { throw EngineError("cuda opened \(device.summary)") }
    return device
  }
}
