import Engine

/// A backend that hands every operation on, for those that change some.
open class ForwardingBackend: Backend, @unchecked Sendable {
  public let base: any Backend

  public init(_ base: any Backend) { self.base = base }

  public var summary: String { base.summary }
  public var link: (any DeviceLink)? { base.link }
  public var limits: BackendLimits { base.limits }
  public var precision: Precision { base.precision }
  public var stepsBetweenReads: Int { base.stepsBetweenReads }
  public var keepsProbabilities: Bool { base.keepsProbabilities }
  public var gradientBlock: Int { base.gradientBlock }
  public var largeProduct: (rows: Int, columns: Int) { base.largeProduct }
  public var operations: Int { base.operations }
  public var memory: (peak: Int, now: Int) { base.memory }

  open func run(_ operation: some Engine.Operation) { base.run(operation) }
  public func synchronize() { base.synchronize() }
  public func makeStorage(count: Int, type: ElementType) -> Storage {
    base.makeStorage(count: count, type: type)
  }
  public func makeZeros(count: Int) -> Storage { base.makeZeros(count: count) }
  public func makeWeights(count: Int) -> Storage { base.makeWeights(count: count) }
  public func upload(_ values: UnsafeBufferPointer<Float>, to tensor: Tensor) {
    base.upload(values, to: tensor)
  }
  public func download(_ tensor: Tensor, to values: UnsafeMutableBufferPointer<Float>) {
    base.download(tensor, to: values)
  }
  public func upload(_ values: UnsafeBufferPointer<Int32>, to indices: Indices) {
    base.upload(values, to: indices)
  }
  public func download(_ indices: Indices, to values: UnsafeMutableBufferPointer<Int32>) {
    base.download(indices, to: values)
  }
  public func numbers(of tensors: [Tensor]) -> [Double] { base.numbers(of: tensors) }
}
