import CMPI
import Foundation
import Synchronization

/// The reason why a plugin cannot be used.
struct PluginProblem: Error { let reason: String }

/// The ranks of an MPI job.
///
/// One thread makes all calls of MPI, and none of them waits. It begins collectives for the other
/// threads, polls them, and sends the neighbours a sign of life every second. So collectives run
/// behind a computation under any MPI (MPI_THREAD_FUNNELED), and a lost rank or network is noticed
/// even if no thread waits for it.
public final class MPICommunicator: Communicator, @unchecked Sendable {
  /// The number of this process among ``size``, from 0.
  public let rank: Int
  /// The number of processes in the job.
  public let size: Int
  /// A description such as "4 processes, Open MPI v4.1.4".
  public let summary: String
  /// The lowest rank on the same machine.
  public let node: Int
  /// The number of ranks on the same machine that come before this one.
  public let place: Int
  private let plugin: hero_mpi_plugin
  private let condition = NSCondition()
  /// The collectives to begin; `condition` guards this and the following properties.
  private var asked: [Job] = []
  private var isLeaving = false
  private var isClosing = false
  private var isClosed = false
  private var endingStatus: Int32?
  /// The other ranks on this machine, with their process ids.
  private var neighbours: [(rank: Int, process: Int32)] = []
  private var lastLook = 0.0

  private struct Job {
    var collective: Collective
    var channel: Channel
    var pending: PendingCollective
  }

  /// The seconds of silence after which a rank counts as lost; 0 for never.
  private static let patience =
    ProcessInfo.processInfo.environment["HERO_MPI_TIMEOUT"].flatMap { Double($0) } ?? 30
  /// The same after a signal has asked the program to stop, since a launcher that loses a rank
  /// sends a signal to the others, which wait for that rank.
  private static let patienceAfterSignal = 5.0
  /// The most collectives that the plugin has under way; it has room for some more.
  private static let mostUnderWay = 64

  /// Joins the job that this process was started in.
  /// - Throws: `PluginProblem` if the plugin cannot be loaded; `EngineError` if MPI does not start.
  init(plugin path: String) throws {
    guard FileManager.default.fileExists(atPath: path) else {
      throw PluginProblem(reason: "there is no such file")
    }
    var reason: UnsafePointer<CChar>?
    guard let plugin = hero_mpi_load(path, &reason)?.pointee else {
      throw PluginProblem(reason: reason.map { String(cString: $0) } ?? "no reason given")
    }
    self.plugin = plugin
    let opening = Opening()
    let thread = Thread { opening.run(plugin) }
    thread.name = "hero-mpi"
    thread.start()
    let job = try opening.job()
    (rank, size, node, place) = (Int(job.rank), Int(job.size), Int(job.node), Int(job.place))
    let name = withUnsafeBytes(of: job.library) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    summary = "\(size) processes, \(name)"
    opening.hand(to: self)
    let processes = gather([Int32(node), getpid()], counts: [Int](repeating: 2, count: size))
    condition.lock()
    neighbours = (0..<size).compactMap { other in
      let process = processes[2 * other + 1]
      // A process in another container may be on this machine and yet invisible.
      let isSeen = other != rank && Int(processes[2 * other]) == node && !Self.isGone(process)
      return isSeen ? (other, process) : nil
    }
    condition.unlock()
  }

  private static func isGone(_ process: Int32) -> Bool { kill(process, 0) != 0 && errno == ESRCH }

  /// The handshake between the thread that makes all calls and the one that makes the communicator.
  private final class Opening: @unchecked Sendable {
    private let opened = DispatchSemaphore(value: 0)
    private let handed = DispatchSemaphore(value: 0)
    private var found = hero_mpi_job()
    private var problem: String?
    private var communicator: MPICommunicator?

    func run(_ plugin: hero_mpi_plugin) {
      problem = plugin.open(&found).map { String(cString: $0) }
      opened.signal()
      guard problem == nil else { return }
      handed.wait()
      communicator?.work()
    }

    func job() throws -> hero_mpi_job {
      opened.wait()
      if let problem { throw EngineError("MPI does not start: \(problem)") }
      return found
    }

    func hand(to communicator: MPICommunicator) {
      self.communicator = communicator
      handed.signal()
    }
  }

  /// Hands the collective to the thread that calls MPI.
  public func begin(_ collective: Collective, on channel: Channel) -> PendingCollective {
    let pending = PendingCollective()
    condition.lock()
    asked.append(Job(collective: collective, channel: channel, pending: pending))
    condition.signal()
    condition.unlock()
    return pending
  }

  /// Waits for all ranks and leaves the job; no collective can follow.
  /// - Parameter status: the exit status if MPI does not return, as over a network that has failed.
  public func close(status: Int32) {
    condition.lock()
    isLeaving = true
    condition.unlock()
    barrier()
    endsProcess(after: 10, status: status)
    condition.lock()
    isClosing = true
    condition.signal()
    while !isClosed { condition.wait() }
    condition.unlock()
  }

  /// Ends all ranks with a message and status 1.
  public func fail(_ message: String) -> Never {
    tell(message)
    abort(status: 1)
  }

