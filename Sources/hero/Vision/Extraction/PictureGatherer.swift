/// A collector that takes a video's pictures one by one and emits them in batches.
protocol PictureGatherer: AnyObject {
  func append(_ picture: UnsafeBufferPointer<UInt8>) throws
  /// Emits the rest.
  ///
  /// - Parameter seconds: the time at which the last picture ends; nil if unknown.
  func finish(at seconds: Double?) throws
}

/// A collector of batches of a fixed size; the last one may be smaller.
final class BatchGatherer: PictureGatherer {
  private let size: Int
  private var bytes: [UInt8] = []
  private var count = 0
  private let emit: (_ bytes: [UInt8], _ pictures: Int) throws -> Void

  init(size: Int, emit: @escaping (_ bytes: [UInt8], _ pictures: Int) throws -> Void) {
    self.size = size
    self.emit = emit
  }

  func append(_ picture: UnsafeBufferPointer<UInt8>) throws {
    if count == 0 { bytes.reserveCapacity(size * picture.count) }
    bytes.append(contentsOf: picture)
    count += 1
    if count == size { try flush() }
  }

  func finish(at seconds: Double?) throws { try flush() }

  private func flush() throws {
    guard count > 0 else { return }
    try emit(bytes, count)
    (bytes, count) = ([], 0)
  }
}

/// A collector that cuts a video's pictures into clips while it is read.
///
/// It repeats the last picture up to whole seconds, and the last second up to a multiple of the
/// interval's numerator. Of the clips cut from these, the first ⌈duration/interval⌉ count. The
/// duration is the container's, unless the pictures end more than half a second earlier or later.
final class ClipGatherer: PictureGatherer {
  private let interval: FrameInterval
  private let frames: Int
  /// The frames that show each picture of a clip.
  private let uses: [[Int]]
  /// The duration that the container states, in seconds.
  private let duration: Double?
  private var most: Int
  /// The clips beyond `most`, held until it is known whether the container is right.
  private var held: [[UInt8]] = []
  private let pictureBytes: Int
  private var clip: [UInt8]
  /// The pictures of the current second, or of the last one.
  private var second: [[UInt8]] = []
  private var count = 0
  private var made = 0
  private let emit: ([UInt8]) throws -> Void

  /// - Parameters:
  ///   - pictureBytes: the bytes of one picture.
  ///   - emit: receives each clip: its frames end to end.
  init(
    interval: FrameInterval, frames: Int, frameRate: Double, duration: Double?, pictureBytes: Int,
    emit: @escaping ([UInt8]) throws -> Void
  ) {
    self.interval = interval
    self.frames = frames
    self.pictureBytes = pictureBytes
    self.emit = emit
    self.duration = duration
    most = duration.map { interval.count(in: $0) } ?? .max
    var uses = [[Int]](repeating: [], count: interval.clipLength)
    let places = ClipSampling.places(length: interval.clipLength, frames: frames, frameRate: frameRate)
    for (frame, place) in places.enumerated() { uses[place].append(frame) }
    self.uses = uses
    clip = [UInt8](repeating: 0, count: frames * pictureBytes)
  }

  func append(_ picture: UnsafeBufferPointer<UInt8>) throws {
    if count % FrameInterval.clipRate == 0 { second.removeAll(keepingCapacity: true) }
    second.append(Array(picture))
    try use(picture)
    let seen = Double(count) / Double(FrameInterval.clipRate)
    if let duration, most < .max, seen > duration + Self.tolerance { try allow(.max) }
  }

  /// The error up to which a container's duration is believed, in seconds.
  private static let tolerance = 0.5
  /// The rest after the last interval that makes no further one, in seconds, if the pictures alone
  /// give the duration: packet times are rounded.
  private static let overhang = 0.1

  /// Sets the number of clips that count, and emits held ones up to it.
  private func allow(_ count: Int) throws {
    most = count
    while made < most, !held.isEmpty {
      made += 1
      try emit(held.removeFirst())
    }
  }

  /// Repeats pictures to fill the last clip, and emits the rest.
  func finish(at seconds: Double?) throws {
    guard let last = second.last else { return }
    let rate = FrameInterval.clipRate
    let seen = seconds ?? Double(count) / Double(rate)
    let isRight = duration.map { abs($0 - seen) <= Self.tolerance } ?? false
    if !isRight, seen > 0, seen < 1e9 {
      try allow(max(made, 1, interval.count(in: max(0, seen - Self.overhang))))
    }
    func filled(_ count: Int, to multiple: Int) -> Int { (count + multiple - 1) / multiple * multiple }
    let seconds = filled(count, to: rate) / rate
    while second.count < rate { second.append(last) }
    let end = filled(seconds, to: interval.numerator) * rate
    while count < end, made < most {
      // Until its second is full, repeat the last picture; then repeat the whole second.
      let picture = count < seconds * rate ? last : second[count % rate]
      try picture.withUnsafeBufferPointer { try use($0) }
    }
  }

  private func use(_ picture: UnsafeBufferPointer<UInt8>) throws {
    for frame in uses[count % interval.clipLength] {
      clip.withUnsafeMutableBufferPointer { clip in
        if let from = picture.baseAddress, let to = clip.baseAddress {
          (to + frame * pictureBytes).update(from: from, count: pictureBytes)
        }
      }
    }
    count += 1
    guard count % interval.clipLength == 0 else { return }
    guard made < most else { return held.append(clip) }
    made += 1
    try emit(clip)
  }
}
