import CFFmpeg
import Formats
import Foundation
import TestSupport
import Testing

@testable import Vision

struct DecodingTests {
  private static func path(_ name: String) -> String { Fixtures.path("Vision/\(name)") }

  /// Returns the bytes of each picture that a network sees of a video, and the pictures' size.
  static func pictures(
    _ path: String, rate: PictureRate, input: NetworkInput = .pictures(side: 30, isCropped: false)
  ) throws -> (pictures: [[UInt8]], width: Int, height: Int) {
    let file = try VideoFile(path: path)
    let decoder = try FrameDecoder(file, threads: 1)
    var pictures: [[UInt8]] = []
    let stream = try PictureStream(file, rate: rate, input: input, scaling: .bicubic) {
      pictures.append(Array($0))
    }
    while let frame = try decoder.next() { try stream.push(frame) }
    try stream.end(at: decoder.end)
    return (pictures, stream.width, stream.height)
  }

  /// Returns the numbers of pictures, which the fixtures encode as brightness.
  private static func numbers(_ name: String, rate: PictureRate) throws -> [Int] {
    try pictures(path(name), rate: rate).pictures.map { (picture: [UInt8]) -> Int in
      let sum = picture.reduce(0) { $0 + Int($1) }
      let mean = Double(sum) / Double(picture.count)
      return Int((mean / (6 * 255 / 219.0)).rounded())
    }
  }

  private static let perClip = PictureRate(numerator: 2, denominator: 3)
  private static let thirty = PictureRate(numerator: 30, denominator: 1)

  /// The headers in this build are of a version that hero knows, with the contents that it knows.
  @Test func theHeadersHereAreAmongTheKnownOnes() { #expect(hero_ffmpeg_knows_headers()) }

  @Test(arguments: ["plain.mp4", "plain.mkv"]) func headersAreRead(name: String) throws {
    let file = try VideoFile(path: Self.path(name))
    #expect((file.width, file.height) == (80, 60))
    #expect(abs((file.duration ?? 0) - 3.2) < 0.01)
    #expect(abs((file.frameRate ?? 0) - 10) < 1e-6)
    #expect(file.codec == "mpeg4")
  }

  /// Picture n belongs to place round(n/10·rate), and a place shows the last picture at or before
  /// it.
  @Test(arguments: ["plain.mp4", "plain.mkv"]) func picturesComeAtAConstantRate(name: String) throws {
    #expect(try Self.numbers(name, rate: Self.perClip) == [7, 22])
    #expect(try Self.numbers(name, rate: Self.thirty) == (0..<96).map { $0 / 3 })
    #expect(
      try Self.numbers(name, rate: PictureRate(numerator: 5, denominator: 1))
        == (0..<16).map { min(2 * $0, 31) })
  }

  @Test func picturesOfAVariableRateKeepTheirTimes() throws {
    let shown = (0..<30).filter { $0 < 10 || $0 % 3 != 0 }
    let numbers = try Self.numbers("variable.mkv", rate: Self.thirty)
    #expect(numbers.count == 90)
    #expect(numbers == (0..<90).map { place in shown.last { 3 * $0 <= place } ?? -1 })
  }

  @Test func picturesThatBeginLateRepeatTheFirst() throws {
    let numbers = try Self.numbers("late.mkv", rate: Self.thirty)
    #expect(numbers == (0..<numbers.count).map { max(0, ($0 - 30) / 3) })
    #expect(numbers.count == 90)
  }

  @Test func oneShortPictureIsSeenOnce() throws {
    #expect(try Self.numbers("one.mp4", rate: Self.perClip) == [0])
    #expect(try Self.numbers("one.mp4", rate: Self.thirty) == [0, 0, 0])
  }

  @Test func turnedPicturesAreShownUpright() throws {
    let file = try VideoFile(path: Self.path("rotated.mp4"))
    #expect((file.width, file.height) == (64, 96))
    let (pictures, width, height) = try Self.pictures(
      Self.path("rotated.mp4"), rate: Self.perClip, input: .pictures(side: 32, isCropped: false))
    #expect((width, height) == (32, 48))
    let picture = try #require(pictures.first)
    func brightness(_ rows: Range<Int>) -> Int {
      let part = picture[rows.lowerBound * 3 * width..<rows.upperBound * 3 * width]
      return part.reduce(0) { $0 + Int($1) } / part.count
    }
    // The file asks for a counterclockwise turn, so what lay on the left is at the bottom.
    #expect(brightness(0..<20) > 180)
    #expect(brightness(28..<48) < 50)
  }

  @Test func picturesAreCutFromTheMiddle() throws {
    let whole = try Self.pictures(Self.path("plain.mp4"), rate: Self.perClip)
    #expect((whole.width, whole.height) == (40, 30))
    let cut = try Self.pictures(
      Self.path("plain.mp4"), rate: Self.perClip, input: .pictures(side: 30, isCropped: true))
    #expect((cut.width, cut.height) == (30, 30))
    let picture = whole.pictures[1]
    var rows: [UInt8] = []
    for row in 0..<30 { rows += picture[(row * 40 + 5) * 3..<(row * 40 + 35) * 3] }
    #expect(cut.pictures[1] == rows)
  }

