import Foundation

/// The time that a device's operations take, with one event per call.
///
/// Any thread may add events. The totals grow only with the kinds of operations; of the events, the
/// first `eventLimit` are kept.
public final class OperationProfile: @unchecked Sendable {
  /// A call of an operation.
  public struct Event: Sendable {
    /// The operation's name in words.
    public let operation: String
    /// The start in nanoseconds since the profile began.
    public let start: UInt64
    /// The duration of the call in nanoseconds.
    public let nanoseconds: UInt64
    /// The number of multiplications and additions in products, attention's included.
    public let operations: Int
    /// The bytes of the tensors that the operation must read and write, each counted once.
    public let bytes: Int
    /// The rows, inner size and columns of a product; the rows and columns of others that have any.
    public let shape: [Int32]
    /// The number of the thread, from 1 in the order in which threads first appear.
    public let thread: Int
  }

  /// All calls of one operation.
  public struct Total: Sendable {
    /// The number of calls so far.
    public internal(set) var calls = 0
    /// The time of all calls in seconds.
    public internal(set) var seconds = 0.0
    /// The number of multiplications and additions in products.
    public internal(set) var operations = 0
    /// The bytes that the calls must read and write, each tensor once per call.
    public internal(set) var bytes = 0
    /// The seconds that the calls would take at the limits, each max(operations / peak, bytes /
    /// bandwidth).
    public internal(set) var limitSeconds = 0.0
  }

  /// The device's limits, measured when the profile began.
  public struct Limits: Sendable {
    /// The operations per second of large products.
    public let peak: Double
    /// The bytes per second that copies and sums of large tensors read and write.
    public let bandwidth: Double
  }

  /// The most events that are kept: about 60 MB, with the text of the file made from them.
  public static let eventLimit = 400_000

  /// The rates that shares of the limit refer to.
  public let limits: Limits
  private let lock = NSLock()
  private let begun = DispatchTime.now().uptimeNanoseconds
  private var kept: [Event] = []
  private var sums: [String: Total] = [:]
  private var threads: [UInt: Int] = [:]

  init(limits: Limits) { self.limits = limits }

  /// Seconds since the profile began.
  public var elapsed: Double { Double(DispatchTime.now().uptimeNanoseconds - begun) * 1e-9 }

  /// The first events, at most `eventLimit`.
  public var events: [Event] { lock.withLock { kept } }

  /// The totals of all operations that were called, the longest first.
  public var totals: [(operation: String, total: Total)] {
    lock.withLock { sums.sorted { $0.value.seconds > $1.value.seconds }.map { ($0.key, $0.value) } }
  }

  /// - Parameters:
  ///   - start: nanoseconds on the clock of `DispatchTime`.
  ///   - end: nanoseconds on the same clock.
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
