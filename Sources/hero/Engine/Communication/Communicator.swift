import Foundation

/// The processes of a job, its ranks, as one of them sees them.
///
/// All ranks call the same collectives in the same order on each channel and get the same results.
/// Half a job is of no use, so nothing here throws: a communicator that fails says why and ends the
/// job.
public protocol Communicator: AnyObject, Sendable {
  /// The number of this process, from 0; rank 0 writes files and messages.
  var rank: Int { get }
  /// The number of processes.
  var size: Int { get }
  /// A description such as `4 processes, Open MPI v4.1.4`; empty for a single process.
  var summary: String { get }
  /// Begins a collective; its memory must stay as it is until the collective is over.
  func begin(_ collective: Collective, on channel: Channel) -> PendingCollective
  /// Says why the job cannot continue, and ends all ranks at once.
  func fail(_ message: String) -> Never
}

/// A sequence of collectives that does not wait for those of the other channel.
///
/// So an update's gradients may travel while another collective runs.
public enum Channel: Int, CaseIterable, Sendable {
  /// Collectives whose results are needed at once.
  case foreground
  /// Gradients, which travel during the backward pass.
  case gradients
}

/// A joint operation of all ranks, in place, in the host's memory.
public enum Collective {
  /// The sum of each element over all ranks.
  case sum(UnsafeMutableBufferPointer<Float>)
  case sumDoubles(UnsafeMutableBufferPointer<Double>)
  /// The largest value of each element over all ranks.
  case maximum(UnsafeMutableBufferPointer<Double>)
  /// The bitwise OR over all ranks.
  case union(UnsafeMutableBufferPointer<UInt8>)
  /// Every rank's bytes end to end, in the order of the ranks; each rank puts its own in place
  /// before.
  case gather(UnsafeMutableRawBufferPointer, counts: [Int])
  /// One rank's bytes, on all ranks.
  case broadcast(UnsafeMutableRawBufferPointer, from: Int)
  /// Only the wait for one another.
  case barrier
}

/// A collective in progress.
public final class PendingCollective: @unchecked Sendable {
  private let condition = NSCondition()
  private var isDone = false
  private var waiting = 0
  /// The time at which it began, in seconds on a monotonic clock.
  public let began = monotonicSeconds()
  /// The time at which it ended, in seconds on the same clock; read it after `wait`.
  public private(set) var ended = 0.0

  /// Makes a collective that has not ended.
  public init() {}

  /// Ends the collective and wakes those who wait; the communicator calls it once.
  public func finish() {
    condition.lock()
    ended = monotonicSeconds()
    isDone = true
    condition.broadcast()
    condition.unlock()
  }

  /// Whether a thread is waiting for it to end.
  public var isAwaited: Bool {
    condition.lock()
    defer { condition.unlock() }
    return waiting > 0
  }

  /// Waits until the collective is over.
  public func wait() {
    condition.lock()
    waiting += 1
    while !isDone { condition.wait() }
    waiting -= 1
    condition.unlock()
  }
}

/// Returns the seconds on a monotonic clock.
public func monotonicSeconds() -> Double { Double(DispatchTime.now().uptimeNanoseconds) * 1e-9 }

/// A single process, which holds everything already.
public final class SoleCommunicator: Communicator {
  /// The only instance; it has no state.
  public static let shared = SoleCommunicator()

  /// 0: the first rank, which writes files and messages.
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
  /// Whether this rank writes files and messages.
  public var isFirst: Bool { rank == 0 }

  /// Returns this rank's part of `count` items; end to end, the ranks' parts are all of them, as
  /// even as possible.
  public func part(of count: Int) -> Range<Int> { count * rank / size..<count * (rank + 1) / size }

  /// Waits for all ranks.
  public func barrier() { begin(.barrier, on: .foreground).wait() }

  /// Returns the sum of each number over all ranks.
  public func sum(_ values: [Double]) -> [Double] { combined(values) { .sumDoubles($0) } }

  /// Returns the largest value of each number over all ranks.
  public func maximum(_ values: [Double]) -> [Double] { combined(values) { .maximum($0) } }

  private func combined(
    _ values: [Double], _ collective: (UnsafeMutableBufferPointer<Double>) -> Collective
  ) -> [Double] {
    guard size > 1, !values.isEmpty else { return values }
    var values = values
    values.withUnsafeMutableBufferPointer { begin(collective($0), on: .foreground).wait() }
    return values
  }

  /// Returns every rank's bytes, of any number each.
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

  /// Returns every rank's elements, end to end.
  /// - Parameter counts: the number of elements of each rank, which all ranks know.
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

  /// The most bytes of a collective, well within MPI's 32-bit counts.
  private static var mostBytes: Int { 1 << 28 }

  /// - Parameter counts: the number of bytes of each rank.
  func gather(_ buffer: UnsafeMutableRawBufferPointer, counts: [Int]) {
    let total = counts.reduce(0, +)
    if total <= Self.mostBytes { return begin(.gather(buffer, counts: counts), on: .foreground).wait() }
    var start = 0
    for (rank, count) in counts.enumerated() {
      broadcast(UnsafeMutableRawBufferPointer(rebasing: buffer[start..<start + count]), from: rank)
      start += count
    }
  }

  /// Copies the bytes of one rank to all.
  func broadcast(_ buffer: UnsafeMutableRawBufferPointer, from root: Int) {
    for first in stride(from: 0, to: buffer.count, by: Self.mostBytes) {
      let piece = buffer[first..<min(buffer.count, first + Self.mostBytes)]
      begin(.broadcast(UnsafeMutableRawBufferPointer(rebasing: piece), from: root), on: .foreground).wait()
    }
  }

  /// Returns rank 0's numbers on all ranks, which pass as many.
  public func broadcast(_ values: [Double]) -> [Double] {
    guard size > 1 else { return values }
    var values = values
    values.withUnsafeMutableBytes { broadcast($0, from: 0) }
    return values
  }
}
