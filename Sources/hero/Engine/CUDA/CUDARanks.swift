import CCUDA
import Foundation

/// NCCL between the GPUs of a job's ranks, one GPU a rank.
///
/// One communicator serves two streams: the device's, and one on which gradients travel during the
/// backward pass. NCCL does not promise to run two operations at once, so all ranks must call in
/// one order over both streams; `GradientExchange` ensures it.
///
/// The communicator lives until the process ends. Destroying it would wait for ranks that may have
/// failed, and aborting it would lose what is still on its way to them.
final class CUDARanks: DeviceLink, @unchecked Sendable {
  let summary: String
  private let rank: Int
  private let stream: CUDAStream
  /// The stream of sums that run beside other work.
  private let side: CUDAStream
  private let memory: CUDAMemory
  private let handle: UnsafeMutableRawPointer
  private let communicator: any Communicator
  /// The events that the side's next sum and the device's stream wait for.
  private let (ready, finished): (UnsafeMutableRawPointer, UnsafeMutableRawPointer)

  private var functions: hero_cuda_functions { stream.functions }

  /// Joins the other ranks; all of them call this at the same time.
  /// - Parameter communicator: the ranks; reports a failure of NCCL.
  /// - Throws: `EngineError` with NCCL's message.
  init(_ communicator: any Communicator, stream: CUDAStream, memory: CUDAMemory) throws {
    (self.communicator, self.stream, self.memory) = (communicator, stream, memory)
    rank = communicator.rank
    let functions = stream.functions
    side = try CUDAStream(functions, ordinal: stream.ordinal)
    (ready, finished) = (stream.makeEvent(), stream.makeEvent())
    var id = hero_nccl_id()
    if communicator.isFirst {
      try Self.check(functions, functions.ranks_id(&id), "find the other ranks")
    }
    withUnsafeMutableBytes(of: &id) { communicator.broadcast($0, from: 0) }
    stream.enter()
    var handle: UnsafeMutableRawPointer?
    try Self.check(
      functions, functions.ranks_create(&handle, Int32(communicator.size), id, Int32(communicator.rank)),
      "join the other ranks")
    guard let handle else { throw EngineError("NCCL gave no communicator") }
    self.handle = handle
    summary = Self.version(functions)
    watch()
  }

  deinit {
    for stream in [side, stream] { stream.synchronize() }
    for event in [ready, finished] { _ = functions.event_destroy(event) }
  }

  /// Returns the library's name and version.
  static func version(_ functions: hero_cuda_functions) -> String {
    var code: Int32 = 0
    guard functions.ranks_version(&code) == 0 else { return "NCCL" }
    // Versions before 2.9 have one digit fewer for the minor number.
    let unit: Int32 = code < 10_000 ? 1_000 : 10_000
    return "NCCL \(code / unit).\(code % unit / 100).\(code % 100)"
  }

  /// NCCL's numbers: an operation and a state.
  private enum Code { static let (sum, underWay): (Int32, Int32) = (0, 7) }

  /// Returns NCCL's number of the tensor's type.
  private func type(of tensor: Tensor) -> Int32 {
    switch tensor.storage.type {
    case .int32: 2
    case .float32: 7
    case .float64: 8
    case .bfloat16: 9
    }
  }

  private func sum(_ tensor: Tensor, on stream: CUDAStream) {
    let elements = UnsafeMutableRawPointer(bitPattern: UInt(tensor.address))
    tensor.storage.onDevice.copyIsOld = true
    stream.enter()
    check(
      functions.ranks_sum(
        elements, elements, tensor.count, type(of: tensor), Code.sum, handle, stream.handle), "add up")
  }

  func sum(_ tensor: Tensor) { sum(tensor, on: stream) }

  func beginSum(_ tensor: Tensor) {
    stream.record(ready)
    side.wait(for: ready)
    sum(tensor, on: side)
  }

  func finishSums() {
    side.record(finished)
    stream.wait(for: finished)
  }

  private func broadcast(_ from: Tensor?, to: Tensor, root: Int) {
    let target = UnsafeMutableRawPointer(bitPattern: UInt(to.address))
    let source = from.map { UnsafeMutableRawPointer(bitPattern: UInt($0.address)) } ?? target
    to.storage.onDevice.copyIsOld = true
    check(
      functions.ranks_broadcast(
        source, target, to.count, type(of: to), Int32(root), handle, stream.handle), "hand on")
  }

  func broadcast(_ tensor: Tensor) {
    stream.enter()
    broadcast(nil, to: tensor, root: 0)
  }

  func gatherRows(_ own: Tensor, counts: [Int]) -> Tensor {
    let rows = counts.reduce(0, +)
    let all = Tensor(
      rows: rows, columns: own.columns,
      storage: CUDAStorage(count: rows * own.columns, type: own.storage.type, memory: memory))
    stream.enter()
    // An all-gather of unequal parts: a broadcast from each rank, done as one.
    check(functions.ranks_group_start(), "begin a gather")
    var start = 0
    for (root, count) in counts.enumerated() where count > 0 && own.columns > 0 {
      broadcast(root == rank ? own : nil, to: all.rowsView(start..<start + count), root: root)
      start += count
    }
    check(functions.ranks_group_end(), "gather")
    return all
  }
}

// MARK: - Failures

extension CUDARanks {
  private static func check(_ functions: hero_cuda_functions, _ failure: Int32, _ what: String) throws {
    guard failure != 0 else { return }
    throw EngineError("NCCL could not \(what): \(text(functions, failure))")
  }

  private static func text(_ functions: hero_cuda_functions, _ failure: Int32) -> String {
    let text = functions.ranks_error_string(failure).map { String(cString: $0) } ?? "no reason given"
    return "\(text) (\(failure)); NCCL_DEBUG=WARN says more"
  }

  /// Ends the whole job if a call failed.
  private func check(_ failure: Int32, _ what: String) {
    guard failure != 0 else { return }
    communicator.fail("NCCL could not \(what): \(Self.text(functions, failure))")
  }

  /// Watches for failures that no call reports, as when the device waits for a lost rank or
  /// network.
  private func watch() {
    let thread = Thread { [weak self] in
      while self?.isSound() == true { usleep(500_000) }
    }
    thread.name = "hero-nccl"
    thread.start()
  }

  private func isSound() -> Bool {
    var error: Int32 = 0
    let failure = functions.ranks_failure(handle, &error)
    let found = failure != 0 ? failure : error
    guard found != 0, found != Code.underWay else { return true }
    // This frees threads that wait for the device.
    _ = functions.ranks_abort(handle)
    communicator.fail("NCCL failed: \(Self.text(functions, found))")
  }
}
