import Foundation

/// What a device's operations took, one event a call.
///
/// Any thread may add events. Totals grow with the kinds of operations only; of the events
/// themselves the first `eventLimit` are kept.
public final class OperationProfile: @unchecked Sendable {
  /// A call of an operation.
  public struct Event: Sendable {
    public let operation: ProfiledOperation
    /// Nanoseconds since the profile began.
    public let start: UInt64
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
    public internal(set) var calls = 0
    public internal(set) var seconds = 0.0
    public internal(set) var operations = 0
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

  public let limits: Limits
  private let lock = NSLock()
  private let begun = DispatchTime.now().uptimeNanoseconds
  private var kept: [Event] = []
  private var sums = [Total](repeating: Total(), count: ProfiledOperation.allCases.count)
  private var threads: [UInt: Int] = [:]

  init(limits: Limits) { self.limits = limits }

  /// Seconds since the profile began.
  public var elapsed: Double { Double(DispatchTime.now().uptimeNanoseconds - begun) * 1e-9 }

  /// The first events.
  public var events: [Event] { lock.withLock { kept } }

  /// What was called at all, what took longest first.
  public var totals: [(operation: ProfiledOperation, total: Total)] {
    lock.withLock {
      zip(ProfiledOperation.allCases, sums).filter { $0.1.calls > 0 }.sorted { $0.1.seconds > $1.1.seconds }
        .map { ($0.0, $0.1) }
    }
  }

  /// - Parameters:
  ///   - start: on the clock of `DispatchTime`.
  ///   - end: on the same clock.
  func add(
    _ operation: ProfiledOperation, start: UInt64, end: UInt64, operations: Int, bytes: Int, shape: [Int32]
  ) {
    let seconds = Double(end - start) * 1e-9
    lock.withLock {
      let place = operation.rawValue
      sums[place].calls += 1
      sums[place].seconds += seconds
      sums[place].operations += operations
      sums[place].bytes += bytes
      sums[place].limitSeconds += max(Double(operations) / limits.peak, Double(bytes) / limits.bandwidth)
      guard kept.count < Self.eventLimit else { return }
      let thread = UInt(pthread_self())
      if threads[thread] == nil { threads[thread] = threads.count + 1 }
      kept.append(
        Event(
          operation: operation, start: start - begun, nanoseconds: end - start, operations: operations,
          bytes: bytes, shape: shape, thread: threads[thread] ?? 0))
    }
  }
}

/// Operations of a `Backend`, by the names that a profile gives them.
public enum ProfiledOperation: Int, CaseIterable, Sendable {
  case linear, linearBackward, geluAgain
  case attention, attentionBackward, softmaxPool, softmaxPoolBackward, segmentMax, segmentMaxBackward, pairDot
  case pairDotBackward, convolve, convolveBackward, segmentSoftmax
  case gatherSum, scatterAdd, dropout, transpose, layerNorm, layerNormBackward, normalizeRows
  case normalizeRowsBackward, argmax, topK
  case crossEntropy, segmentCrossEntropy, binaryCrossEntropy, distances, ranking, addSum
  case addSumOfSquares, optimizerStep
  case fill, add, copy, scale, upload, download, read, wait

  /// In words: `layerNormBackward` is "layer norm backward".
  public var name: String {
    var words = ""
    for letter in "\(self)" { words += letter.isUppercase ? " " + letter.lowercased() : String(letter) }
    return words
  }
}
