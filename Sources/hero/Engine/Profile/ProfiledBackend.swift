import Dispatch

/// A device whose operations are recorded, each once, before another does them.
///
/// An operation is waited for where it is issued, so that its time is its own; on the CPU that
/// changes nothing, a GPU loses what it would do behind the host. What is computed is the same to
/// the last bit.
public final class ProfiledBackend: Backend, @unchecked Sendable {
  /// Grows with every call.
  public let profile: OperationProfile
  let base: any Backend

  /// Measures the device's limits, which takes some seconds.
  public convenience init(_ base: any Backend) {
    self.init(
      base, limits: OperationProfile.Limits(peak: base.measurePeak(), bandwidth: base.measureBandwidth()))
  }

  init(_ base: any Backend, limits: OperationProfile.Limits) {
    self.base = base
    profile = OperationProfile(limits: limits)
  }

  /// The device's own.
  public var summary: String { base.summary }
  /// The device's own; collectives on it are not recorded.
  public var link: (any DeviceLink)? { base.link }
  /// The device's own.
  public var limits: BackendLimits { base.limits }
  /// The device's own.
  public var precision: Precision { base.precision }
  /// The device's own.
  public var stepsBetweenReads: Int { base.stepsBetweenReads }
  /// The device's own.
  public var keepsProbabilities: Bool { base.keepsProbabilities }
  /// The device's own.
  public var keepsGELU: Bool { base.keepsGELU }
  /// The device's own.
  public var gradientBlock: Int { base.gradientBlock }
  /// The device's own.
  public var largeProduct: (rows: Int, columns: Int) { base.largeProduct }
  /// The device's own.
  public var operations: Int { base.operations }
  /// The device's own.
  public var memory: (peak: Int, now: Int) { base.memory }
  /// The device's own.
  public var peakDeviceMemory: Int? { base.peakDeviceMemory }

  /// Products are counted by the device.
  public func run<O: Operation>(_ operation: O) {
    let before = base.operations
    let start = DispatchTime.now().uptimeNanoseconds
    base.run(operation)
    base.synchronize()
    let end = DispatchTime.now().uptimeNanoseconds
    profile.add(
      O.name, start: start, end: end, operations: base.operations - before, bytes: operation.bytes,
      shape: operation.shape)
  }

  /// Records what loading threads do too, which neither multiplies nor is waited for.
  private func moved<Result>(_ name: String, bytes: Int, _ body: () -> Result) -> Result {
    let start = DispatchTime.now().uptimeNanoseconds
    let result = body()
    let end = DispatchTime.now().uptimeNanoseconds
    profile.add(name, start: start, end: end, operations: 0, bytes: bytes, shape: [])
    return result
  }

  /// Waits, and records it as "wait".
  public func synchronize() { moved("wait", bytes: 0) { base.synchronize() } }
  /// Not recorded.
  public func makeStorage(count: Int, type: ElementType) -> Storage {
    base.makeStorage(count: count, type: type)
  }
  /// Not recorded.
  public func makeZeros(count: Int, type: ElementType) -> Storage {
    base.makeZeros(count: count, type: type)
  }
  /// Not recorded.
  public func makeWeights(count: Int) -> Storage { base.makeWeights(count: count) }
  /// Records "upload", with the tensor read once and written once.
  public func upload(to tensor: Tensor, _ fill: ((UnsafeBufferPointer<Float>) -> Void) -> Void) {
    moved("upload", bytes: 2 * tensor.bytes) { base.upload(to: tensor, fill) }
  }
  /// Records "download", with the tensor read once and written once.
  public func download(_ tensor: Tensor, to values: UnsafeMutableBufferPointer<Float>) {
    moved("download", bytes: 2 * tensor.bytes) { base.download(tensor, to: values) }
  }
  /// Records "upload", with the numbers read once and written once.
  public func upload(_ values: UnsafeBufferPointer<Int32>, to indices: Indices) {
    moved("upload", bytes: 2 * indices.bytes) { base.upload(values, to: indices) }
  }
  /// Records "download", with the numbers read once and written once.
  public func download(_ indices: Indices, to values: UnsafeMutableBufferPointer<Int32>) {
    moved("download", bytes: 2 * indices.bytes) { base.download(indices, to: values) }
  }
  /// Records "read".
  public func reading(_ tensors: [Tensor]) -> any Reading {
    moved("read", bytes: tensors.reduce(0) { $0 + $1.bytes }) { base.reading(tensors) }
  }
}

extension Backend {
  /// The best of several copies and sums of 128 MB, bytes read and written a second.
  fileprivate func measureBandwidth() -> Double {
    let (x, y) = (makeTensor(rows: 1, columns: 1 << 25), makeTensor(rows: 1, columns: 1 << 25))
    for tensor in [x, y] { run(Fill(tensor, with: 0)) }
    func rate(_ operation: some Operation) -> Double {
      synchronize()
      let start = DispatchTime.now().uptimeNanoseconds
      run(operation)
      synchronize()
      return Double(operation.bytes) / (Double(DispatchTime.now().uptimeNanoseconds - start) * 1e-9)
    }
    return (0..<4).reduce(0) { best, _ in max(best, rate(Copy(x, to: y)), rate(Add(x, to: y))) }
  }
}
