/// The short list of fused operations that model code stands on. CPU is one implementation, CUDA another.
///
/// Shapes are preconditions (a mismatch is a programmer's error; what comes from files was checked before). Outputs are
/// written whole unless a `GradientTarget` says to accumulate. No operation allocates beyond the backend's reused
/// buffers, none waits for the device (`MemoryOperations` names those that do), and none depends on how sequences are
/// batched. One thread issues operations; loading threads only make and fill memory.
public protocol Backend: AnyObject, Sendable, MemoryOperations, ProductOperations, RowOperations,
  SequenceOperations, LossOperations, UpdateOperations
{
  /// What runs the operations: processor, kernels, threads.
  var summary: String { get }
  /// Where there is one, the way to the devices of other ranks (`Device.link`).
  var link: (any DeviceLink)? { get }
}
