import CCUDA
import Foundation

/// A device's memory: blocks of its stream-ordered pool, which are kept and reused.
///
/// Any thread may take a block as soon as it is given back: its next use comes later in the same
/// stream. Uploads on the second stream come after what is queued on this one.
final class CUDAMemory: @unchecked Sendable {
  let stream: CUDAStream
  private let pool: BufferPool<UInt64>
  private let staging: CUDAStaging
  private let lock = NSLock()
  /// The buffers given back while a graph is recorded; nil if none is.
  private var held: [BufferPool<UInt64>.Buffer]?
  private let recording = Recording()
  /// The event that marks what is queued before a graph is recorded.
  private let began: UnsafeMutableRawPointer

  /// The event to wait for during a recording, when nothing can wait for the stream itself.
  private final class Recording { var began: UnsafeMutableRawPointer? }

  /// - Throws: `EngineError` where the driver refuses a stream.
  init(_ stream: CUDAStream) throws {
    self.stream = stream
    // Regions are allocated on a stream of their own, since the other may be recording a graph.
    let own = try CUDAStream(stream.functions, ordinal: stream.ordinal)
    let recording = recording
    began = stream.makeEvent()
    pool = BufferPool { bytes in
      stream.enter()
      var address: UInt64 = 0
      guard stream.functions.allocate(&address, bytes, own.handle) == 0 else { return nil }
      own.synchronize()
      return address
    } release: {
      // Work that is queued may still use it.
      if let began = recording.began { stream.wait(until: began) } else { stream.synchronize() }
      _ = stream.functions.release($0, own.handle)
    }
    staging = try CUDAStaging(stream, deviceRoom: pool)
  }

  deinit {
    stream.synchronize()
    _ = stream.functions.event_destroy(began)
  }

  var use: (peak: Int, now: Int) { pool.use }

  func take(bytes: Int) -> BufferPool<UInt64>.Buffer { pool.take(bytes: bytes) }
  func give(_ buffer: BufferPool<UInt64>.Buffer) {
    let isHeld = lock.withLock {
      held?.append(buffer)
      return held != nil
    }
    if !isHeld { pool.give(buffer) }
  }

  /// Runs `body`, which records a graph; meanwhile keeps what is given back and delays other
  /// uploads.
  /// - Returns: the buffers given back.
  func recording(_ body: () -> Void) -> [BufferPool<UInt64>.Buffer] {
    staging.alone {
      stream.record(began)
      recording.began = began
      lock.withLock { held = [] }
      body()
      recording.began = nil
      return lock.withLock {
        defer { held = nil }
        return held ?? []
      }
    }
  }

  func release(_ buffers: [BufferPool<UInt64>.Buffer]) { for buffer in buffers { pool.give(buffer) } }

  /// Copies to the device without waiting; `values` may be changed afterwards.
  /// - Parameter offset: elements from the storage's start.
  func upload(_ values: UnsafeRawBufferPointer, to storage: CUDAStorage, offset: Int = 0) {
    guard let base = values.baseAddress else { return }
    upload(count: values.count, to: storage, at: offset * storage.type.size) {
      $0.copyMemory(from: base, byteCount: values.count)
      return true
    }
  }

  /// Returns whether an upload of so many bytes uses the stream for large ones.
  static func hasOwnStream(bytes: Int) -> Bool { CUDAStaging.hasOwnStream(bytes: bytes) }

  /// Copies to the device, without waiting, what `fill` writes into pinned memory.
  /// - Parameters:
  ///   - count: the bytes to copy.
  ///   - offset: bytes from the storage's start.
  ///   - fill: writes the bytes, or returns false for numbers that cannot be copied so; then
  ///     nothing is queued.
  ///   - widen: queues a kernel that reads the copied bytes at `from` and writes the storage's
  ///     elements at `to`; only for large uploads.
  /// - Returns: what `fill` returns.
  @discardableResult
  func upload(
    count: Int, to storage: CUDAStorage, at offset: Int, fill: (UnsafeMutableRawPointer) -> Bool,
    widen: ((_ from: UInt64, _ to: UInt64, CUDAStream) -> Void)? = nil
  ) -> Bool {
    staging.upload(count: count, to: storage, at: offset, fill: fill, widen: widen)
  }

  /// Waits for the uploads on the second stream.
  func finishUploads() { staging.finish() }

  /// Makes what is queued from here on wait for an upload.
  func continueAfter(_ upload: CUDAUpload) { staging.continueAfter(upload) }

  /// Queues copies of the float64 elements at some addresses, end to end.
  func reading(_ parts: [(address: UInt64, bytes: Int)]) -> any Reading { staging.reading(parts) }

  /// Queues a copy to the host; `values` must stay valid until the caller has waited.
  func download(_ address: UInt64, to values: UnsafeMutableRawBufferPointer) {
    guard let base = values.baseAddress, values.count > 0 else { return }
    stream.enter()
    stream.check(
      stream.functions.download(base, address, values.count, stream.handle), "copy from the device")
  }
}

/// The number of an upload; uploads are done in this order.
typealias CUDAUpload = Int

