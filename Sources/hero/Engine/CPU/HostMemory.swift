import Foundation

/// Buffers of the host's memory.
typealias HostMemory = BufferPool<HostAddress>

/// The start of a buffer.
struct HostAddress: @unchecked Sendable {
  let pointer: UnsafeMutablePointer<Float>
}

extension BufferPool<HostAddress> {
  convenience init() {
    self.init { bytes in
      let huge = 2 << 20
      var raw: UnsafeMutableRawPointer?
      let failure = posix_memalign(&raw, bytes >= huge ? huge : 64, bytes)
      guard failure == 0, let raw else { return nil }
      if bytes >= huge { madvise(raw, bytes, Int32(MADV_HUGEPAGE)) }
      return HostAddress(pointer: raw.bindMemory(to: Float.self, capacity: bytes / 4))
    } release: {
      free($0.pointer)
    }
  }
}

/// A buffer on loan from `HostMemory`; it goes back when the last tensor that looks at it is gone.
final class HostStorage: Storage {
  private let address: HostAddress
  private let capacity: Int
  private let memory: HostMemory
  /// What is kept of weights to multiply with; nil of anything else.
  let packings: WeightPackings?

  init(count: Int, type: ElementType = .float32, memory: HostMemory, packings: WeightPackings? = nil) {
    self.packings = packings
    (address, capacity) = memory.take((count * type.size + 3) / 4)
    self.memory = memory
    super.init(count: count, type: type)
  }

  var pointer: UnsafeMutablePointer<Float> { address.pointer }

  /// The elements of a storage of sums.
  var sums: UnsafeMutablePointer<Double> {
    precondition(type == .float64)
    return UnsafeMutableRawPointer(pointer).assumingMemoryBound(to: Double.self)
  }

  /// The elements of a storage of row numbers.
  var rowNumbers: UnsafeMutablePointer<Int32> {
    precondition(type == .int32)
    return UnsafeMutableRawPointer(pointer).assumingMemoryBound(to: Int32.self)
  }

  /// Elements are about to change.
  func changes() { packings?.forget() }

  deinit { memory.give(address, capacity: capacity) }
}
