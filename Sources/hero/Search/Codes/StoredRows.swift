import Engine

/// The layout of an exact row: a float, 1 / max(‖x‖, 1e-5), and then x in bfloat16.
///
/// The codes beside the rows (`FrameCodeLayout`) tell which rows are worth reading.
public struct StoredRowLayout: Sendable, Equatable {
  /// Elements of a frame's vector.
  public let width: Int

  /// - Parameter width: elements of a frame's vector.
  public init(width: Int) { self.width = width }

  /// Bytes of an exact row.
  public var rowBytes: Int { 4 + 2 * width }
}

/// The layout of the codes of one video's frames in files of versions 1 and 2, which are only read.
///
/// The mean m of the frames' unit vectors comes first, as signed bytes with their scale. Then each
/// frame has a float f and the signs of R(x/‖x‖ − m). R is the rotation of `FrameCodeLayout`. With
/// q' = R(q), q·x/‖x‖ ≈ q·m + f·Σ ±q'.
public struct VideoCodeLayout: Sendable, Equatable {
  /// Elements of a frame's vector.
  public let width: Int

  /// - Parameter width: elements of a frame's vector.
  public init(width: Int) { self.width = width }

  /// The number of 64-bit words for the signs of a frame.
  var words: Int { (width + 63) / 64 }
  /// The number of bytes of a frame's code.
  var frameBytes: Int { 4 + 8 * words }
  /// The number of bytes of a video's code before its frames' codes.
  var meanBytes: Int { 4 + width }
  /// Returns the number of bytes of the codes of videos that have so many frames together.
  public func bytes(videos: Int = 1, frames: Int) -> Int { videos * meanBytes + frames * frameBytes }
}

/// Encodes frames as exact rows.
public struct RowEncoder {
  private let layout: StoredRowLayout

  /// - Parameter width: elements of a frame's vector.
  public init(width: Int) { layout = StoredRowLayout(width: width) }

  /// Appends frames to rows that lie end to end.
  /// - Parameter frames: the encoded frames, [n, width].
  public func append(_ frames: UnsafeBufferPointer<Float>, to rows: inout [UInt8]) {
    let width = layout.width
    precondition(frames.count % width == 0)
    for start in stride(from: 0, to: frames.count, by: width) {
      let place = rows.count
      rows.append(contentsOf: repeatElement(0, count: layout.rowBytes))
      rows.withUnsafeMutableBytes { rows in
        var squares: Float = 0
        for i in 0..<width {
          let bits = BFloat16.bits(frames[start + i])
          let value = Float(bitPattern: UInt32(bits) << 16)
          squares += value * value
          rows.storeBytes(of: bits.littleEndian, toByteOffset: place + 4 + 2 * i, as: UInt16.self)
        }
        let inverse = 1 / max(squares.squareRoot(), 1e-5)
        rows.storeBytes(of: inverse.bitPattern.littleEndian, toByteOffset: place, as: UInt32.self)
      }
    }
  }
}
