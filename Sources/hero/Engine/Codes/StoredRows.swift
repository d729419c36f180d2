import CKernels

/// How the encoded frames of one video lie in a file: exact rows, and codes of a sixteenth of their size to find out which
/// rows are worth reading.
///
/// A row is a float, 1 / max(‖x‖, 1e-5), and x in bfloat16. A video's code is the mean m of its frames' unit vectors in signed
/// bytes with their scale, then for each frame a float f and the signs of R(x/‖x‖ − m), R being a fixed rotation: with q' = R(q),
/// q·x/‖x‖ ≈ q·m + f·Σ ±q'. The factor f makes the estimate right on average (Gao & Long, "RaBitQ", SIGMOD 2024); its error is
/// about 0.75·‖x/‖x‖ − m‖/√width, so that frames that resemble each other are told apart best.
public struct StoredRowLayout: Sendable, Equatable {
  public let width: Int

  public init(width: Int) { self.width = width }

  /// Bytes of an exact row.
  public var rowBytes: Int { 4 + 2 * width }
  /// Words of signs of a frame.
  var words: Int { (width + 63) / 64 }
  /// Bytes of a frame's code.
  var frameBytes: Int { 4 + 8 * words }
  /// Bytes of a video's code before its frames' codes.
  var meanBytes: Int { 4 + width }
  /// Bytes of the codes of videos that have so many frames together.
  public func codeBytes(videos: Int = 1, frames: Int) -> Int { videos * meanBytes + frames * frameBytes }
}

/// Turns encoded frames into what a file holds of them. May be used by one thread at a time.
public struct RowEncoder {
  public let layout: StoredRowLayout
  private let rotation: SignRotation

  public init(width: Int) {
    layout = StoredRowLayout(width: width)
    rotation = SignRotation(width: width)
  }

  /// The rows and the code of one video.
  /// - Parameter frames: [n, width], n > 0.
  public func encode(_ frames: UnsafeBufferPointer<Float>) -> (rows: [UInt8], code: [UInt8]) {
    let (width, count) = (layout.width, frames.count / layout.width)
    precondition(count > 0 && frames.count == count * width)
    var rows: [UInt8] = []
    rows.reserveCapacity(count * layout.rowBytes)
    var units = [Float](repeating: 0, count: frames.count)
    for r in 0..<count {
      var squares: Float = 0
      for i in 0..<width {
        let bits = Self.brain(frames[r * width + i])
        let value = Float(bitPattern: UInt32(bits) << 16)
        units[r * width + i] = value
        squares += value * value
      }
      let inverse = 1 / max(squares.squareRoot(), 1e-5)
      append(inverse, to: &rows)
      for i in 0..<width {
        let bits = UInt16(truncatingIfNeeded: units[r * width + i].bitPattern >> 16)
        rows.append(UInt8(truncatingIfNeeded: bits))
        rows.append(UInt8(truncatingIfNeeded: bits >> 8))
        units[r * width + i] *= inverse
      }
    }
    return (rows, code(&units, count: count))
  }

  private func code(_ units: inout [Float], count: Int) -> [UInt8] {
    let (width, words) = (layout.width, layout.words)
    var mean = [Float](repeating: 0, count: width)
    for r in 0..<count { for i in 0..<width { mean[i] += units[r * width + i] / Float(count) } }
    let largest = mean.reduce(0) { max($0, abs($1)) }
    let scale = largest.isFinite ? largest / 127 : 0
    var code: [UInt8] = []
    code.reserveCapacity(layout.codeBytes(frames: count))
    append(scale, to: &code)
    for i in 0..<width {
      let step = scale > 0 ? (mean[i] / scale).rounded() : 0
      code.append(UInt8(bitPattern: Int8(step.isFinite ? max(-127, min(127, step)) : 0)))
      // What the byte says, so that its rounding is in nobody's error.
      mean[i] = scale * (step.isFinite ? max(-127, min(127, step)) : 0)
    }
    for r in 0..<count {
      units.withUnsafeMutableBufferPointer { units in
        let row = UnsafeMutableBufferPointer(rebasing: units[r * width..<(r + 1) * width])
        for i in 0..<width { row[i] -= mean[i] }
        rotation.apply(row)
        // f = ‖r‖² / Σ|rᵢ|
        let (squares, sizes) = row.reduce((Float(0), Float(0))) { ($0.0 + $1 * $1, $0.1 + abs($1)) }
        append(sizes > 0 && squares.isFinite ? squares / sizes : 0, to: &code)
        for word in 0..<words {
          var bits: UInt64 = 0
          for i in word * 64..<min(width, word * 64 + 64) where row[i] > 0 { bits |= 1 << UInt64(i % 64) }
          withUnsafeBytes(of: bits.littleEndian) { code.append(contentsOf: $0) }
        }
      }
    }
    return code
  }

