import CKernels
import Engine

/// A query, prepared for comparing with codes.
public struct CodedQuery: Sendable {
  /// The query's vector, [width].
  public let values: [Float]

  // For signs by element: the elements where the rotated query is large, weighted by one or two
  // steps of `signStep`.
  let planes: [UInt32]
  let places: [UInt8]
  let inverted: [UInt8]
  let levels: Int
  let signStep: Float
  /// The sum of the weights.
  let weights: Int

  // For levels of two bits: the rotated query in steps of `byteStep`, [groups][128].
  let bytes: [Int8]
  let byteStep: Float
  let byteSum: Int

  // For signs by frame: the bits of the rotated query in steps of `step` from `least` on,
  // [4][words].
  let bits: [UInt64]
  let step: Float
  let least: Float
  let sum: Float

  /// The share of a query's squared length that the elements read of the signs cover.
  ///
  /// For a random vector that takes a third of the elements.
  private static let partRead: Float = 0.8
  /// A step, relative to the root mean square of the elements that are read.
  ///
  /// For a normal distribution, one and two such steps carry 96 % of the information of the
  /// elements themselves.
  private static let stepRead: Float = 0.8
  /// The maximum number of elements, as sums have twelve bits.
  private static let mostRead = (1 << Int(HERO_PLANE_LEVELS) - 1) / 2

  init(_ values: [Float], rotated: [Float]) {
    self.values = values
    let width = values.count
    let largest = rotated.reduce(0) { max($0, abs($1)) }
    let isUsable = largest > 1e-30 && rotated.allSatisfy(\.isFinite)

    let all = rotated.reduce(0) { $0 + $1 * $1 }
    var (read, largeCount) = (Float(0), 0)
    let order = isUsable ? rotated.indices.sorted { abs(rotated[$0]) > abs(rotated[$1]) } : []
    for i in order.prefix(Self.mostRead) where read < Self.partRead * all {
      read += rotated[i] * rotated[i]
      largeCount += 1
    }
    let step = Self.stepRead * (read / Float(max(1, largeCount))).squareRoot()
    // The elements by weight and sign.
    var lists = [[UInt32]](repeating: [], count: 4)
    var sum = 0
    for i in order.prefix(largeCount) {
      let isHeavy = abs(rotated[i]) > 1.5 * step
      lists[(isHeavy ? 2 : 0) + (rotated[i] < 0 ? 1 : 0)].append(UInt32(i))
      sum += isHeavy ? 2 : 1
    }
    var (planes, places, inverted): ([UInt32], [UInt8], [UInt8]) = ([], [], [])
    for (number, list) in lists.enumerated() {
      // Sorted in the order of the file.
      let list = list.sorted()
      for start in stride(from: 0, to: list.count, by: 16) {
        let group = list[start..<min(list.count, start + 16)]
        planes += group + Array(repeating: HERO_NO_PLANE, count: 16 - group.count)
        places.append(UInt8(number / 2))
        inverted.append(UInt8(number % 2))
      }
    }
    (self.planes, self.places, self.inverted) = (planes, places, inverted)
    (signStep, weights) = (step, sum)
    levels = Int.bitWidth - sum.leadingZeroBitCount

    byteStep = isUsable ? largest / 127 : 1
    var bytes = [Int8](repeating: 0, count: (width + 127) / 128 * 128)
    for i in 0..<width where isUsable { bytes[i] = Int8((rotated[i] / byteStep).rounded()) }
    self.bytes = bytes
    byteSum = bytes.reduce(0) { $0 + Int($1) }

    let (least, most) = (rotated.min() ?? 0, rotated.max() ?? 0)
    self.least = least
    self.step = most > least ? (most - least) / 15 : 1
    let words = VideoCodeLayout(width: width).words
    var bits = [UInt64](repeating: 0, count: 4 * words)
    for (i, value) in rotated.enumerated() {
      let level = ((value - least) / self.step).rounded()
      let number = level.isFinite ? UInt64(max(0, min(15, level))) : 0
      for k in 0..<4 where number >> UInt64(k) & 1 == 1 { bits[k * words + i / 64] |= 1 << UInt64(i % 64) }
    }
    self.bits = bits
    self.sum = rotated.reduce(0, +)
  }
}

