import Foundation

/// What a device's operations took, one event a call.
///
/// Any thread may add events. Totals grow with the kinds of operations only; of the events
/// themselves the first `eventLimit` are kept.
public final class OperationProfile: @unchecked Sendable {
  /// A call of an operation.
  public struct Event: Sendable {
    /// Its name in words.
    public let operation: String
    /// Nanoseconds since the profile began.
    public let start: UInt64
    /// How long the call took.
    public let nanoseconds: UInt64
    /// Multiplications and additions of products (attention's included).
    public let operations: Int
    /// Bytes of the tensors that the operation must read and write, each once.
    public let bytes: Int
    /// Rows, inner size and columns of a product; rows and columns of what else has any.
    public let shape: [Int32]
    /// Threads are numbered as they come; 1 is the first.
    public let thread: Int
  }

  /// All calls of one operation.
  public struct Total: Sendable {
    /// Calls so far.
    public internal(set) var calls = 0
    /// All calls together.
    public internal(set) var seconds = 0.0
    /// Multiplications and additions of products.
    public internal(set) var operations = 0
    /// Bytes that the calls must read and write, each tensor once a call.
    public internal(set) var bytes = 0
    /// Seconds that the calls would have taken at the limits: each max(operations / peak, bytes /
    /// bandwidth).
    public internal(set) var limitSeconds = 0.0
  }

  /// What the device can do at most, measured when the profile began.
  public struct Limits: Sendable {
    /// Operations a second of large products.
    public let peak: Double
    /// Bytes a second that copies and sums of large tensors read and write.
    public let bandwidth: Double
  }

  /// Events that are kept, some 60 MB with what they come to as a file.
  public static let eventLimit = 400_000

  /// The best rates that shares of the limit refer to.
  public let limits: Limits
  private let lock = NSLock()
  private let begun = DispatchTime.now().uptimeNanoseconds
  private var kept: [Event] = []
  private var sums: [String: Total] = [:]
  private var threads: [UInt: Int] = [:]

  init(limits: Limits) { self.limits = limits }

  /// Seconds since the profile began.
  public var elapsed: Double { Double(DispatchTime.now().uptimeNanoseconds - begun) * 1e-9 }

  /// The first events.
  public var events: [Event] { lock.withLock { kept } }

  /// What was called at all, what took longest first.
  public var totals: [(operation: String, total: Total)] {
    lock.withLock { sums.sorted { $0.value.seconds > $1.value.seconds }.map { ($0.key, $0.value) } }
  }

  /// - Parameters:
  ///   - start: on the clock of `DispatchTime`.
  ///   - end: on the same clock.
  func add(_ operation: String, start: UInt64, end: UInt64, operations: Int, bytes: Int, shape: [Int]) {
    let seconds = Double(end - start) * 1e-9
    lock.withLock {
      var total = sums[operation] ?? Total()
      total.calls += 1
      total.seconds += seconds
      total.operations += operations
      total.bytes += bytes
      total.limitSeconds += max(Double(operations) / limits.peak, Double(bytes) / limits.bandwidth)
      sums[operation] = total
      guard kept.count < Self.eventLimit else { return }
      let thread = UInt(pthread_self())
      if threads[thread] == nil { threads[thread] = threads.count + 1 }
      kept.append(
        Event(
          operation: operation, start: start - begun, nanoseconds: end - start, operations: operations,
          bytes: bytes, shape: shape.map { Int32(truncatingIfNeeded: $0) }, thread: threads[thread] ?? 0))
    }
  }
}
