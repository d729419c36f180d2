import Testing

@testable import Vision

struct SamplingTests {
  @Test func anIntervalIsAFractionOfWhole30ths() throws {
    let tv = try #require(FrameInterval(seconds: 1.5))
    #expect((tv.numerator, tv.denominator) == (3, 2))
    #expect(tv.clipLength == 45)
    let whole = try #require(FrameInterval(seconds: 2))
    #expect((whole.numerator, whole.denominator) == (2, 1))
    let third = try #require(FrameInterval(seconds: 1.0 / 3))
    #expect((third.numerator, third.denominator) == (1, 3))
    for seconds in [0, -1, 0.01, 1.51, .nan, .infinity, 4000] {
      #expect(FrameInterval(seconds: seconds) == nil)
    }
    #expect(tv.count(in: 12.3) == 9)
    #expect(tv.count(in: 3) == 2)
  }

  @Test func shortVideosAreReadMoreOften() throws {
    let interval = try #require(FrameInterval(seconds: 1.5))
    #expect(interval.pictureRate(of: nil) == PictureRate(numerator: 2, denominator: 3))
    #expect(interval.pictureRate(of: 1.6) == PictureRate(numerator: 2, denominator: 3))
    #expect(interval.pictureRate(of: 1.59) == PictureRate(numerator: 2, denominator: 1))
    #expect(interval.pictureRate(of: 0.5) == PictureRate(numerator: 2, denominator: 1))
    let two = try #require(FrameInterval(seconds: 2))
    #expect(two.pictureRate(of: 2.05) == PictureRate(numerator: 2, denominator: 2))
  }

  /// Place i of 32 is ⌊min(i·(64·f/30 − 1)/31, length − 1)⌋.
  @Test(arguments: [24, 25, 29.97, 30, 60, 10], [45, 60, 10])
  func placesFollowTheFormula(rate: Double, length: Int) {
    let places = ClipSampling.places(length: length, frames: 32, frameRate: rate)
    let end = 64 * Int(rate) - 30
    let wanted = (0..<32).map { (place: Int) -> Int in min(place * end / (31 * 30), length - 1) }
    #expect(places == wanted)
  }

  @Test func aRateBelowOneSeesOnePicture() {
    #expect(ClipSampling.places(length: 45, frames: 32, frameRate: 0.5) == [Int](repeating: 0, count: 32))
  }

  @Test func theSlowPathwaySeesEightOf32() {
    #expect(SlowFast.slowPlaces(frames: 32, alpha: 4) == [0, 4, 8, 13, 17, 22, 26, 31])
  }

  @Test(arguments: [(640, 360, 398, 224), (360, 640, 224, 398), (100, 100, 224, 224), (1000, 3, 74666, 224)])
  func theShorterSideIsGiven(width: Int, height: Int, scaledWidth: Int, scaledHeight: Int) {
    #expect(
      PictureStream.scaledSize(width: width, height: height, side: 224) == (scaledWidth, scaledHeight))
  }

  /// Clips of numbered pictures equal those that the reference's padding of whole arrays gives.
  @Test(arguments: [1, 29, 30, 31, 45, 89, 90, 91, 100, 135, 180], [1.5, 2, 0.5])
  func clipsAreFilledUpBySecondsAndIntervals(count: Int, seconds: Double) throws {
    let interval = try #require(FrameInterval(seconds: seconds))
    var pictures = Array(0..<count)
    while pictures.count % 30 != 0 { pictures.append(count - 1) }
    let lastSecond = Array(pictures.suffix(30))
    while pictures.count / 30 % interval.numerator != 0 { pictures += lastSecond }
    let length = interval.clipLength
    let places = ClipSampling.places(length: length, frames: 32, frameRate: 25)
    let wanted = stride(from: 0, to: pictures.count, by: length).map { start in
      places.map { UInt8(pictures[start + $0]) }
    }
    let seen = Double(count) / 30
    // Only durations near what was seen are believed.
    for duration in [nil, seconds * 0.9, seconds * 1.5, seen - 0.4, seen + 0.4, 1000] as [Double?] {
      var clips: [[UInt8]] = []
      let gatherer = ClipGatherer(
        interval: interval, frames: 32, frameRate: 25, duration: duration, pictureBytes: 1
      ) { clips.append($0) }
      for picture in 0..<count { try [UInt8(picture)].withUnsafeBufferPointer { try gatherer.append($0) } }
      try gatherer.finish(at: nil)
      let believed = duration.flatMap { abs($0 - seen) <= 0.5 ? max(0, $0) : nil }
      let most = believed.map { ($0 / seconds).rounded(.up) } ?? max(1, ((seen - 0.1) / seconds).rounded(.up))
      #expect(clips == Array(wanted.prefix(Int(most))), "\(duration ?? -1)")
    }
  }

  @Test func batchesHaveTheirSizeAndARest() throws {
    var batches: [[UInt8]] = []
    let gatherer = BatchGatherer(size: 3) { bytes, pictures in
      #expect(bytes.count == 2 * pictures)
      batches.append(bytes)
    }
    for picture in UInt8(0)..<7 {
      try [picture, picture].withUnsafeBufferPointer { try gatherer.append($0) }
    }
    try gatherer.finish(at: nil)
    #expect(batches == [[0, 0, 1, 1, 2, 2], [3, 3, 4, 4, 5, 5], [6, 6]])
  }

  @Test func theClockRepeatsAcrossGapsAndDropsWhatIsLate() {
    var clock = ConstantRateClock()
    func copies(_ time: Int64) -> [Int]? { clock.copies(at: time).map { [$0.last, $0.this] } }
    #expect(copies(0) == [0, 1])
    #expect(copies(1) == [0, 1])
    // Places 2, 3 and 4 are empty: the picture before fills two of them.
    #expect(copies(5) == [2, 2])
    #expect(copies(1) == [0, 0])
    #expect(copies(6) == [0, 1])
    #expect(copies(.max) == nil)
    var late = ConstantRateClock()
    #expect(late.copies(at: 3).map { $0.last + $0.this } == 4)
  }
}