/// The codes of frames in place in a mapped file.
public struct FrameCodes {
  /// The layout of signs, mean and records in the bytes.
  public let layout: FrameCodeLayout
  /// The number of frames.
  public let count: Int
  let bytes: UnsafeRawBufferPointer

  /// Wraps the bytes of codes.
  ///
  /// - Parameter bytes: exactly `layout.bytes(frames: count)` bytes.
  public init(layout: FrameCodeLayout, count: Int, bytes: UnsafeRawBufferPointer) {
    precondition(bytes.count == layout.bytes(frames: count))
    (self.layout, self.count, self.bytes) = (layout, count, bytes)
  }
}

/// Computes products of a query with stored rows in place in a mapped file.
///
/// The host computes them on every device, as the file is on the host.
public final class RowScanner: @unchecked Sendable {
  /// The layout of an exact row.
  public let layout: StoredRowLayout
  private let rotation: SignRotation
  private let pool: ThreadPool
  private let kernels: hero_kernels

  /// Creates a scanner with its threads.
  ///
  /// - Parameter threads: the default is that of the CPU backend.
  public init(width: Int, threads: Int? = nil) {
    layout = StoredRowLayout(width: width)
    rotation = SignRotation(width: width)
    pool = ThreadPool(threads: threads ?? CPUBackend.defaultThreads)
    kernels = hero_kernels_best().pointee
  }

  deinit { pool.stop() }

  /// Prepares a query for the codes: rotates it and selects its large elements.
  ///
  /// - Parameter values: a vector with the layout's width.
  public func query(_ values: [Float]) -> CodedQuery {
    precondition(values.count == layout.width)
    var rotated = values
    rotated.withUnsafeMutableBufferPointer { rotation.apply($0) }
    return CodedQuery(values, rotated: rotated)
  }

  /// Runs `body(0)` … `body(count - 1)` on all threads.
  public func forEach(_ count: Int, _ body: (Int) -> Void) { pool.run(count, body) }

  /// Returns the cosine of a query with codes' mean, with which all their estimates begin.
  public func centre(_ query: CodedQuery, _ codes: FrameCodes) -> Float {
    guard let base = codes.bytes.baseAddress else { return 0 }
    let centre = base + codes.layout.signBytes(frames: codes.count)
    return kernels.dot(query.values, centre.assumingMemoryBound(to: Float.self), layout.width)
  }

  /// Estimates cosines from the signs of the elements where the query is large.
  /// - Parameters:
  ///   - block: the block of the frames.
  ///   - step: the step of the block; nil for all.
  ///   - centre: the result of `centre(_:_:)`.
  ///   - estimates: room for the frames, padded to whole steps.
  public func estimates(
    _ query: CodedQuery, signs codes: FrameCodes, block: Int, step: Int? = nil, centre: Float,
    into estimates: UnsafeMutableBufferPointer<Float>
  ) {
    let own = codes.layout.frames(ofBlock: block, of: codes.count)
    let filled = FrameCodeLayout.filled(own.count)
    let first = (step ?? 0) * FrameCodeLayout.stepFrames
    let frames = step == nil ? filled : FrameCodeLayout.stepFrames
    precondition(first + frames <= filled && frames <= estimates.count)
    guard let base = codes.bytes.baseAddress, let out = estimates.baseAddress else { return }
    let start = codes.layout.signBytes(frames: own.lowerBound)
    query.planes.withUnsafeBufferPointer { planes in
      query.places.withUnsafeBufferPointer { places in
        query.inverted.withUnsafeBufferPointer { inverted in
          var read = hero_plane_query()
          read.planes = planes.baseAddress
          read.places = places.baseAddress
          read.inverted = inverted.baseAddress
          read.groups = places.count
          read.levels = query.levels
          read.scale = 2 * query.signStep
          read.shift = query.signStep * Float(query.weights)
          read.centre = centre
          kernels.plane_estimates(out, base + start, filled / 8, first, frames, &read)
        }
      }
    }
  }