  private func append(_ value: Float, to bytes: inout [UInt8]) {
    withUnsafeBytes(of: value.bitPattern.littleEndian) { bytes.append(contentsOf: $0) }
  }

  /// The bits of the bfloat16 nearest to a value, ties to even.
  private static func brain(_ value: Float) -> UInt16 {
    let bits = value.bitPattern
    if bits & 0x7fff_ffff > 0x7f80_0000 { return UInt16(truncatingIfNeeded: bits >> 16) | 0x40 }
    return UInt16(truncatingIfNeeded: (bits &+ 0x7fff &+ ((bits >> 16) & 1)) >> 16)
  }
}

/// Products of a query with stored rows, read where they lie in a mapped file. The host does it, whichever device encodes:
/// that is where the file is.
public final class RowScanner: @unchecked Sendable {
  public let layout: StoredRowLayout
  private let rotation: SignRotation
  private let pool: ThreadPool
  private let kernels: hero_kernels

  /// - Parameter threads: defaults as those of the CPU do.
  public init(width: Int, threads: Int? = nil) {
    layout = StoredRowLayout(width: width)
    rotation = SignRotation(width: width)
    pool = ThreadPool(threads: threads ?? CPUBackend.defaultThreads)
    kernels = hero_kernels_best().pointee
  }

  deinit { pool.stop() }

  /// A query, ready to be compared with codes.
  public struct Query: Sendable {
    /// [width]
    public let values: [Float]
    /// [4][words]: the bits of the rotated query in steps of `step` from `least` on.
    fileprivate let planes: [UInt64]
    fileprivate let step: Float
    fileprivate let least: Float
    fileprivate let sum: Float
  }

  public func query(_ values: [Float]) -> Query {
    precondition(values.count == layout.width)
    var rotated = values
    rotated.withUnsafeMutableBufferPointer { rotation.apply($0) }
    let (least, most) = (rotated.min() ?? 0, rotated.max() ?? 0)
    let step = most > least ? (most - least) / 15 : 1
    var planes = [UInt64](repeating: 0, count: 4 * layout.words)
    for (i, value) in rotated.enumerated() {
      let level = ((value - least) / step).rounded()
      let number = level.isFinite ? UInt64(max(0, min(15, level))) : 0
      for k in 0..<4 where number >> UInt64(k) & 1 == 1 {
        planes[k * layout.words + i / 64] |= 1 << UInt64(i % 64)
      }
    }
    return Query(values: values, planes: planes, step: step, least: least, sum: rotated.reduce(0, +))
  }

  /// Runs `body(0)` … `body(count - 1)` on all threads.
  public func forEach(_ count: Int, _ body: (Int) -> Void) { pool.run(count, body) }

  /// The estimated cosines of a query with the frames of one video.
  /// - Parameters:
  ///   - code: the video's code.
  ///   - estimates: [frames], written.
  public func estimate(
    _ query: Query, code: UnsafeRawBufferPointer, into estimates: UnsafeMutableBufferPointer<Float>
  ) {
    precondition(code.count == layout.codeBytes(frames: estimates.count))
    guard let base = code.baseAddress, let out = estimates.baseAddress else { return }
    let scale = Float(bitPattern: UInt32(littleEndian: code.loadUnaligned(as: UInt32.self)))
    let mean =
      scale
      * kernels.byte_dot(
        query.values, (base + 4).assumingMemoryBound(to: Int8.self), layout.width)
    kernels.sign_products(
      out, base + layout.meanBytes, estimates.count, layout.words, query.planes, 2 * query.step,
      2 * query.least,
      query.sum)
    for i in estimates.indices { estimates[i] += mean }
  }

  /// x·row for stored rows that lie end to end.
  /// - Parameter normalized: divide by the rows' lengths.
  public func products(
    _ x: [Float], rows: UnsafeRawBufferPointer, normalized: Bool, into out: UnsafeMutableBufferPointer<Float>
  ) {
    precondition(x.count == layout.width && rows.count == out.count * layout.rowBytes)
    guard let base = rows.baseAddress else { return }
    for r in out.indices {
      let row = base + r * layout.rowBytes
      let product = kernels.brain_dot(x, row + 4, layout.width)
      let inverse = Float(bitPattern: UInt32(littleEndian: row.loadUnaligned(as: UInt32.self)))
      out[r] = normalized ? product * inverse : product
    }
  }
}
