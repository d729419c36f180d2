import CKernels
import Engine

/// How the codes of frames that were added together lie in a file. They say of a frame's unit
/// vector u what r = R(u − c) is, R being a fixed rotation and c the mean of all the unit vectors,
/// twice:
///
/// - The signs of r, in blocks of 8,192 frames, the last one filled up to a multiple of 512. A
///   block has the factors f = ‖r‖² / Σ|rᵢ| of all its frames in bfloat16, then their factors f₂,
///   then element after element the bits of all of them. With q' = R(q), q·u ≈ q·c + f·Σ ±q'ᵢ. A
///   query reads only the elements where it is large, a third of them.
/// - The mean c, floats.
/// - A record a frame: levels l ∈ {−3, −1, 1, 3} in two bits an element, those that are nearest to
///   rᵢ where ±1 and ±3 stand for ±½ and ±3⁄2 deviations. With f₂ = ‖r‖² / Σ lᵢrᵢ, q·u ≈ q·c + f₂·Σ
///   lᵢq'ᵢ.
///
/// The factors make the estimates right on average (Gao & Long, "RaBitQ", SIGMOD 2024). The error
/// of a record's is about 0.37·‖r‖/√width, that of all signs 0.75·‖r‖/√width.
public struct FrameCodeLayout: Sendable, Equatable {
  /// Elements of a frame's vector.
  public let width: Int

  /// - Parameter width: elements of a frame's vector.
  public init(width: Int) { self.width = width }

  /// Frames of a block.
  public static let blockFrames = Int(HERO_BLOCK_FRAMES)
  /// Frames to whose multiples the last block is filled up, and whose signs can be read by
  /// themselves.
  public static let stepFrames = Int(HERO_BLOCK_STEP)

  /// Groups of 32 bytes that the levels of a record take.
  var groups: Int { (width + 127) / 128 }
  var recordBytes: Int { 32 * groups }
  var centreBytes: Int { 4 * width }

  static func filled(_ frames: Int) -> Int { (frames + stepFrames - 1) / stepFrames * stepFrames }

  /// Bytes of the signs of so many frames.
  func signBytes(frames: Int) -> Int { Self.filled(frames) * 4 + Self.filled(frames) / 8 * width }

  /// Bytes of the codes of so many frames.
  public func bytes(frames: Int) -> Int { signBytes(frames: frames) + centreBytes + frames * recordBytes }

  /// Blocks of so many frames: ⌈frames / 8,192⌉.
  public func blocks(frames: Int) -> Int { (frames + Self.blockFrames - 1) / Self.blockFrames }

  /// The frames of a block.
  public func frames(ofBlock block: Int, of frames: Int) -> Range<Int> {
    block * Self.blockFrames..<min(frames, (block + 1) * Self.blockFrames)
  }
}

/// Makes the codes of frames from their exact rows.
public struct FrameCodeEncoder {
  private let layout: FrameCodeLayout
  private let rows: StoredRowLayout
  private let rotation: SignRotation

  /// - Parameter width: elements of a frame's vector.
  public init(width: Int) {
    layout = FrameCodeLayout(width: width)
    rows = StoredRowLayout(width: width)
    rotation = SignRotation(width: width)
  }

  /// The codes of rows that lie end to end. The same rows have the same codes on however many
  /// threads.
  public func encode(_ stored: [UInt8], threads: Int? = nil) -> [UInt8] {
    let count = stored.count / rows.rowBytes
    precondition(stored.count == count * rows.rowBytes)
    let blocks = layout.blocks(frames: count)
    // A thread takes longer to start than a few frames to encode.
    let pool = ThreadPool(threads: blocks > 1 ? threads ?? CPUBackend.defaultThreads : 1)
    defer { pool.stop() }
    return stored.withUnsafeBytes { stored in
      let centre = centre(of: stored, count, pool)
      var codes = [UInt8](repeating: 0, count: layout.bytes(frames: count))
      codes.withUnsafeMutableBytes { codes in
        let place = layout.signBytes(frames: count)
        for (i, value) in centre.enumerated() {
          codes.storeBytes(of: value.bitPattern.littleEndian, toByteOffset: place + 4 * i, as: UInt32.self)
        }
        // No two threads write the same block.
        nonisolated(unsafe) let codes = codes
        pool.run(blocks) { encode(block: $0, of: stored, count, centre, into: codes) }
      }
      return codes
    }
  }

