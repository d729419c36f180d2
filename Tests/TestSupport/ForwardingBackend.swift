import Engine

/// A backend that forwards all calls, for subclasses that change some.
open class ForwardingBackend: Backend, @unchecked Sendable {
  /// The backend that does the work.
  public let base: any Backend

  /// - Parameter base: the backend that does the work.
  public init(_ base: any Backend) { self.base = base }

  /// Forwarded to ``base``.
  public var summary: String { base.summary }
  /// Forwarded to ``base``.
  public var link: (any DeviceLink)? { base.link }
  /// Forwarded to ``base``.
  public var limits: BackendLimits { base.limits }
  /// Forwarded to ``base``.
  public var precision: Precision { base.precision }
  /// Forwarded to ``base``.
  open var stepsBetweenReads: Int { base.stepsBetweenReads }
  /// Forwarded to ``base``.
  public var keepsProbabilities: Bool { base.keepsProbabilities }
  /// Forwarded to ``base``.
  public var keepsGELU: Bool { base.keepsGELU }
  /// Forwarded to ``base``.
  public var gradientBlock: Int { base.gradientBlock }
  /// Forwarded to ``base``.
  public var largeProduct: (rows: Int, columns: Int) { base.largeProduct }
  /// Forwarded to ``base``.
  public var operations: Int { base.operations }
  /// Forwarded to ``base``.
  public var memory: (peak: Int, now: Int) { base.memory }
  /// Forwarded to ``base``.
  open var peakDeviceMemory: Int? { base.peakDeviceMemory }

  open func run(_ operation: some Engine.Operation) { base.run(operation) }
  /// Forwarded to ``base``.
  public func synchronize() { base.synchronize() }
  /// Forwarded to ``base``.
  public func makeStorage(count: Int, type: ElementType) -> Storage {
    base.makeStorage(count: count, type: type)
  }
  /// Forwarded to ``base``.
  public func makeZeros(count: Int, type: ElementType) -> Storage {
    base.makeZeros(count: count, type: type)
  }
  /// Forwarded to ``base``.
  public func makeWeights(count: Int) -> Storage { base.makeWeights(count: count) }
  /// Forwarded to ``base``.
  open func upload(to tensor: Tensor, _ fill: ((UnsafeBufferPointer<Float>) -> Void) -> Void) {
    base.upload(to: tensor, fill)
  }
  /// Forwarded to ``base``.
  public func download(_ tensor: Tensor, to values: UnsafeMutableBufferPointer<Float>) {
    base.download(tensor, to: values)
  }
  /// Forwarded to ``base``.
  public func upload(_ values: UnsafeBufferPointer<Int32>, to indices: Indices) {
    base.upload(values, to: indices)
  }
  /// Forwarded to ``base``.
  public func download(_ indices: Indices, to values: UnsafeMutableBufferPointer<Int32>) {
    base.download(indices, to: values)
  }
  /// Forwarded to ``base``.
  public func reading(_ tensors: [Tensor]) -> any Reading { base.reading(tensors) }
}
