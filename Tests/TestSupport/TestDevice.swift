import CUDAEmulation
import Engine

/// The devices that models are held against the reference on.
public enum TestDevice: String, CaseIterable, Sendable {
  case cpu
  /// A GPU whose threads are fibers of this process.
  case emulatedGPU
  /// The same, computing in bfloat16.
  case emulatedBF16

  /// Those that compute in float32.
  public static let exact = [cpu, emulatedGPU]

  public func open() throws -> any Backend {
    switch self {
    case .cpu: try CPUBackend()
    case .emulatedGPU: try CUDABackend(hero_cuda_emulation().pointee)
    case .emulatedBF16: try CUDABackend(hero_cuda_emulation().pointee, precision: .bf16)
    }
  }
}
