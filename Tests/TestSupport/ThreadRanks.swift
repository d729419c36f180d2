import Engine
import Foundation

/// The ranks of a job as threads of this process.
public enum ThreadRanks {
  /// Runs `body` once for each of `size` ranks at the same time.
  /// - Returns: what each rank's came to, in their order.
  public static func run<Result: Sendable>(
    _ size: Int, _ body: @escaping @Sendable (any Communicator) throws -> Result
  ) throws -> [Result] {
    let job = Job(size: size)
    let results = Results<Result>(size)
    for rank in 0..<size {
      let thread = Thread {
        results.put(Swift.Result { try body(Rank(rank: rank, job: job)) }, at: rank)
      }
      thread.stackSize = 4 << 20
      thread.start()
    }
    return try results.wait().map { try $0.get() }
  }

  private final class Results<Value: Sendable>: @unchecked Sendable {
    private let condition = NSCondition()
    private var values: [Result<Value, any Error>?]

    init(_ count: Int) { values = [Result<Value, any Error>?](repeating: nil, count: count) }

    func put(_ value: Result<Value, any Error>, at rank: Int) {
      condition.lock()
      values[rank] = value
      condition.signal()
      condition.unlock()
    }

    /// Waits for all results, or for a failure alone: a failed rank leaves the others waiting for
    /// ever.
    func wait() -> [Result<Value, any Error>] {
      condition.lock()
      defer { condition.unlock() }
      while true {
        if let failure = values.first(where: { if case .failure = $0 { true } else { false } }) ?? nil {
          return [failure]
        }
        let all = values.compactMap { $0 }
        if all.count == values.count { return all }
        condition.wait()
      }
    }
  }

  /// The collectives that some of the ranks have begun.
  private final class Job: @unchecked Sendable {
    let size: Int
    private let lock = NSLock()
    private var meetings: [Meeting: [Int: (Collective, PendingCollective)]] = [:]

    struct Meeting: Hashable {
      var channel: Channel
      var number: Int
    }

    init(size: Int) { self.size = size }

    func join(_ meeting: Meeting, _ rank: Int, _ collective: Collective, _ pending: PendingCollective) {
      lock.lock()
      meetings[meeting, default: [:]][rank] = (collective, pending)
      let all = meetings[meeting] ?? [:]
      if all.count == size { meetings[meeting] = nil }
      lock.unlock()
      guard all.count == size else { return }
      let ranks = (0..<size).compactMap { all[$0] }
      combine(ranks.map(\.0))
      for (_, pending) in ranks { pending.finish() }
    }

    private func combine(_ collectives: [Collective]) {
      switch collectives[0] {
      case .sum:
        let all = collectives.compactMap { if case .sum(let values) = $0 { values } else { nil } }
        reduce(all, +)
      case .sumDoubles:
        let all = collectives.compactMap { if case .sumDoubles(let values) = $0 { values } else { nil } }
        reduce(all, +)
      case .maximum:
        let all = collectives.compactMap { if case .maximum(let values) = $0 { values } else { nil } }
        reduce(all, max)
      case .union:
        let all = collectives.compactMap { if case .union(let bits) = $0 { bits } else { nil } }
        reduce(all, |)
      case .gather(_, let counts):
        let all = collectives.compactMap { if case .gather(let bytes, _) = $0 { bytes } else { nil } }
        precondition(all.count == size, "the ranks met in different collectives")
        var start = 0
        for (rank, count) in counts.enumerated() {
          for other in all where count > 0 && other.baseAddress != all[rank].baseAddress {
            UnsafeMutableRawBufferPointer(rebasing: other[start..<start + count])
              .copyMemory(from: UnsafeRawBufferPointer(rebasing: all[rank][start..<start + count]))
          }
          start += count
        }
      case .broadcast(_, let root):
        let all = collectives.compactMap { if case .broadcast(let bytes, _) = $0 { bytes } else { nil } }
        precondition(all.count == size, "the ranks met in different collectives")
        for (rank, bytes) in all.enumerated() where rank != root {
          bytes.copyMemory(from: UnsafeRawBufferPointer(all[root]))
        }
      case .barrier: break
      }
    }

    private func reduce<Element>(
      _ all: [UnsafeMutableBufferPointer<Element>], _ combine: (Element, Element) -> Element
    ) {
      precondition(
        all.count == size && Set(all.map(\.count)).count == 1, "the ranks met in different collectives")
      for place in all[0].indices {
        var value = all[0][place]
        for other in all.dropFirst() { value = combine(value, other[place]) }
        for other in all { other[place] = value }
      }
    }
  }

  private final class Rank: Communicator, @unchecked Sendable {
    let rank: Int
    private let job: Job
    /// The number of collectives begun on each channel, by one thread for a channel.
    private var begun: [Channel: Int] = [:]

    init(rank: Int, job: Job) { (self.rank, self.job) = (rank, job) }

    var size: Int { job.size }
    var summary: String { "\(size) threads" }

    func begin(_ collective: Collective, on channel: Channel) -> PendingCollective {
      let pending = PendingCollective()
      let number = begun[channel, default: 0]
      begun[channel] = number + 1
      job.join(Job.Meeting(channel: channel, number: number), rank, collective, pending)
      return pending
    }

    func fail(_ message: String) -> Never { fatalError("rank \(rank): \(message)") }
  }
}
