import Foundation

/// The processes of a job, its ranks, as one of them sees them.
///
/// All ranks call the same collectives in the same order on each channel; what they come to is the
/// same on all of them. Half a job is of no use: a communicator that fails tells why and ends the
/// process, and with it the job, so that nothing here throws.
public protocol Communicator: AnyObject, Sendable {
  /// Which process this is, from 0. Rank 0 writes files and speaks for all.
  var rank: Int { get }
  /// How many processes there are.
  var size: Int { get }
  /// What they are, in words: `4 processes on 2 machines (Open MPI v4.1.4)`; empty for one that is
  /// alone.
  var summary: String { get }
  /// Begins a collective, whose memory must stay as it is until it is over.
  func begin(_ collective: Collective, on channel: Channel) -> PendingCollective
  /// Says why the job cannot continue, and ends all ranks at once.
  func fail(_ message: String) -> Never
}

/// Collectives of two channels do not wait for one another, so an update's gradients may be under
/// way while another collective runs.
public enum Channel: Int, CaseIterable, Sendable {
  /// What is needed at once.
  case foreground
  /// Gradients, which travel during the backward pass.
  case gradients
}

/// What ranks do together, in place, in the host's memory.
public enum Collective {
  /// Elements added up over all ranks.
  case sum(UnsafeMutableBufferPointer<Float>)
  case sumDoubles(UnsafeMutableBufferPointer<Double>)
  /// The largest of each element.
  case maximum(UnsafeMutableBufferPointer<Double>)
  /// The bits that any rank has.
  case union(UnsafeMutableBufferPointer<UInt8>)
  /// Every rank's bytes end to end, in the order of the ranks; a rank's own lie in their place
  /// before.
  case gather(UnsafeMutableRawBufferPointer, counts: [Int])
  /// The bytes of one rank.
  case broadcast(UnsafeMutableRawBufferPointer, from: Int)
  /// Nothing but the waiting for one another.
  case barrier
}

/// A collective that is under way.
public final class PendingCollective: @unchecked Sendable {
  private let condition = NSCondition()
  private var isDone = false
  private var waiting = 0
  /// When it was begun, in seconds on a clock that never goes back.
  public let began = monotonicSeconds()
  /// When it was over; read it after `wait`.
  public private(set) var ended = 0.0

  /// A collective that has not ended.
  public init() {}

  /// Tells those who wait. Called once, by the communicator.
  public func finish() {
    condition.lock()
    ended = monotonicSeconds()
    isDone = true
    condition.broadcast()
    condition.unlock()
  }

  /// Whether a thread does nothing else until it is over.
  public var isAwaited: Bool {
    condition.lock()
    defer { condition.unlock() }
    return waiting > 0
  }

  /// Returns when it is over.
  public func wait() {
    condition.lock()
    waiting += 1
    while !isDone { condition.wait() }
    waiting -= 1
    condition.unlock()
  }
}

/// Seconds on a clock that never goes back.
public func monotonicSeconds() -> Double { Double(DispatchTime.now().uptimeNanoseconds) * 1e-9 }

/// A process that is alone: everything is its own already.
public final class SoleCommunicator: Communicator {
  /// The only instance; it has no state.
  public static let shared = SoleCommunicator()

  /// 0: the first rank, which writes and speaks.
  public var rank: Int { 0 }
  /// 1
  public var size: Int { 1 }
  /// Empty: there is no other process to name.
  public var summary: String { "" }

  /// Ends at once: one rank's sum, gather and broadcast are its own values.
  public func begin(_ collective: Collective, on channel: Channel) -> PendingCollective {
    let pending = PendingCollective()
    pending.finish()
    return pending
  }

  /// Writes the message to standard error and exits with status 1.
  public func fail(_ message: String) -> Never {
    try? FileHandle.standardError.write(contentsOf: Data("hero: error: \(message)\n".utf8))
    _exit(1)
  }
}

extension Communicator {
  /// Whether this rank writes files and speaks.
  public var isFirst: Bool { rank == 0 }

  /// This rank's part of `count` things in a row, as even as possible: the parts end to end are all
  /// of them.
  public func part(of count: Int) -> Range<Int> { count * rank / size..<count * (rank + 1) / size }

  /// Waits for all ranks.
  public func barrier() { begin(.barrier, on: .foreground).wait() }

  /// Each number added up over all ranks.
  public func sum(_ values: [Double]) -> [Double] { combined(values) { .sumDoubles($0) } }

  /// The largest of each number.
  public func maximum(_ values: [Double]) -> [Double] { combined(values) { .maximum($0) } }

  private func combined(
    _ values: [Double], _ collective: (UnsafeMutableBufferPointer<Double>) -> Collective
  ) -> [Double] {
    guard size > 1, !values.isEmpty else { return values }
    var values = values
    values.withUnsafeMutableBufferPointer { begin(collective($0), on: .foreground).wait() }
    return values
  }

  /// Every rank's bytes, of any number each.
  public func gather(_ bytes: [UInt8]) -> [[UInt8]] {
    guard size > 1 else { return [bytes] }
    var counts = [Double](repeating: 0, count: size)
    counts[rank] = Double(bytes.count)
    let sizes = sum(counts).map { Int($0) }
    let all = gather(bytes, counts: sizes)
    var end = 0
    return sizes.map {
      end += $0
      return Array(all[end - $0..<end])
    }
  }

  /// Every rank's elements end to end.
  /// - Parameter counts: how many each has, which all ranks know.
  public func gather<Element: BitwiseCopyable>(_ own: [Element], counts: [Int]) -> [Element] {
    precondition(counts.count == size && own.count == counts[rank])
    guard size > 1 else { return own }
    let total = counts.reduce(0, +)
    return [Element](unsafeUninitializedCapacity: total) { buffer, count in
      let start = counts[..<rank].reduce(0, +)
      if !own.isEmpty {
        _ = UnsafeMutableBufferPointer(rebasing: buffer[start..<start + own.count]).initialize(from: own)
      }
      gather(UnsafeMutableRawBufferPointer(buffer), counts: counts.map { $0 * MemoryLayout<Element>.stride })
      count = total
    }
  }

  /// Bytes that MPI's counts of 32 bits hold, with room to spare.
  private static var mostBytes: Int { 1 << 28 }

  /// - Parameter counts: bytes of each rank.
  func gather(_ buffer: UnsafeMutableRawBufferPointer, counts: [Int]) {
    let total = counts.reduce(0, +)
    if total <= Self.mostBytes { return begin(.gather(buffer, counts: counts), on: .foreground).wait() }
    var start = 0
    for (rank, count) in counts.enumerated() {
      broadcast(UnsafeMutableRawBufferPointer(rebasing: buffer[start..<start + count]), from: rank)
      start += count
    }
  }

  /// The bytes of one rank, on all.
  func broadcast(_ buffer: UnsafeMutableRawBufferPointer, from root: Int) {
    for first in stride(from: 0, to: buffer.count, by: Self.mostBytes) {
      let piece = buffer[first..<min(buffer.count, first + Self.mostBytes)]
      begin(.broadcast(UnsafeMutableRawBufferPointer(rebasing: piece), from: root), on: .foreground).wait()
    }
  }

  /// Rank 0's numbers, as many on all ranks.
  public func broadcast(_ values: [Double]) -> [Double] {
    guard size > 1 else { return values }
    var values = values
    values.withUnsafeMutableBytes { broadcast($0, from: 0) }
    return values
  }
}
