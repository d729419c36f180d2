/// The sum of an update's gradients over all ranks, during the backward pass.
///
/// Neighbouring parameters form buckets. A bucket leaves as soon as the backward pass has left its
/// last parameter. All ranks agree on the order beforehand; early buckets go early. The collectives
/// of the backward pass have their place in that order, since devices keep to one. If any rank has
/// a gradient for a parameter, all get one, of zeros on a rank without.
public final class GradientExchange {
  private let store: ParameterStore
  private let communicator: any Communicator
  private let bucketSize: Int
  /// The timing of all exchanges so far.
  public private(set) var timing = Timing()

  /// The timing of exchanges.
  public struct Timing: Equatable, Sendable {
    /// The number of updates that the other figures cover.
    public var updates = 0
    /// The bytes of gradients that each rank had to sum, without table rows that no rank has.
    public var bytes = 0
    /// The seconds in which gradients were under way, including the wait for slower ranks.
    public var underway = 0.0
    /// The part of these seconds in which there was nothing else to do.
    public var exposed = 0.0

    /// The share of the exchange that the backward pass hid; nil if nothing was exchanged.
    public var hidden: Double? { underway > 0 ? max(0, 1 - exposed / underway) : nil }

    /// Returns the timing between two readings.
    public static func - (later: Timing, earlier: Timing) -> Timing {
      Timing(
        updates: later.updates - earlier.updates, bytes: later.bytes - earlier.bytes,
        underway: later.underway - earlier.underway, exposed: later.exposed - earlier.exposed)
    }
  }

  /// - Parameter bucketSize: the approximate number of elements of a bucket: large enough that a
  ///   message's start costs little, small enough that the first leaves early. By default 8 MB, and
  ///   32 MB between devices with a link, which is faster.
  public init(_ store: ParameterStore, communicator: any Communicator, bucketSize: Int? = nil) {
    self.store = store
    self.communicator = communicator
    self.bucketSize = max(1, bucketSize ?? (store.backend.link == nil ? 1 << 21 : 1 << 23))
  }

  /// Runs the backward pass of an update's last batch, after which the store holds the sums over
  /// all ranks.
  /// - Parameter tape: nil if no rank has a batch: gradients of earlier ones may still need the
  ///   exchange.
  public func backward(_ tape: Tape?) {
    guard communicator.size > 1 else {
      tape?.backward()
      return
    }
    var (buckets, bucketOf) = agreedBuckets(tape)
    var (sums, tables): ([PendingSum], [SharedTable]) = ([], [])
    var (next, exchanges) = (0, 0)
    let leave = { [self] in
      while next < buckets.count, buckets[next].unfinished == 0, buckets[next].exchanges <= exchanges {
        complete(buckets[next])
        if let table = table(in: buckets[next]) {
          tables.append(table)
        } else {
          sums += begin(
            store.gradients(buckets[next].range, rows: 1, columns: buckets[next].range.count))
        }
        next += 1
      }
    }
    leave()
    tape?.backward {
      exchanges += 1
      leave()
    } finished: { parameter in
      guard let bucket = bucketOf[ObjectIdentifier(parameter)] else { return }
      buckets[bucket].unfinished -= 1
      leave()
    }
    precondition(next == buckets.count, "a bucket was never ready")
    let idle = monotonicSeconds()
    for table in tables { sums += begin(table.rows()) }
    for sum in sums { sum.wait() }
    for table in tables { table.finish() }
    account(sums, idleSince: idle, bytes: sums.reduce(0) { $0 + $1.tensor.count } * 4)
    bucketOf = [:]
  }

  private func account(_ sums: [PendingSum], idleSince: Double, bytes: Int) {
    timing.updates += 1
    timing.bytes += bytes
    timing.exposed += monotonicSeconds() - idleSince
    // Collectives begin in order; this adds the time in which at least one was under way.
    var end = 0.0
    for collective in sums.compactMap(\.collective) {
      timing.underway += max(0, collective.ended - max(end, collective.began))
      end = max(end, collective.ended)
    }
  }

