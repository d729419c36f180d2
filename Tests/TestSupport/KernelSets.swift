import CKernels
import TileEmulation

/// The vector loops by instruction set.
public enum KernelSets {
  /// Every kernel set of this processor.
  public static var all: [hero_kernels] {
    var sets = [UnsafePointer<hero_kernels>?](repeating: nil, count: Int(HERO_KERNEL_SETS))
    let count = sets.withUnsafeMutableBufferPointer { hero_kernels_all($0.baseAddress) }
    return sets.prefix(Int(count)).compactMap { $0?.pointee }
  }

  /// All kernel sets, and that for AMX where the processor lacks it.
  ///
  /// Its tile instructions run in C, both compiled as C functions and trapped in the program's own
  /// kernels.
  public static var multiplying: [hero_kernels] {
    all + [hero_tiles_emulated(), hero_tiles_trapped()].compactMap { $0?.pointee }
  }
}
