import Foundation

/// A device whose operations are recorded, each once, before another does them.
///
/// An operation is waited for where it is issued, so that its time is its own; on the CPU that
/// changes nothing, a GPU loses what it would do behind the host. What is computed is the same to
/// the last bit.
public final class ProfiledBackend: Backend, @unchecked Sendable {
  public let profile: OperationProfile
  let base: any Backend

  /// Measures the device's limits, which takes some seconds.
  public convenience init(_ base: any Backend) {
    self.init(
      base, limits: OperationProfile.Limits(peak: base.measurePeak(), bandwidth: Self.bandwidth(base)))
  }

  init(_ base: any Backend, limits: OperationProfile.Limits) {
    self.base = base
    profile = OperationProfile(limits: limits)
  }

  /// The best of several copies and sums of 128 MB, bytes read and written a second.
  private static func bandwidth(_ backend: any Backend) -> Double {
    let (x, y) = (
      backend.makeTensor(rows: 1, columns: 1 << 25), backend.makeTensor(rows: 1, columns: 1 << 25)
    )
    for tensor in [x, y] { backend.fill(tensor, with: 0) }
    var best = 0.0
    for _ in 0..<4 {
      for (tensors, run) in [(2, { backend.copy(x, to: y) }), (3, { backend.add(x, to: y) })] {
        backend.synchronize()
        let start = DispatchTime.now().uptimeNanoseconds
        run()
        backend.synchronize()
        let seconds = Double(DispatchTime.now().uptimeNanoseconds - start) * 1e-9
        best = max(best, Double(tensors * x.bytes) / seconds)
      }
    }
    return best
  }

  /// Records what one thread issues: products are counted by the device.
  func measured<Result>(
    _ operation: ProfiledOperation, bytes: Int, shape: [Int] = [], _ body: () -> Result
  ) -> Result {
    let before = base.operations
    let start = DispatchTime.now().uptimeNanoseconds
    let result = body()
    base.synchronize()
    profile.add(
      operation, start: start, end: DispatchTime.now().uptimeNanoseconds,
      operations: base.operations - before, bytes: bytes, shape: shape.map { Int32(truncatingIfNeeded: $0) })
    return result
  }

  /// Records what loading threads do too, which neither multiplies nor is waited for.
  func moved<Result>(_ operation: ProfiledOperation, bytes: Int, _ body: () -> Result) -> Result {
    let start = DispatchTime.now().uptimeNanoseconds
    let result = body()
    profile.add(
      operation, start: start, end: DispatchTime.now().uptimeNanoseconds, operations: 0, bytes: bytes,
      shape: [])
    return result
  }

  public var summary: String { base.summary }
  public var link: (any DeviceLink)? { base.link }
  public var limits: BackendLimits { base.limits }
}

extension Tensor {
  var bytes: Int { count * storage.type.size }
  var shape: [Int] { [rows, columns] }
}

extension Indices {
  var bytes: Int { 4 * count }
}

extension Optional where Wrapped == Tensor {
  var bytes: Int { self?.bytes ?? 0 }
}

extension Optional where Wrapped == GradientTarget {
  /// Written, and read before that where something is added to it.
  var bytes: Int { map { $0.tensor.bytes * ($0.accumulate ? 2 : 1) } ?? 0 }
}

extension GradientTarget {
  var bytes: Int { Optional(self).bytes }
}
