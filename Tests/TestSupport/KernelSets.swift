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

  /// Those, and the one for AMX where the processor has none: its tile instructions are done in C,
  /// compiled so and as the program has them.
  public static var multiplying: [hero_kernels] {
    all + [hero_tiles_emulated(), hero_tiles_trapped()].compactMap { $0?.pointee }
  }
}
