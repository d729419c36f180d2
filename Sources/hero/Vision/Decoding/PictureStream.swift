import CFFmpeg
import Formats

/// A picture rate: pictures a second, as a fraction.
public struct PictureRate: Equatable, Sendable {
  /// The number of pictures in ``denominator`` seconds.
  public var numerator: Int
  /// The number of seconds for ``numerator`` pictures.
  public var denominator: Int

  /// Creates the rate numerator / denominator; 30000/1001 is NTSC's.
  public init(numerator: Int, denominator: Int) {
    (self.numerator, self.denominator) = (numerator, denominator)
  }

  /// Parses a decimal number, or two with a slash between them.
  ///
  /// Hexadecimal numbers, which Swift's `Double` accepts, are refused.
  static func fraction(_ text: String) -> (Double, Double)? {
    guard text.utf8.allSatisfy({ "0123456789./eE+-".utf8.contains($0) }) else { return nil }
    let parts = text.split(separator: "/", omittingEmptySubsequences: false).map { Double($0) }
    guard parts.count <= 2, let first = parts[0], let second = parts.count == 2 ? parts[1] : 1 else {
      return nil
    }
    return (first, second)
  }

  /// Parses `3`, `23.976` or `30000/1001`: a rate from one picture an hour to 1,000 a second.
  ///
  /// Returns nil for any other text.
  public init?(_ text: String) {
    guard let (first, second) = Self.fraction(text), case let rate = first / second, rate.isFinite,
      (1.0 / 3600...1000).contains(rate), first.magnitude < 1e6, second.magnitude < 1e6
    else { return nil }
    let unit = [1.0, 1000].first {
      (first * $0).rounded() == first * $0 && (second * $0).rounded() == second * $0
    }
    let pair =
      unit.map { (Int(first.magnitude * $0), Int(second.magnitude * $0)) } ?? (
        Int((rate * 1e5).rounded()), 100_000
      )
    guard pair.0 > 0, pair.1 > 0 else { return nil }
    var (a, b) = pair
    while b > 0 { (a, b) = (b, a % b) }
    (numerator, denominator) = (pair.0 / a, pair.1 / a)
  }
}

/// The pictures of a video as one network sees them: filtered, and at the constant rate of FFmpeg's
/// raw output.
final class PictureStream {
  private let file: any PictureSource
  private let filters: [(name: String, options: String)]
  private let rate: PictureRate
  /// The width of the resulting pictures, in pixels.
  let width: Int
  let height: Int
  private var filter: PictureFilter?
  private var clock = ConstantRateClock()
  private var last: [UInt8]
  private var hasPicture = false
  private var lastTime: Int64?
  /// The first decoded picture, kept until there is a result.
  private var first: UnsafeMutablePointer<AVFrame>?
  private let body: (UnsafeBufferPointer<UInt8>) throws -> Void

  /// The longest gap between pictures that is filled, in seconds.
  private static let longestGap = 3600.0
  private static let longestSide = 1 << 14

  /// - Parameters:
  ///   - body: receives each picture: width·height·3 bytes, red, green and blue, row by row.
  init(
    _ file: any PictureSource, rate: PictureRate, input: NetworkInput, scaling: Scaling,
    _ body: @escaping (UnsafeBufferPointer<UInt8>) throws -> Void
  ) throws {
    self.file = file
    self.rate = rate
    self.body = body
    let scaled = Self.scaledSize(width: file.width, height: file.height, side: input.side)
    guard scaled.width <= Self.longestSide, scaled.height <= Self.longestSide else {
      throw DataError("pictures of \(file.width)×\(file.height) are too long and narrow", file: file.path)
    }
    (width, height) = Self.size(of: file, for: input)
    var filters = [
      (name: "fps", options: "fps=\(rate.numerator)/\(rate.denominator)"),
      (name: "scale", options: "\(scaled.width):\(scaled.height):flags=\(scaling.rawValue)"),
    ]
    if input.isCropped {
      let (x, y) = ((scaled.width - width) / 2, (scaled.height - height) / 2)
      filters.append((name: "crop", options: "\(width):\(height):\(x):\(y)"))
    }
    filters.append((name: "format", options: "pix_fmts=rgb24"))
    self.filters = filters
    last = [UInt8](repeating: 0, count: 3 * width * height)
  }

  deinit { av_frame_free(&first) }

  /// Returns the size in pixels at which a network sees a file's pictures.
  static func size(of file: any PictureSource, for input: NetworkInput) -> (width: Int, height: Int) {
    input.isCropped
      ? (width: input.side, height: input.side)
      : scaledSize(width: file.width, height: file.height, side: input.side)
  }