  /// Adjoining parameters whose gradients leave together.
  private struct Bucket {
    var range: Range<Int>
    var parameters: [Parameter]
    /// The lowest record of its parameters, where the backward pass reaches the last of them.
    var turn: Double
    /// The number of collectives of the backward pass that come before it.
    var exchanges: Int
    /// The number of parameters that this rank's backward pass has yet to leave.
    var unfinished = 0
    var isTable: Bool { SharedTable.isMeant(for: parameters[0]) }
  }

  /// Returns all ranks' buckets in the order in which they leave, and the bucket of each parameter
  /// that this rank waits for.
  private func agreedBuckets(_ tape: Tape?) -> ([Bucket], [ObjectIdentifier: Int]) {
    let parameters = store.parameters
    let uses = tape?.firstUses ?? [:]
    // The record at which the backward pass leaves a parameter, the higher the earlier; −1 without
    // a gradient.
    let ready = Double(UInt32.max)
    let turns = parameters.map { parameter in
      uses[ObjectIdentifier(parameter)].map { Double($0) } ?? (parameter.hasGradient ? ready : -1)
    }
    // A rank that leaves a parameter earlier waits for the collectives that precede it on other
    // ranks.
    let earlier = parameters.map { parameter in
      uses[ObjectIdentifier(parameter)].map { use in Double(tape?.exchanges.count { $0 >= use } ?? 0) } ?? 0
    }
    let agreed = communicator.maximum(turns + earlier)
    var buckets: [Bucket] = []
    for (place, parameter) in parameters.enumerated() {
      let (turn, exchanges) = (agreed[place], Int(agreed[parameters.count + place]))
      guard turn >= 0, parameter.count > 0 else { continue }
      if let last = buckets.last, !last.isTable, !SharedTable.isMeant(for: parameter),
        last.range.upperBound == parameter.range.lowerBound,
        last.range.count + parameter.count <= bucketSize, store.share(last.parameters[0], parameter)
      {
        buckets[buckets.count - 1].range = last.range.lowerBound..<parameter.range.upperBound
        buckets[buckets.count - 1].parameters.append(parameter)
        buckets[buckets.count - 1].turn = min(last.turn, turn)
        buckets[buckets.count - 1].exchanges = max(last.exchanges, exchanges)
      } else {
        buckets.append(
          Bucket(range: parameter.range, parameters: [parameter], turn: turn, exchanges: exchanges))
      }
    }
    // Of equal turns, the bucket further back in the arena leaves first, on every rank alike.
    buckets.sort {
      ($1.exchanges, $0.turn, $0.range.lowerBound) > ($0.exchanges, $1.turn, $1.range.lowerBound)
    }
    var places: [ObjectIdentifier: Int] = [:]
    for place in buckets.indices {
      for parameter in buckets[place].parameters where uses[ObjectIdentifier(parameter)] != nil {
        places[ObjectIdentifier(parameter)] = place
        buckets[place].unfinished += 1
      }
    }
    return (buckets, places)
  }

  private func complete(_ bucket: Bucket) {
    for parameter in bucket.parameters { store.completeGradient(of: parameter) }
  }

  /// Returns the table of a bucket that consists of one; nil for other buckets.
  private func table(in bucket: Bucket) -> SharedTable? {
    let parameter = bucket.parameters[0]
    guard bucket.isTable, let gradient = parameter.gradient, let rows = parameter.gradientRows else {
      return nil
    }
    return SharedTable(gradient, rows: rows, backend: store.backend, communicator: communicator)
  }

  private func begin(_ tensor: Tensor) -> [PendingSum] {
    // A large tensor leaves in pieces, which the network takes up one after another.
    stride(from: 0, to: tensor.count, by: 2 * bucketSize).map { first in
      let range = first..<min(tensor.count, first + 2 * bucketSize)
      return communicator.beginSum(
        tensor.slice(range, rows: 1, columns: range.count), on: store.backend, channel: .gradients)
    }
  }
}
