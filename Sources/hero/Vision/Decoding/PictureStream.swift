import CFFmpeg
import Formats

/// So many pictures a second.
public struct PictureRate: Equatable, Sendable {
  /// Pictures in ``denominator`` seconds.
  public var numerator: Int
  /// Seconds.
  public var denominator: Int

  /// numerator / denominator pictures a second; 30000/1001 is NTSC's.
  public init(numerator: Int, denominator: Int) {
    (self.numerator, self.denominator) = (numerator, denominator)
  }

  /// A number in decimal digits, or two with a stroke between them; Swift reads hexadecimal ones
  /// too.
  static func fraction(_ text: String) -> (Double, Double)? {
    guard text.utf8.allSatisfy({ "0123456789./eE+-".utf8.contains($0) }) else { return nil }
    let parts = text.split(separator: "/", omittingEmptySubsequences: false).map { Double($0) }
    guard parts.count <= 2, let first = parts[0], let second = parts.count == 2 ? parts[1] : 1 else {
      return nil
    }
    return (first, second)
  }

  /// - Parameter text: `3`, `23.976` or `30000/1001`, from one an hour to 1,000 a second; nil for
  ///   anything else.
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

/// What one network sees of a video, and how far it is: filters, and the constant rate of FFmpeg's
/// raw output.
final class PictureStream {
  private let file: any PictureSource
  private let filters: [(name: String, options: String)]
  private let rate: PictureRate
  /// Of the resulting pictures.
  let width: Int
  let height: Int
  private var filter: PictureFilter?
  private var clock = ConstantRateClock()
  private var last: [UInt8]
  private var hasPicture = false
  private var lastTime: Int64?
  /// The first decoded picture, until a result exists.
  private var first: UnsafeMutablePointer<AVFrame>?
  private let body: (UnsafeBufferPointer<UInt8>) throws -> Void

  /// The longest stretch without a picture, in seconds, that is filled up.
  private static let longestGap = 3600.0
  private static let longestSide = 1 << 14

  /// - Parameters:
  ///   - body: is given each picture: width·height·3 bytes, red, green and blue, row by row.
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

  /// The size in which a network sees the pictures of a file.
  static func size(of file: any PictureSource, for input: NetworkInput) -> (width: Int, height: Int) {
    input.isCropped
      ? (width: input.side, height: input.side)
      : scaledSize(width: file.width, height: file.height, side: input.side)
  }

  /// The shorter side becomes `side`, the other one ⌊long·side/short⌋.
  static func scaledSize(width: Int, height: Int, side: Int) -> (width: Int, height: Int) {
    height >= width
      ? (width: side, height: height * side / width) : (width: width * side / height, height: side)
  }

  /// Takes one decoded picture.
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

  /// No picture follows of this size; the last one ends at `time`.
  private func finish(at time: Int64) throws {
    let isFar = lastTime.map { seconds(from: $0, to: time) > Self.longestGap } ?? false
    try filter?.finish(at: isFar ? lastTime ?? time : time)
    try drain()
  }

  /// Ends the stream. A video so short that no picture falls due is seen as its first one.
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

  /// Between two times of the stream.
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
      // Before the first picture there is no other to repeat.
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

/// How often each picture is written to an output of constant rate that begins at 0. Usually once,
/// more often after a gap, never if it comes too late.
///
/// Source: FFmpeg's program, whose output of raw pictures is of constant rate (`-vsync cfr`).
struct ConstantRateClock {
  /// The number of the next picture that is written.
  private var next: Int64 = 0

  /// - Parameter time: of a picture, counted in pictures.
  /// - Returns: how often the picture before it is written again, then how often this one; nil for
  ///   a time beyond all sense.
  mutating func copies(at time: Int64) -> (last: Int, this: Int)? {
    guard time.magnitude < 1 << 40 else { return nil }
    // FFmpeg compares with −1.1 and 1.1; for whole numbers that is too late, in time, and after a
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
