import Foundation
import Testing

@testable import Engine

/// The kernels, compiled by NVIDIA's own compiler for every kind of device, without one.
struct CUDAKernelTests {
  struct Target: Sendable, CustomTestStringConvertible {
    let architecture: Int
    let precision: Precision

    var testDescription: String { "sm_\(architecture) \(precision.rawValue)" }
  }

  static let targets = [
    Target(architecture: 70, precision: .fp32), Target(architecture: 80, precision: .bf16),
    Target(architecture: 90, precision: .bf16), Target(architecture: 100, precision: .bf16),
  ]

  /// Every kernel compiles, and none spills registers to memory.
  @Test(arguments: targets) func compiles(target: Target) throws {
    let functions: CUDALibraries
    do {
      functions = try CUDALibraries.openCompiler()
    } catch {
      try FileHandle.standardError.write(
        contentsOf: Data("\n*** THE CUDA KERNELS WERE NOT COMPILED BY NVRTC: \(error) ***\n\n".utf8))
      return
    }
    let program = CUDAProgram(architecture: target.architecture, precision: target.precision, verbose: true)
    let (binary, log) = try program.compile(functions.functions)
    #expect(binary.starts(with: [0x7F] + Array("ELF".utf8)))
    for kernel in CUDAKernel.all(in: target.precision) {
      for width in kernel.headWidths {
        #expect(log.contains("'\(kernel.name(target.precision, headWidth: width))'"))
      }
    }
    let spills = log.split(separator: "\n").filter {
      $0.contains("spill stores") && !$0.contains(" 0 bytes spill stores")
    }
    #expect(spills.isEmpty, "\(target.testDescription)")
  }
}
