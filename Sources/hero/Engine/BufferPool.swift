import Foundation

/// Ends the program with a message when the system has no memory left.
func outOfMemory(_ bytes: Int, beside used: Int? = nil) -> Never {
  func text(_ bytes: Int) -> String { String(format: "%.1f GB", Double(bytes) * 1e-9) }
  let beside = used.map { " beside \(text($0)) in use" } ?? ""
  endProgram(
    "out of memory: \(text(bytes)) more were wanted\(beside). Choose smaller batches; --resume goes on from "
      + "what was saved.")
}

/// The start of memory on the host or on a device.
protocol MemoryAddress: Sendable {
  func advanced(by bytes: Int) -> Self
}

extension UInt64: MemoryAddress {}

/// A pool of reused memory: a training step in steady state takes nothing from the system.
///
/// The pool cuts buffers from regions. Adjacent free stretches join, so batches of different
/// lengths share memory. The gradients of a backward pass take the place of the activations that it
/// has moved past. A buffer comes from the first stretch that holds it, which leaves the ends of
/// regions untouched. Small buffers have regions of their own, since a long-lived one would keep
/// two large stretches apart.
final class BufferPool<Address: MemoryAddress>: @unchecked Sendable {
  /// Memory on loan.
  struct Buffer: Sendable {
    let address: Address
    fileprivate let stretch: Stretch
    fileprivate let isSmall: Bool
  }

  /// One allocation of the system's memory.
  private struct Region {
    let address: Address
    let bytes: Int
    /// The furthest end of a buffer so far, in bytes from the start of the region.
    var reached = 0
  }

  private let lock = NSLock()
  private var regions: [Int: Region] = [:]
  private var regionsSoFar = 0
  private var small = FreeStretches()
  private var large = FreeStretches()
  private var now = 0
  private var peak = 0
  private let allocate: (_ bytes: Int) -> Address?
  private let release: (Address) -> Void

  /// The alignment of every buffer, in bytes.
  static var alignment: Int { 256 }
  /// The sizes in bytes: the largest small buffer, a region of these, the smallest other region.
  private static var smallBuffer: Int { 1 << 16 }
  private static var smallRegion: Int { 1 << 20 }
  private static var leastRegion: Int { 1 << 25 }

  /// - Parameter allocate: returns nil when no memory is left.
  init(allocate: @escaping (_ bytes: Int) -> Address?, release: @escaping (Address) -> Void) {
    (self.allocate, self.release) = (allocate, release)
  }

  /// The bytes that buffers have reached, at most and now; unused ends of regions do not count.
  var use: (peak: Int, now: Int) { lock.withLock { (peak, now) } }

  func take(bytes wanted: Int) -> Buffer {
    let bytes = max(1, (wanted + Self.alignment - 1) / Self.alignment) * Self.alignment
    let isSmall = bytes <= Self.smallBuffer
    lock.lock()
    defer { lock.unlock() }
    guard let stretch = cut(bytes, isSmall: isSmall), let region = regions[stretch.region] else {
      outOfMemory(bytes, beside: now)
    }
    let end = stretch.start + bytes
    if end > region.reached {
      now += end - region.reached
      peak = max(peak, now)
      regions[stretch.region]?.reached = end
    }
    return Buffer(address: region.address.advanced(by: stretch.start), stretch: stretch, isSmall: isSmall)
  }

  func give(_ buffer: Buffer) {
    lock.lock()
    if buffer.isSmall { small.put(buffer.stretch) } else { large.put(buffer.stretch) }
    lock.unlock()
  }

  private func cut(_ bytes: Int, isSmall: Bool) -> Stretch? {
    if let stretch = isSmall ? small.cut(bytes) : large.cut(bytes) { return stretch }
    // A new region is at least an eighth of the memory in use, so there are few regions.
    guard addRegion(max(bytes, isSmall ? Self.smallRegion : max(Self.leastRegion, now / 8)), isSmall) else {
      // Releasing the free regions may leave the system enough memory for this buffer alone.
      giveBack()
      return addRegion(bytes, isSmall) ? (isSmall ? small.cut(bytes) : large.cut(bytes)) : nil
    }
    return isSmall ? small.cut(bytes) : large.cut(bytes)
  }

  private func addRegion(_ bytes: Int, _ isSmall: Bool) -> Bool {
    guard let address = allocate(bytes) else { return false }
    regionsSoFar += 1
    regions[regionsSoFar] = Region(address: address, bytes: bytes)
    let stretch = Stretch(region: regionsSoFar, start: 0, bytes: bytes)
    if isSmall { small.put(stretch) } else { large.put(stretch) }
    return true
  }

  /// Releases the regions that hold no buffer.
  private func giveBack() {
    for stretch in small.all + large.all {
      guard let region = regions[stretch.region], stretch.bytes == region.bytes else { continue }
      small.remove(stretch)
      large.remove(stretch)
      release(region.address)
      now -= region.reached
      regions[stretch.region] = nil
    }
  }

  deinit {
    for region in regions.values { release(region.address) }
  }
}

/// A contiguous range of bytes of a region.
private struct Stretch: Equatable {
  let region: Int
  let start: Int
  let bytes: Int

  var end: Int { start + bytes }

  static func < (left: Stretch, right: Stretch) -> Bool {
    (left.region, left.start) < (right.region, right.start)
  }
}

/// The free stretches, sorted by region and start; no two of them touch.
private struct FreeStretches {
  private(set) var all: [Stretch] = []

  /// Cuts `bytes` from the first stretch that is large enough.
  mutating func cut(_ bytes: Int) -> Stretch? {
    guard let place = all.firstIndex(where: { $0.bytes >= bytes }) else { return nil }
    let found = all[place]
    if found.bytes == bytes {
      all.remove(at: place)
    } else {
      all[place] = Stretch(region: found.region, start: found.start + bytes, bytes: found.bytes - bytes)
    }
    return Stretch(region: found.region, start: found.start, bytes: bytes)
  }

  /// Adds a stretch and joins it with the free neighbours that it touches.
  mutating func put(_ stretch: Stretch) {
    var (low, high) = (0, all.count)
    while low < high {
      let middle = (low + high) / 2
      if all[middle] < stretch { low = middle + 1 } else { high = middle }
    }
    var (start, end) = (stretch.start, stretch.end)
    var touched = low..<low
    if low < all.count, all[low].region == stretch.region, all[low].start == end {
      end = all[low].end
      touched = low..<low + 1
    }
    if low > 0, all[low - 1].region == stretch.region, all[low - 1].end == start {
      start = all[low - 1].start
      touched = low - 1..<touched.upperBound
    }
    let joined = Stretch(region: stretch.region, start: start, bytes: end - start)
    all.replaceSubrange(touched, with: CollectionOfOne(joined))
  }

  mutating func remove(_ stretch: Stretch) {
    all.removeAll { $0 == stretch }
  }
}