/// Pinned memory of the host, through which data travels without waiting.
///
/// A buffer is free again once the device has read it. Large uploads have a stream of their own, so
/// that the next batches arrive during an update. Small ones stay on the device's stream: that
/// takes less time than the events of a second stream.
private final class CUDAStaging: @unchecked Sendable {
  typealias Buffer = BufferPool<Pinned>.Buffer

  private let stream: CUDAStream
  private let side: CUDAStream
  /// The lock of uploads; the thread that records a graph holds it and must not upload.
  private let lock = NSRecursiveLock()
  private var isAlone = false
  private let pool: BufferPool<Pinned>
  private let deviceRoom: BufferPool<UInt64>
  /// The uploads on the second stream and on the device's, the earlier ones first.
  private var underWay: [UnderWay] = []
  private var inLine: [(buffer: Buffer, read: UnsafeMutableRawPointer)] = []
  private var events: [UnsafeMutableRawPointer] = []
  /// The event that the next large upload waits for.
  private let ready: UnsafeMutableRawPointer
  private var uploads: CUDAUpload = 0
  /// The last upload that the device's stream waits for.
  private var awaited: CUDAUpload = 0

  /// An upload on the stream for large ones, and the event after it.
  private struct UnderWay {
    let upload: CUDAUpload
    let buffer: Buffer
    /// Device memory for numbers that a kernel widens; nil for others.
    let room: BufferPool<UInt64>.Buffer?
    let read: UnsafeMutableRawPointer
  }

  struct Pinned: MemoryAddress, @unchecked Sendable {
    let memory: UnsafeMutableRawPointer

    func advanced(by bytes: Int) -> Pinned { Pinned(memory: memory + bytes) }
  }

  /// The largest upload on the device's stream, in bytes.
  private static let mostInLine = 1 << 16

  /// Returns whether an upload of so many bytes uses the stream for large ones.
  static func hasOwnStream(bytes: Int) -> Bool { bytes > mostInLine }

  /// - Parameter deviceRoom: memory of the device, used in the order of `stream`.
  init(_ stream: CUDAStream, deviceRoom: BufferPool<UInt64>) throws {
    (self.stream, self.deviceRoom) = (stream, deviceRoom)
    side = try CUDAStream(stream.functions, ordinal: stream.ordinal)
    ready = stream.makeEvent()
    pool = BufferPool { bytes in
      stream.enter()
      var memory: UnsafeMutableRawPointer?
      guard stream.functions.allocate_host(&memory, bytes, DriverCode.pinnedForAll) == 0 else { return nil }
      return memory.map { Pinned(memory: $0) }
    } release: {
      _ = stream.functions.release_host($0.memory)
    }
  }

  /// Runs `body` while other threads cannot upload.
  func alone<Result>(_ body: () -> Result) -> Result {
    lock.withLock {
      isAlone = true
      defer { isAlone = false }
      return body()
    }
  }

  private func take(bytes: Int) -> (buffer: Buffer, event: UnsafeMutableRawPointer) {
    lock.withLock {
      precondition(!isAlone, "a copy within a repetition")
      takeBack()
      return (pool.take(bytes: bytes), events.popLast() ?? stream.makeEvent())
    }
  }

  func upload(
    count: Int, to storage: CUDAStorage, at offset: Int, fill: (UnsafeMutableRawPointer) -> Bool,
    widen: ((_ from: UInt64, _ to: UInt64, CUDAStream) -> Void)?
  ) -> Bool {
    guard count > 0 else { return true }
    stream.enter()
    let (buffer, event) = take(bytes: count)
    guard fill(buffer.address.memory) else {
      lock.withLock {
        pool.give(buffer)
        events.append(event)
      }
      return false
    }
    let address = storage.start + UInt64(offset)
    func copy(to address: UInt64, on stream: CUDAStream) {
      stream.check(
        stream.functions.upload(address, buffer.address.memory, count, stream.handle), "copy to the device")
    }
    if !Self.hasOwnStream(bytes: count) {
      precondition(widen == nil)
      if storage.upload != 0 { continueAfter(storage.upload) }
      lock.withLock {
        copy(to: address, on: stream)
        stream.record(event)
        inLine.append((buffer, event))
      }
      return true
    }
    lock.withLock {
      let room = widen.map { _ in deviceRoom.take(bytes: count) }
      // What is queued so far may still use this memory.
      stream.record(ready)
      side.wait(for: ready)
      copy(to: room?.address ?? address, on: side)
      if let room { widen?(room.address, address, side) }
      side.record(event)
      uploads += 1
      storage.upload = uploads
      underWay.append(UnderWay(upload: uploads, buffer: buffer, room: room, read: event))
    }
    return true
  }

  func continueAfter(_ upload: CUDAUpload) {
    lock.withLock {
      guard upload > awaited else { return }
      precondition(!isAlone, "an upload that a repetition is the first to read")
      // An upload that is not under way is done.
      if let entry = underWay.first(where: { $0.upload == upload }) { stream.wait(for: entry.read) }
      awaited = upload
    }
  }