  @Test func matricesBecomeFilters() throws {
    _ = try VideoFile(path: Self.path("plain.mp4"))
    let one: Int32 = 65_536
    func filters(_ matrix: [Int32]?) -> [String] {
      DisplayRotation(matrix: matrix).filters.map { "\($0.name)=\($0.options)" }
    }
    #expect(filters(nil) == [])
    #expect(filters([one, 0, 0, 0, one, 0, 0, 0, 1 << 30]) == [])
    #expect(filters([0, one, 0, -one, 0, 0, 0, 0, 1 << 30]) == ["transpose=clock"])
    #expect(filters([0, -one, 0, one, 0, 0, 0, 0, 1 << 30]) == ["transpose=cclock"])
    #expect(filters([-one, 0, 0, 0, -one, 0, 0, 0, 1 << 30]) == ["hflip=", "vflip="])
    #expect(filters([one, 0, 0, 0, -one, 0, 0, 0, 1 << 30]) == ["vflip="])
    #expect(DisplayRotation(matrix: [0, one, 0, -one, 0, 0, 0, 0, 1 << 30]).swapsSides)
  }

  @Test func whatIsNoVideoIsNamed() throws {
    let folder = try TemporaryFolder()
    for path in [
      try folder.file("garbage.mp4", "garbage"), try folder.file("empty.mp4", ""), Self.path("sound.mkv"),
      folder.path("missing.mp4"), folder.root,
      // A playlist is not followed.
      try folder.file("list.m3u8", "#EXTM3U\n#EXTINF:1,\nhttp://localhost/a.ts\n#EXT-X-ENDLIST\n"),
    ] {
      let error = try #require(throws: DataError.self) { try VideoFile(path: path) }
      #expect(error.file == path)
    }
  }

  @Test(arguments: ["plain.mp4", "plain.mkv", "raw.h264", "restarts.ts"]) func damageIsRefusedOrSurvived(
    name: String
  ) throws {
    let folder = try TemporaryFolder()
    let path = folder.path(name)
    let bytes = try Fixtures.bytes("Vision/\(name)")
    for damaged in Damage.truncations(bytes, most: 40) + Damage.flips(bytes, most: 60) {
      try Data(damaged).write(to: URL(fileURLWithPath: path))
      do {
        let (pictures, width, height) = try Self.pictures(path, rate: Self.perClip)
        #expect(pictures.allSatisfy { $0.count == 3 * width * height })
      } catch { #expect(error is DataError) }
    }
  }

  @Test func aTruncatedVideoIsReadAsFarAsItGoes() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("cut.mkv")
    let bytes = try Fixtures.bytes("Vision/plain.mkv")
    try Data(bytes.prefix(bytes.count * 3 / 4)).write(to: URL(fileURLWithPath: path))
    let count = try Self.pictures(path, rate: Self.thirty).pictures.count
    #expect(count > 30 && count < 96)
  }

  @Test func thumbnailsAreJPEGsOfTheirTime() throws {
    let folder = try TemporaryFolder()
    let video = try VideoFile(path: Self.path("plain.mp4"))
    for (time, number) in [(0.0, 0), (1.05, 10), (2.0, 20), (99, 31)] {
      let bytes = try video.thumbnail(at: time, width: 40)
      #expect(bytes.starts(with: [0xff, 0xd8]))
      let path = folder.path("\(number).picture")
      try Data(bytes).write(to: URL(fileURLWithPath: path))
      let (pictures, width, height) = try Self.pictures(path, rate: Self.thirty)
      #expect((width, height) == (40, 30))
      let picture = try #require(pictures.first)
      let sum = picture.reduce(0) { $0 + Int($1) }
      let mean = Double(sum) / Double(picture.count)
      let wanted = Double(6 * number) * 255 / 219
      #expect(abs(mean - wanted) < 4, "\(time)")
    }
    let turned = try VideoFile(path: Self.path("rotated.mp4")).thumbnail(at: 0, width: 32)
    let path = folder.path("turned.picture")
    try Data(turned).write(to: URL(fileURLWithPath: path))
    let shown = try VideoFile(path: path)
    #expect((shown.width, shown.height) == (32, 48))
  }

  @Test func signsInsideAreNotSaid() throws {
    let track = try #require(VideoFile.subtitles(of: Self.path("signs.mkv")).first)
    #expect(track.cues.map(\.text) == ["spoken words", "more spoken"] && track.signs == 2)
    #expect(try VideoFile.subtitles(of: Self.path("subtitles.mkv")).allSatisfy { $0.signs == 0 })
  }

  @Test func subtitlesAreText() throws {
    let tracks = try VideoFile.subtitles(of: Self.path("subtitles.mkv"))
    #expect(tracks.map(\.language) == ["eng", "ger"])
    #expect(tracks.map(\.codec) == ["subrip", "ass"])
    #expect(
      tracks.first?.cues == [
        SubtitleCue(start: 0.5, end: 1.25, lines: ["Hello,", "there"]),
        SubtitleCue(start: 2, end: 3, lines: ["A & B"]),
      ])
    #expect(tracks.last?.cues == [SubtitleCue(start: 1, end: 2.5, lines: ["Guten Tag,", "ihr"])])
    #expect(try VideoFile.subtitles(of: Self.path("plain.mp4")).isEmpty)
  }
}