  /// The mean of the unit vectors of all rows whose elements are numbers.
  private func centre(of stored: UnsafeRawBufferPointer, _ count: Int, _ pool: ThreadPool) -> [Float] {
    let (width, blocks) = (layout.width, layout.blocks(frames: count))
    var sums = [Double](repeating: 0, count: blocks * width)
    var finite = [Int](repeating: 0, count: blocks)
    sums.withUnsafeMutableBufferPointer { sums in
      finite.withUnsafeMutableBufferPointer { finite in
        nonisolated(unsafe) let (sums, finite) = (sums, finite)
        pool.run(blocks) { block in
          withUnsafeTemporaryAllocation(of: Float.self, capacity: width) { unit in
            for row in layout.frames(ofBlock: block, of: count) {
              read(row, of: stored, into: unit)
              guard unit.allSatisfy(\.isFinite) else { continue }
              finite[block] += 1
              for i in 0..<width { sums[block * width + i] += Double(unit[i]) }
            }
          }
        }
      }
    }
    let all = Double(max(1, finite.reduce(0, +)))
    return (0..<width).map { i in
      Float((0..<blocks).reduce(0) { $0 + sums[$1 * width + i] } / all)
    }
  }

  /// The unit vector of a row.
  private func read(
    _ row: Int, of stored: UnsafeRawBufferPointer, into unit: UnsafeMutableBufferPointer<Float>
  ) {
    let place = row * rows.rowBytes
    let inverse = Float(
      bitPattern: UInt32(littleEndian: stored.loadUnaligned(fromByteOffset: place, as: UInt32.self)))
    for i in 0..<layout.width {
      let bits = UInt16(
        littleEndian: stored.loadUnaligned(fromByteOffset: place + 4 + 2 * i, as: UInt16.self))
      unit[i] = Float(bitPattern: UInt32(bits) << 16) * inverse
    }
  }

  private func encode(
    block: Int, of stored: UnsafeRawBufferPointer, _ count: Int, _ centre: [Float],
    into codes: UnsafeMutableRawBufferPointer
  ) {
    let width = layout.width
    let frames = layout.frames(ofBlock: block, of: count)
    let start = layout.signBytes(frames: frames.lowerBound)
    let filled = FrameCodeLayout.filled(frames.count)
    let planes = start + 4 * filled
    let records = layout.signBytes(frames: count) + layout.centreBytes
    withUnsafeTemporaryAllocation(of: Float.self, capacity: width) { rest in
      for (number, row) in frames.enumerated() {
        read(row, of: stored, into: rest)
        for i in 0..<width { rest[i] -= centre[i] }
        rotation.apply(rest)
        let (squares, sizes) = rest.reduce((Float(0), Float(0))) { ($0.0 + $1 * $1, $0.1 + abs($1)) }
        // Of a row that is no vector, and of one that is the mean, nothing is known but the mean.
        guard squares.isFinite, squares > 0 else { continue }
        let record = records + row * layout.recordBytes
        let step = 0.9957 * (squares / Float(width)).squareRoot()
        var product: Float = 0
        for i in 0..<width {
          if rest[i] > 0 { codes[planes + i * filled / 8 + number / 8] |= 1 << UInt8(number % 8) }
          let code = max(0, min(3, (rest[i] / step).rounded(.down) + 2))
          product += rest[i] * (2 * code - 3)
          codes[record + i / 128 * 32 + i % 32] |= UInt8(code) << UInt8(2 * (i % 128 / 32))
        }
        for (place, factor) in [
          (start, squares / sizes), (start + 2 * filled, squares / max(product, 1e-30)),
        ] {
          codes.storeBytes(
            of: BFloat16.bits(factor).littleEndian, toByteOffset: place + 2 * number, as: UInt16.self)
        }
      }
    }
  }
}
