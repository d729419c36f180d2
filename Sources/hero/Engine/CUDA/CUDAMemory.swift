import CCUDA
import Foundation

/// A device's memory: blocks of its stream-ordered pool, kept and used again.
///
/// A block that is given back may be taken at once, by any thread: what it is used for next comes
/// later in the same stream.
final class CUDAMemory: @unchecked Sendable {
  let stream: CUDAStream
  private let pool: BufferPool<UInt64>
  private let staging: CUDAStaging

  init(_ stream: CUDAStream) {
    self.stream = stream
    staging = CUDAStaging(stream)
    pool = BufferPool { bytes in
      stream.enter()
      var address: UInt64 = 0
      return stream.functions.allocate(&address, bytes, stream.handle) == 0 ? address : nil
    } release: {
      stream.enter()
      _ = stream.functions.release($0, stream.handle)
    }
  }

  var use: (peak: Int, now: Int) { pool.use }

  func take(bytes: Int) -> BufferPool<UInt64>.Buffer { pool.take(bytes: bytes) }
  func give(_ buffer: BufferPool<UInt64>.Buffer) { pool.give(buffer) }

  /// Copies to the device without waiting; `values` may be changed afterwards.
  func upload(_ values: UnsafeRawBufferPointer, to address: UInt64) {
    staging.upload(count: values.count, to: address) { $0.copyMemory(from: values) }
  }

  /// Copies float32 numbers as bfloat16.
  func uploadNarrowed(_ values: UnsafeBufferPointer<Float>, to address: UInt64) {
    staging.upload(count: 2 * values.count, to: address) { bytes in
      for (place, value) in values.enumerated() {
        bytes.storeBytes(of: BFloat16.bits(value), toByteOffset: 2 * place, as: UInt16.self)
      }
    }
  }

  /// Queues a copy to the host, where `values` must stay until the caller has waited.
  func download(_ address: UInt64, to values: UnsafeMutableRawBufferPointer) {
    guard let base = values.baseAddress, values.count > 0 else { return }
    stream.enter()
    stream.check(
      stream.functions.download(base, address, values.count, stream.handle), "copy from the device")
  }
}

/// Pinned memory of the host through which uploads go without waiting. A buffer is free again once
/// the device has read it.
private final class CUDAStaging: @unchecked Sendable {
  private let stream: CUDAStream
  private let lock = NSLock()
  private let pool: BufferPool<Pinned>
  private var underWay: [(buffer: BufferPool<Pinned>.Buffer, read: UnsafeMutableRawPointer)] = []
  private var events: [UnsafeMutableRawPointer] = []

  private struct Pinned: MemoryAddress, @unchecked Sendable {
    let memory: UnsafeMutableRawPointer

    func advanced(by bytes: Int) -> Pinned { Pinned(memory: memory + bytes) }
  }

  init(_ stream: CUDAStream) {
    self.stream = stream
    pool = BufferPool { bytes in
      stream.enter()
      var memory: UnsafeMutableRawPointer?
      guard stream.functions.allocate_host(&memory, bytes, DriverCode.pinnedForAll) == 0 else { return nil }
      return memory.map { Pinned(memory: $0) }
    } release: {
      _ = stream.functions.release_host($0.memory)
    }
  }

  func upload(count: Int, to address: UInt64, fill: (UnsafeMutableRawBufferPointer) -> Void) {
    guard count > 0 else { return }
    stream.enter()
    lock.lock()
    takeBack()
    let buffer = pool.take(bytes: count)
    let event = events.popLast() ?? stream.makeEvent()
    lock.unlock()
    fill(UnsafeMutableRawBufferPointer(start: buffer.address.memory, count: count))
    stream.check(
      stream.functions.upload(address, buffer.address.memory, count, stream.handle), "copy to the device")
    stream.record(event)
    lock.lock()
    underWay.append((buffer, event))
    lock.unlock()
  }

  private func takeBack() {
    underWay.removeAll { entry in
      guard stream.functions.event_query(entry.read) == 0 else { return false }
      pool.give(entry.buffer)
      events.append(entry.read)
      return true
    }
  }

  deinit {
    stream.synchronize()
    takeBack()
    for event in events { _ = stream.functions.event_destroy(event) }
  }
}

/// A block on loan from `CUDAMemory`; it goes back when the last tensor that looks at it is gone.
final class CUDAStorage: Storage {
  var address: UInt64 { buffer.address }
  /// A bfloat16 copy to multiply with, in the same places; nil where there is none.
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

  deinit { memory.give(buffer) }
}

extension Storage {
  var onDevice: CUDAStorage {
    guard let storage = self as? CUDAStorage else { preconditionFailure("memory of another backend") }
    return storage
  }
}

extension Tensor {
  /// Where the elements lie on the device.
  var address: UInt64 { storage.onDevice.address + UInt64(offset * storage.type.size) }

  /// The elements as kernels take them.
  var view: hero_view {
    precondition(storage.type == .float32 || storage.type == .bfloat16)
    return hero_view(
      data: UnsafeMutableRawPointer(bitPattern: UInt(address)), bf16: storage.type == .bfloat16 ? 1 : 0)
  }

  /// The same of a tensor that must be float32.
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
  /// A view of nothing where there is no tensor.
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
