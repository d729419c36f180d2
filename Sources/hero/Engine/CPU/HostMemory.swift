import CKernels
import Foundation

/// The pool of buffers in the host's memory.
typealias HostMemory = BufferPool<HostAddress>

/// The start of a buffer, whose memory has no type until a storage gives it one.
struct HostAddress: MemoryAddress, @unchecked Sendable {
  let bytes: UnsafeMutableRawPointer

  func advanced(by count: Int) -> HostAddress { HostAddress(bytes: bytes + count) }
}

extension BufferPool<HostAddress> {
  convenience init() {
    self.init { bytes in
      let huge = 2 << 20
      var raw: UnsafeMutableRawPointer?
      let failure = posix_memalign(&raw, bytes >= huge ? huge : Self.alignment, bytes)
      guard failure == 0, let raw else { return nil }
      if bytes >= huge { madvise(raw, bytes, Int32(MADV_HUGEPAGE)) }
      return HostAddress(bytes: raw)
    } release: {
      free($0.bytes)
    }
  }
}

/// Memory of the host: a buffer on loan from `HostMemory`, or pages of zeros.
///
/// It goes back with the last tensor that uses it. It is raw: whoever reads or writes elements
/// binds them.
final class HostStorage: Storage {
  /// The elements, whatever their type.
  let bytes: UnsafeMutableRawPointer
  private let giveBack: () -> Void
  /// The packed copies of weights; nil for anything else.
  let packings: WeightPackings?

  init(count: Int, type: ElementType = .float32, memory: HostMemory, packings: WeightPackings? = nil) {
    self.packings = packings
    let buffer = memory.take(bytes: count * type.size)
    bytes = buffer.address.bytes
    giveBack = { memory.give(buffer) }
    super.init(count: count, type: type)
  }

  /// Maps zeros, which take memory a page at a time, where they are written.
  init(zeros count: Int, type: ElementType) {
    let size = max(1, count * type.size)
    guard
      let pages = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
      pages != MAP_FAILED
    else { outOfMemory(size) }
    madvise(pages, size, Int32(MADV_NOHUGEPAGE))
    bytes = pages
    giveBack = { munmap(pages, size) }
    packings = nil
    super.init(count: count, type: type)
  }

  /// The elements of a float32 storage.
  var pointer: UnsafeMutablePointer<Float> {
    precondition(type == .float32)
    return bytes.bindMemory(to: Float.self, capacity: count)
  }

  /// The elements of a float64 storage, which holds sums.
  var sums: UnsafeMutablePointer<Double> {
    precondition(type == .float64)
    return bytes.bindMemory(to: Double.self, capacity: count)
  }

  /// The elements of an int32 storage, which holds row numbers.
  var rowNumbers: UnsafeMutablePointer<Int32> {
    precondition(type == .int32)
    return bytes.bindMemory(to: Int32.self, capacity: count)
  }

  /// Forgets the packed copies, because elements are about to change.
  func changes() { packings?.forget() }

  deinit { giveBack() }
}
