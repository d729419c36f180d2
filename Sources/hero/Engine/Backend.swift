/// The short list of fused operations that model code stands on. CPU is one implementation, CUDA
/// another.
///
/// Shapes are preconditions (a mismatch is a programmer's error; what comes from files was checked
/// before). Outputs are written whole unless a `GradientTarget` says to accumulate. No operation
/// allocates beyond the backend's reused buffers, none waits for the device (`MemoryOperations`
/// names those that do), and none depends on how sequences are batched. One thread issues
/// operations; loading threads only make and fill memory.
public protocol Backend: AnyObject, Sendable, MemoryOperations, ProductOperations, RowOperations,
  SequenceOperations, LossOperations, UpdateOperations
{
  /// What runs the operations: processor, kernels, threads.
  var summary: String { get }
  /// Where there is one, the way to the devices of other ranks (`Device.link`).
  var link: (any DeviceLink)? { get }
  /// What is too wide for its kernels; a model is held against it before it is made.
  var limits: BackendLimits { get }
}

/// How wide rows may be on a backend. Nil where there is no limit.
public struct BackendLimits: Equatable, Sendable {
  /// Columns of a layer norm.
  public var normColumns: Int?
  /// Columns of an attention's head.
  public var headColumns: Int?

  public init(normColumns: Int? = nil, headColumns: Int? = nil) {
    (self.normColumns, self.headColumns) = (normColumns, headColumns)
  }
}

extension Backend {
  public var limits: BackendLimits { BackendLimits() }
}
