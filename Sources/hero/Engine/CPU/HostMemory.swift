import CKernels
import Foundation

/// Buffers of the host's memory.
typealias HostMemory = BufferPool<HostAddress>

/// The start of a buffer, whose memory has no type till a storage gives it one.
struct HostAddress: @unchecked Sendable {
  let bytes: UnsafeMutableRawPointer
}

extension BufferPool<HostAddress> {
  convenience init() {
    self.init { bytes in
      let huge = 2 << 20
      var raw: UnsafeMutableRawPointer?
      let failure = posix_memalign(&raw, bytes >= huge ? huge : 64, bytes)
      guard failure == 0, let raw else { return nil }
      if bytes >= huge { madvise(raw, bytes, Int32(MADV_HUGEPAGE)) }
      return HostAddress(bytes: raw)
    } release: {
      free($0.bytes)
    }
  }
}

/// A buffer on loan from `HostMemory`; it goes back when the last tensor that looks at it is gone.
/// Its memory is raw: whoever reads or writes elements binds them.
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

  /// The elements, whatever their type.
  var bytes: UnsafeMutableRawPointer { address.bytes }

  /// The elements of a storage of float32.
  var pointer: UnsafeMutablePointer<Float> {
    precondition(type == .float32)
    return bytes.bindMemory(to: Float.self, capacity: count)
  }

  /// The elements of a storage of sums.
  var sums: UnsafeMutablePointer<Double> {
    precondition(type == .float64)
    return bytes.bindMemory(to: Double.self, capacity: count)
  }

  /// The elements of a storage of row numbers.
  var rowNumbers: UnsafeMutablePointer<Int32> {
    precondition(type == .int32)
    return bytes.bindMemory(to: Int32.self, capacity: count)
  }

  /// Elements are about to change.
  func changes() { packings?.forget() }

  deinit { memory.give(address, capacity: capacity) }
}
