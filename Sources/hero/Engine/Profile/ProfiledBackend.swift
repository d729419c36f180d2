import Dispatch

/// A device that records each operation and has another device run it.
///
/// It waits for each operation where it is issued, so that the measured time is that operation's
/// own. On the CPU that changes nothing; a GPU loses its overlap with the host. The results are the
/// same bit for bit.
public final class ProfiledBackend: Backend, @unchecked Sendable {
  /// The profile, which grows with every call.
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

  /// The base device's value.
  public var summary: String { base.summary }
  /// The base device's link; collectives on it are not recorded.
  public var link: (any DeviceLink)? { base.link }
  /// The base device's value.
  public var limits: BackendLimits { base.limits }
  /// The base device's value.
  public var precision: Precision { base.precision }
  /// The base device's value.
  public var stepsBetweenReads: Int { base.stepsBetweenReads }
  /// The base device's value.
  public var keepsProbabilities: Bool { base.keepsProbabilities }
  /// The base device's value.
  public var keepsGELU: Bool { base.keepsGELU }
  /// The base device's value.
  public var gradientBlock: Int { base.gradientBlock }
  /// The base device's value.
  public var largeProduct: (rows: Int, columns: Int) { base.largeProduct }
  /// The base device's value.
  public var operations: Int { base.operations }
  /// The base device's value.
  public var memory: (peak: Int, now: Int) { base.memory }
  /// The base device's value.
  public var peakDeviceMemory: Int? { base.peakDeviceMemory }

  /// Runs and records an operation; the device counts its products.
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

  /// Records a call that does not multiply, without a wait of its own; loading threads make some.
  private func moved<Result>(_ name: String, bytes: Int, _ body: () -> Result) -> Result {
    let start = DispatchTime.now().uptimeNanoseconds
    let result = body()
    let end = DispatchTime.now().uptimeNanoseconds
    profile.add(name, start: start, end: end, operations: 0, bytes: bytes, shape: [])
    return result
  }

  /// Waits and records that as "wait".
  public func synchronize() { moved("wait", bytes: 0) { base.synchronize() } }
  /// Allocates memory without recording it.
  public func makeStorage(count: Int, type: ElementType) -> Storage {
    base.makeStorage(count: count, type: type)
  }
  /// Allocates zeros without recording it.
  public func makeZeros(count: Int, type: ElementType) -> Storage {
    base.makeZeros(count: count, type: type)
  }
  /// Allocates weights without recording it.
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
  /// Returns the best rate of several copies and sums of 128 MB, in bytes read and written per
  /// second.
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
