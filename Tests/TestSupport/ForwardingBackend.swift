import Engine

/// A backend that hands every operation on, for those that change some.
open class ForwardingBackend: Backend, @unchecked Sendable {
  /// The backend that does the work.
  public let base: any Backend

  /// - Parameter base: the backend that does the work.
  public init(_ base: any Backend) { self.base = base }

  /// Handed on to ``base``.
  public var summary: String { base.summary }
  /// Handed on to ``base``.
  public var link: (any DeviceLink)? { base.link }
  /// Handed on to ``base``.
  public var limits: BackendLimits { base.limits }
  /// Handed on to ``base``.
  public var precision: Precision { base.precision }
  /// Handed on to ``base``.
  open var stepsBetweenReads: Int { base.stepsBetweenReads }
  /// Handed on to ``base``.
  public var keepsProbabilities: Bool { base.keepsProbabilities }
  /// Handed on to ``base``.
  public var keepsGELU: Bool { base.keepsGELU }
  /// Handed on to ``base``.
  public var gradientBlock: Int { base.gradientBlock }
  /// Handed on to ``base``.
  public var largeProduct: (rows: Int, columns: Int) { base.largeProduct }
  /// Handed on to ``base``.
  public var operations: Int { base.operations }
  /// Handed on to ``base``.
  public var memory: (peak: Int, now: Int) { base.memory }
  /// Handed on to ``base``.
  open var peakDeviceMemory: Int? { base.peakDeviceMemory }

  open func run(_ operation: some Engine.Operation) { base.run(operation) }
  /// Handed on to ``base``.
  public func synchronize() { base.synchronize() }
  /// Handed on to ``base``.
  public func makeStorage(count: Int, type: ElementType) -> Storage {
    base.makeStorage(count: count, type: type)
  }
  /// Handed on to ``base``.
  public func makeZeros(count: Int, type: ElementType) -> Storage {
    base.makeZeros(count: count, type: type)
  }
  /// Handed on to ``base``.
  public func makeWeights(count: Int) -> Storage { base.makeWeights(count: count) }
  /// Handed on to ``base``.
  open func upload(to tensor: Tensor, _ fill: ((UnsafeBufferPointer<Float>) -> Void) -> Void) {
    base.upload(to: tensor, fill)
  }
  /// Handed on to ``base``.
  public func download(_ tensor: Tensor, to values: UnsafeMutableBufferPointer<Float>) {
    base.download(tensor, to: values)
  }
  /// Handed on to ``base``.
  public func upload(_ values: UnsafeBufferPointer<Int32>, to indices: Indices) {
    base.upload(values, to: indices)
  }
  /// Handed on to ``base``.
  public func download(_ indices: Indices, to values: UnsafeMutableBufferPointer<Int32>) {
    base.download(indices, to: values)
  }
  /// Handed on to ``base``.
  public func reading(_ tensors: [Tensor]) -> any Reading { base.reading(tensors) }
}