  /// Returns the size whose shorter side is `side` and whose longer one is ⌊long·side/short⌋.
  static func scaledSize(width: Int, height: Int, side: Int) -> (width: Int, height: Int) {
    height >= width
      ? (width: side, height: height * side / width) : (width: width * side / height, height: side)
  }

  /// Adds one decoded picture.
  func push(_ frame: UnsafeMutablePointer<AVFrame>) throws {
    let time = frame.pts
    if let lastTime, time != FFmpeg.noTime, seconds(from: lastTime, to: time) > Self.longestGap {
      throw DataError("the times of its pictures jump by hours", file: file.path)
    }
    if time != FFmpeg.noTime { lastTime = time }
    if let filter, !filter.accepts(frame) {
      try finish(at: time)
      self.filter = nil
    }
    if first == nil, !hasPicture { first = av_frame_clone(frame) }
    if filter == nil { filter = try PictureFilter(file, like: frame, filters: filters) }
    try filter?.push(frame)
    try drain()
  }

  /// Ends the pictures of the current size; the last one ends at `time`.
  private func finish(at time: Int64) throws {
    let isFar = lastTime.map { seconds(from: $0, to: time) > Self.longestGap } ?? false
    try filter?.finish(at: isFar ? lastTime ?? time : time)
    try drain()
  }

  /// Ends the stream.
  ///
  /// If the video is too short for any picture at this rate, the result is its first picture.
  func end(at time: Int64) throws {
    try finish(at: time)
    guard !hasPicture, let first else { return }
    let filter = try PictureFilter(file, like: first, filters: Array(filters.dropFirst()))
    try filter.push(first)
    if let picture = try filter.pull() {
      try pack(picture)
      try last.withUnsafeBufferPointer(body)
    }
  }

  /// Returns the seconds between two times of the stream.
  private func seconds(from start: Int64, to end: Int64) -> Double {
    (Double(end) - Double(start)) * (file.timeBase.value ?? 0)
  }

  private func drain() throws {
    while let picture = try filter?.pull() {
      guard picture.width == width, picture.height == height else {
        throw DataError("the filters gave a picture of another size", file: file.path)
      }
      guard let (old, new) = clock.copies(at: picture.pts), seconds(old + new) <= Self.longestGap
      else {
        throw DataError("its pictures begin hours after the file does", file: file.path)
      }
      // Before the first picture there is none to repeat.
      if hasPicture { for _ in 0..<old { try last.withUnsafeBufferPointer(body) } }
      try pack(picture)
      for _ in 0..<(hasPicture ? new : old + new) { try last.withUnsafeBufferPointer(body) }
      hasPicture = true
      av_frame_free(&first)
    }
  }

  private func seconds(_ pictures: Int) -> Double {
    Double(pictures) * Double(rate.denominator) / Double(rate.numerator)
  }

  /// Copies a picture's rows end to end.
  private func pack(_ picture: UnsafeMutablePointer<AVFrame>) throws {
    guard let data = picture.data[0] else {
      throw DataError("a picture without pixels", file: file.path)
    }
    let (row, step) = (3 * width, Int(picture.linesize[0]))
    last.withUnsafeMutableBufferPointer { bytes in
      for line in 0..<height {
        (bytes.baseAddress! + line * row).update(from: data + line * step, count: row)
      }
    }
  }
}

/// The number of times that each picture is written to an output of constant rate from time 0.
///
/// It is usually one: more after a gap, none if the picture is late. Source: the raw output of
/// FFmpeg's program, which has a constant rate (`-vsync cfr`).
struct ConstantRateClock {
  /// The number of the next picture to write.
  private var next: Int64 = 0

  /// Returns how often to repeat the picture before, then how often to write this one.
  ///
  /// - Parameter time: the time of this picture, as a count of output pictures.
  /// - Returns: nil if the time is 2⁴⁰ pictures or more from 0.
  mutating func copies(at time: Int64) -> (last: Int, this: Int)? {
    guard time.magnitude < 1 << 40 else { return nil }
    // FFmpeg compares with −1.1 and 1.1. For whole numbers that means late, on time, or after a
    // gap.
    let ahead = time - next
    if ahead < -2 { return (0, 0) }
    if ahead <= 0 {
      next += 1
      return (0, 1)
    }
    next += ahead + 1
    let repeated = max(ahead - 1, 0)
    return (Int(repeated), Int(ahead + 1 - repeated))
  }
}