  /// Ends all ranks at once.
  public func abort(status: Int32) -> Never {
    condition.lock()
    endingStatus = status
    condition.signal()
    condition.unlock()
    // MPI ends this process too, but may take its time if it cannot reach the others.
    sleep(5)
    _exit(status)
  }
}

// MARK: - The thread that makes all calls

extension MPICommunicator {
  private func work() {
    var underWay: [(number: Int32, job: Job)] = []
    var waiting: [Job] = []
    var idleRounds = 0
    while true {
      condition.lock()
      if asked.isEmpty, waiting.isEmpty, underWay.isEmpty, !isClosing, endingStatus == nil {
        _ = condition.wait(until: Date(timeIntervalSinceNow: 0.25))
      }
      if !asked.isEmpty { idleRounds = 0 }
      waiting += asked
      asked = []
      let (closes, status) = (isClosing, endingStatus)
      condition.unlock()
      if let status {
        plugin.abort(status)
        _exit(status)
      }
      if closes, waiting.isEmpty, underWay.isEmpty { return leave() }
      let begun = waiting.prefix(Self.mostUnderWay - underWay.count)
      for job in begun { underWay.append((begin(job), job)) }
      waiting.removeFirst(begun.count)
      let before = underWay.count
      underWay.removeAll { number, job in
        let done = plugin.test(number)
        if done < 0 { end(problem) }
        if done > 0 { job.pending.finish() }
        return done > 0
      }
      listen()
      guard !underWay.isEmpty else { continue }
      idleRounds = underWay.count < before ? 0 : idleRounds + 1
      rest(rounds: idleRounds, isAwaited: underWay.contains { $0.job.pending.isAwaited })
    }
  }

  /// Yields the processor to threads that compute, for longer if nothing moves or no thread waits.
  private func rest(rounds: Int, isAwaited: Bool) {
    if isAwaited, rounds < 200 { sched_yield() } else { usleep(isAwaited ? 20 : 200) }
  }

  private func begin(_ job: Job) -> Int32 {
    let channel = Int32(job.channel.rawValue)
    func call(
      _ kind: hero_mpi_kind, _ buffer: UnsafeMutableRawPointer?, _ count: Int, _ counts: [Int32] = [],
      root: Int = 0
    ) -> Int32 {
      counts.withUnsafeBufferPointer {
        plugin.begin(channel, Int32(kind.rawValue), buffer, count, $0.baseAddress, Int32(root))
      }
    }
    let number =
      switch job.collective {
      case .sum(let values): call(HERO_MPI_SUM_FLOAT, values.baseAddress, values.count)
      case .sumDoubles(let values): call(HERO_MPI_SUM_DOUBLE, values.baseAddress, values.count)
      case .maximum(let values): call(HERO_MPI_MAX_DOUBLE, values.baseAddress, values.count)
      case .union(let bits): call(HERO_MPI_OR_BYTE, bits.baseAddress, bits.count)
      case .gather(let bytes, let counts):
        call(HERO_MPI_GATHER, bytes.baseAddress, bytes.count, counts.map { Int32($0) })
      case .broadcast(let bytes, let root):
        call(HERO_MPI_BROADCAST, bytes.baseAddress, bytes.count, root: root)
      case .barrier: call(HERO_MPI_BARRIER, nil, 0)
      }
    guard number >= 0 else { end(problem) }
    return number
  }

  private var problem: String { plugin.problem().map { String(cString: $0) } ?? "no reason given" }

  private func listen() {
    let now = monotonicSeconds()
    let silence = plugin.beat(now)
    if silence < 0 { end(problem) }
    condition.lock()
    let looks = !isLeaving && now - lastLook >= 1
    if looks { lastLook = now }
    let gone = looks ? neighbours.first { Self.isGone($0.process) } : nil
    condition.unlock()
    if let gone { end("rank \(gone.rank) (process \(gone.process)) is gone") }
    let isStopping = Interruption.received.load(ordering: .relaxed) != 0
    let patience = isStopping ? min(Self.patience, Self.patienceAfterSignal) : Self.patience
    if patience > 0, silence > patience {
      let before = (rank + size - 1) % size
      end("rank \(before) was not heard of for \(Int(silence)) s: its machine or the network is gone")
    }
  }

  private func leave() {
    plugin.close()
    condition.lock()
    isClosed = true
    condition.broadcast()
    condition.unlock()
  }

  private func tell(_ message: String) {
    try? FileHandle.standardError.write(contentsOf: Data("hero: error: rank \(rank): \(message)\n".utf8))
  }

  /// Ends all ranks as `fail` does, from the thread that calls MPI.
  private func end(_ message: String) -> Never {
    tell(message)
    endsProcess(after: 5, status: 1)
    plugin.abort(1)
    _exit(1)
  }

  /// Exits after some seconds, since MPI may wait for ever for ranks that it cannot reach.
  private func endsProcess(after seconds: UInt32, status: Int32) {
    let deadline = Thread {
      sleep(seconds)
      _exit(status)
    }
    deadline.start()
  }
}