  /// Writes the numbers of the estimates that reach a threshold, in order.
  /// - Returns: how many there are.
  public func reaching(
    _ threshold: Float, _ estimates: UnsafeMutableBufferPointer<Float>,
    into numbers: UnsafeMutableBufferPointer<UInt32>
  ) -> Int {
    precondition(numbers.count >= estimates.count)
    guard let x = estimates.baseAddress, let out = numbers.baseAddress else { return 0 }
    return kernels.reaching(out, x, estimates.count, threshold)
  }

  /// Estimates cosines from the records of some frames.
  /// - Parameters:
  ///   - block: the block of the frames.
  ///   - numbers: the numbers of the frames in the block, in ascending order.
  ///   - estimates: [numbers], written.
  public func estimates(
    _ query: CodedQuery, records codes: FrameCodes, block: Int,
    _ numbers: UnsafeMutableBufferPointer<UInt32>, centre: Float,
    into estimates: UnsafeMutableBufferPointer<Float>
  ) {
    let layout = codes.layout
    let own = layout.frames(ofBlock: block, of: codes.count)
    guard let base = codes.bytes.baseAddress, let from = numbers.baseAddress, let last = numbers.last,
      let out = estimates.baseAddress
    else { return }
    precondition(estimates.count >= numbers.count && Int(last) < own.count)
    let records =
      layout.signBytes(frames: codes.count) + layout.centreBytes + own.lowerBound * layout.recordBytes
    let factors = layout.signBytes(frames: own.lowerBound) + 2 * FrameCodeLayout.filled(own.count)
    // A level is twice its code minus three.
    kernels.code_estimates(
      out, base + records, base + factors, from, numbers.count, layout.groups, query.bytes,
      2 * query.byteStep, 3 * query.byteStep * Float(query.byteSum), centre)
  }

  /// Estimates cosines for the frames of one video from a code of version 1 or 2.
  /// - Parameters:
  ///   - code: the video's code.
  ///   - estimates: [frames], written.
  public func estimates(
    _ query: CodedQuery, videoCode code: UnsafeRawBufferPointer,
    into estimates: UnsafeMutableBufferPointer<Float>
  ) {
    let layout = VideoCodeLayout(width: layout.width)
    precondition(code.count == layout.bytes(frames: estimates.count))
    guard let base = code.baseAddress, let out = estimates.baseAddress else { return }
    let scale = Float(bitPattern: UInt32(littleEndian: code.loadUnaligned(as: UInt32.self)))
    let mean =
      scale
      * kernels.byte_dot(query.values, (base + 4).assumingMemoryBound(to: Int8.self), layout.width)
    kernels.sign_products(
      out, base + layout.meanBytes, estimates.count, layout.words, query.bits, 2 * query.step,
      2 * query.least, query.sum)
    for i in estimates.indices { estimates[i] += mean }
  }

  /// Prefetches bytes that are read soon.
  public func prefetch(_ bytes: UnsafeRawBufferPointer) {
    hero_prefetch(bytes.baseAddress, bytes.count)
  }

  /// Computes x·row for stored rows that lie end to end.
  /// - Parameter normalized: whether to divide by the rows' lengths.
  public func products(
    _ x: [Float], rows: UnsafeRawBufferPointer, normalized: Bool, into out: UnsafeMutableBufferPointer<Float>
  ) {
    precondition(x.count == layout.width && rows.count == out.count * layout.rowBytes)
    guard let base = rows.baseAddress else { return }
    for r in out.indices {
      let row = base + r * layout.rowBytes
      let product = kernels.bf16_dot(x, row + 4, layout.width)
      let inverse = Float(bitPattern: UInt32(littleEndian: row.loadUnaligned(as: UInt32.self)))
      out[r] = normalized ? product * inverse : product
    }
  }
}
