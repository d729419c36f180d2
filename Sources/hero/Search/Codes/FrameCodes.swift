import CKernels
import Engine

/// The layout in a file of the codes of frames that were added together.
///
/// For a frame's unit vector u, codes describe r = R(u − c). R is a fixed rotation and c the mean
/// of all unit vectors. They describe r twice:
///
/// - The signs of r, in blocks of 8,192 frames; the last block is padded to a multiple of 512. A
///   block has the factors f = ‖r‖² / Σ|rᵢ| of its frames in bfloat16, then their factors f₂, then
///   for each element the bits of all frames. With q' = R(q), q·u ≈ q·c + f·Σ ±q'ᵢ. A query reads
///   only the elements where it is large, a third of them.
/// - The mean c, as floats.
/// - A record for each frame: levels l ∈ {−3, −1, 1, 3} in two bits an element, the nearest to rᵢ
///   where ±1 and ±3 stand for ±½ and ±3⁄2 deviations. With f₂ = ‖r‖² / Σ lᵢrᵢ, q·u ≈ q·c + f₂·Σ
///   lᵢq'ᵢ.
///
/// The factors make the estimates unbiased (Gao & Long, "RaBitQ", SIGMOD 2024). The error of a
/// record's estimate is about 0.37·‖r‖/√width, that of all signs 0.75·‖r‖/√width.
public struct FrameCodeLayout: Sendable, Equatable {
  /// Elements of a frame's vector.
  public let width: Int

  /// - Parameter width: elements of a frame's vector.
  public init(width: Int) { self.width = width }

  /// The number of frames in a block.
  public static let blockFrames = Int(HERO_BLOCK_FRAMES)
  /// The multiple of frames to which the last block is padded.
  ///
  /// The signs of so many frames can be read on their own.
  public static let stepFrames = Int(HERO_BLOCK_STEP)

  /// The number of groups of 32 bytes that the levels of a record take.
  var groups: Int { (width + 127) / 128 }
  var recordBytes: Int { 32 * groups }
  var centreBytes: Int { 4 * width }

  static func filled(_ frames: Int) -> Int { (frames + stepFrames - 1) / stepFrames * stepFrames }

  /// Returns the number of bytes of the signs of so many frames.
  func signBytes(frames: Int) -> Int { Self.filled(frames) * 4 + Self.filled(frames) / 8 * width }

  /// Returns the number of bytes of the codes of so many frames.
  public func bytes(frames: Int) -> Int { signBytes(frames: frames) + centreBytes + frames * recordBytes }

  /// Returns the number of blocks of so many frames: ⌈frames / 8,192⌉.
  public func blocks(frames: Int) -> Int { (frames + Self.blockFrames - 1) / Self.blockFrames }

  /// Returns the frames of a block.
  public func frames(ofBlock block: Int, of frames: Int) -> Range<Int> {
    block * Self.blockFrames..<min(frames, (block + 1) * Self.blockFrames)
  }
}

/// Encodes the exact rows of frames as codes.
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

  /// Returns the codes of rows that lie end to end.
  ///
  /// The number of threads does not change the codes.
  public func encode(_ stored: [UInt8], threads: Int? = nil) -> [UInt8] {
    let count = stored.count / rows.rowBytes
    precondition(stored.count == count * rows.rowBytes)
    let blocks = layout.blocks(frames: count)
    // Starting a thread takes longer than encoding a few frames.
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
        // Each thread writes blocks of its own.
        nonisolated(unsafe) let codes = codes
        pool.run(blocks) { encode(block: $0, of: stored, count, centre, into: codes) }
      }
      return codes
    }
  }

  /// Returns the mean unit vector of all rows whose elements are finite.
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

  /// Reads the unit vector of a row.
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
        // Rows that are not finite or equal the mean get no code, so only the mean counts.
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