  /// Takes back the buffers that the device has read; each stream reads its own in order.
  private func takeBack() {
    func isRead(_ event: UnsafeMutableRawPointer) -> Bool { stream.functions.event_query(event) == 0 }
    let line = inLine.prefix { isRead($0.read) }
    let own = underWay.prefix { isRead($0.read) }
    for room in own.compactMap(\.room) { deviceRoom.give(room) }
    for (buffer, event) in line + own.map({ ($0.buffer, $0.read) }) {
      pool.give(buffer)
      events.append(event)
    }
    inLine.removeFirst(line.count)
    underWay.removeFirst(own.count)
  }

  func finish() { side.synchronize() }

  deinit {
    for stream in [side, stream] { stream.synchronize() }
    takeBack()
    for event in events + [ready] { _ = stream.functions.event_destroy(event) }
  }

  // MARK: - Readings

  func reading(_ parts: [(address: UInt64, bytes: Int)]) -> any Reading {
    let bytes = parts.reduce(0) { $0 + $1.bytes }
    let (buffer, event) = take(bytes: bytes)
    var at = buffer.address.memory
    stream.enter()
    for (address, bytes) in parts where bytes > 0 {
      stream.check(
        stream.functions.download(at, address, bytes, stream.handle), "copy from the device")
      at += bytes
    }
    stream.record(event)
    return Copies(staging: self, buffer: buffer, count: bytes / 8, written: event)
  }

  /// A reading whose float64 numbers are copied to pinned memory.
  private final class Copies: Reading {
    private let staging: CUDAStaging
    private let buffer: Buffer
    private let count: Int
    private let written: UnsafeMutableRawPointer

    init(staging: CUDAStaging, buffer: Buffer, count: Int, written: UnsafeMutableRawPointer) {
      (self.staging, self.buffer, self.count, self.written) = (staging, buffer, count, written)
    }

    func numbers() -> [Double] {
      staging.stream.wait(until: written)
      let elements = buffer.address.memory.assumingMemoryBound(to: Double.self)
      return [Double](UnsafeBufferPointer(start: elements, count: count))
    }

    deinit {
      // The device may still be writing numbers that nobody asked for.
      if staging.stream.functions.event_query(written) != 0 { staging.stream.wait(until: written) }
      staging.lock.withLock {
        staging.pool.give(buffer)
        staging.events.append(written)
      }
    }
  }
}

/// A block of `CUDAMemory`, given back when its last tensor is gone.
final class CUDAStorage: Storage {
  /// The address of the elements for work that is queued now, which waits for their upload.
  var address: UInt64 {
    if upload != 0 {
      memory.continueAfter(upload)
      upload = 0
    }
    return start
  }
  /// The address of the elements for an upload, which waits for no earlier one.
  fileprivate var start: UInt64 { buffer.address }
  /// The upload to wait for; 0 for none.
  fileprivate var upload: CUDAUpload = 0
  /// A bfloat16 copy for products, with the same offsets; nil if there is none.
  let copy: CUDAStorage?
  /// Whether the elements have changed since the copy was made.
  var copyIsOld = true
  private let buffer: BufferPool<UInt64>.Buffer
  private let memory: CUDAMemory

  init(count: Int, type: ElementType, memory: CUDAMemory, copy: CUDAStorage? = nil) {
    buffer = memory.take(bytes: count * type.size)
    self.memory = memory
    self.copy = copy
    super.init(count: count, type: type)
  }

  deinit {
    // The next use of this memory must come after an upload that nothing has read.
    if upload != 0 { memory.continueAfter(upload) }
    memory.give(buffer)
  }
}

extension Storage {
  var onDevice: CUDAStorage {
    guard let storage = self as? CUDAStorage else { preconditionFailure("memory of another backend") }
    return storage
  }
}

extension Tensor {
  /// The address of the first element on the device.
  var address: UInt64 { storage.onDevice.address + UInt64(offset * storage.type.size) }

  /// The elements as kernels take them.
  var view: hero_view {
    precondition(storage.type == .float32 || storage.type == .bfloat16)
    return hero_view(
      data: UnsafeMutableRawPointer(bitPattern: UInt(address)), bf16: storage.type == .bfloat16 ? 1 : 0)
  }

  /// The elements of a tensor that must be float32.
  var floats: UnsafeMutablePointer<Float>? {
    precondition(storage.type == .float32)
    return UnsafeMutablePointer(bitPattern: UInt(address))
  }

  var doubles: UnsafeMutablePointer<Double>? {
    precondition(storage.type == .float64)
    return UnsafeMutablePointer(bitPattern: UInt(address))
  }
}

extension Tensor? {
  /// The tensor's view; an empty one if there is no tensor.
  var view: hero_view { self?.view ?? hero_view() }
}

extension GradientTarget? {
  var view: hero_view { self?.tensor.view ?? hero_view() }
  var adds: Int32 { self?.accumulate == true ? 1 : 0 }
}

extension Indices {
  var address: UInt64 { storage.onDevice.address + UInt64(4 * offset) }
  var numbers: UnsafeMutablePointer<Int32>? { UnsafeMutablePointer(bitPattern: UInt(address)) }
}

extension Segments {
  var numbers: UnsafePointer<Int32>? { starts.numbers.map { UnsafePointer($0) } }
}
