import Foundation

/// Ends the program where the system has no memory left.
func outOfMemory(_ bytes: Int, beside used: Int? = nil) -> Never {
  func text(_ bytes: Int) -> String { String(format: "%.1f GB", Double(bytes) * 1e-9) }
  let beside = used.map { " beside \(text($0)) in use" } ?? ""
  endProgram(
    "out of memory: \(text(bytes)) more were wanted\(beside). Choose smaller batches; --resume goes on from "
      + "what was saved.")
}

/// Where memory starts, on the host or on a device.
protocol MemoryAddress: Sendable {
  func advanced(by bytes: Int) -> Self
}

extension UInt64: MemoryAddress {}

/// Memory that is used again: a training step in steady state takes nothing from the system.
///
/// Buffers are cut from regions. Free stretches that lie side by side join, so batches of different
/// lengths share memory, and the gradients of a backward pass take the place of the results that it
/// has moved past. A buffer is cut from the first stretch that holds it, which leaves the ends of
/// regions untouched. Small buffers have regions of their own, since one that stays long would keep
/// two large stretches apart.
final class BufferPool<Address: MemoryAddress>: @unchecked Sendable {
  /// Memory on loan.
  struct Buffer: Sendable {
    let address: Address
    fileprivate let stretch: Stretch
    fileprivate let isSmall: Bool
  }

  /// One piece of the system's memory.
  private struct Region {
    let address: Address
    let bytes: Int
    /// The end of the furthest buffer so far.
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

  /// What every buffer begins on, in bytes.
  static var alignment: Int { 256 }
  /// Bytes of the largest small buffer, of a region of these, and of the least region of others.
  private static var smallBuffer: Int { 1 << 16 }
  private static var smallRegion: Int { 1 << 20 }
  private static var leastRegion: Int { 1 << 25 }

  /// - Parameter allocate: gives nil where there is no memory left.
  init(allocate: @escaping (_ bytes: Int) -> Address?, release: @escaping (Address) -> Void) {
    (self.allocate, self.release) = (allocate, release)
  }

  /// Bytes that buffers have reached so far, at most and now; the ends of regions do not count.
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
    // Each region is an eighth of what is held, so there are few of them.
    guard addRegion(max(bytes, isSmall ? Self.smallRegion : max(Self.leastRegion, now / 8)), isSmall) else {
      // What lies free in other regions may be enough for this buffer alone.
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

  /// Gives the regions back that no buffer lies in.
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

/// Bytes of a region that lie side by side.
private struct Stretch: Equatable {
  let region: Int
  let start: Int
  let bytes: Int

  var end: Int { start + bytes }

  static func < (left: Stretch, right: Stretch) -> Bool {
    (left.region, left.start) < (right.region, right.start)
  }
}

/// What is free, in the order of its places. No two stretches touch.
private struct FreeStretches {
  private(set) var all: [Stretch] = []

  /// Takes `bytes` from the first stretch that has as many.
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

  /// Adds a stretch, and joins it with the neighbours that it touches.
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
