import CFFmpeg
import Formats
import Foundation
import TestSupport
import Testing

@testable import Vision

/// Moments cut out of videos without re-encoding.
@Suite struct VideoCutTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func path(_ name: String) -> String { Fixtures.path("Vision/\(name)") }

  /// Returns the numbers of the pictures that a player shows, each encoded as a grey.
  private func numbers(_ path: String) throws -> [Int] {
    let decoder = try FrameDecoder(VideoFile(path: path), threads: 1)
    var numbers: [Int] = []
    while let frame = try decoder.next() {
      guard let luma = frame.data[0] else { continue }
      let middle =
        Int(frame.height) / 2 * Int(frame.linesize[0]) + Int(frame.width) / 2
      numbers.append(Int((Double(luma[middle]) - 16) / 6 + 0.5))
    }
    return numbers
  }

  /// A cut of H.264 shows its moment from the beginning, by an edit list.
  ///
  /// The file has a key frame every two seconds and no index.
  @Test func anEditListHidesWhatIsBefore() throws {
    let file = folder.path("moment.mp4")
    #expect(try VideoCut.ending(of: path("restarts.ts")) == "mp4")
    let cut = try VideoCut.write(path("restarts.ts"), from: 2.5, to: 3.5, into: file)
    #expect(cut.isExact && abs(cut.begins - 2) < 0.05)
    #expect(try cut.bytes == PlainFile.size(file))
    let shown = try numbers(file)
    #expect(shown.prefix(10) == [25, 26, 27, 28, 29, 30, 31, 32, 33, 34] && shown.count <= 13, "\(shown)")
    let made = try VideoFile(path: file)
    #expect(made.codec == "h264" && made.width == 80 && made.start == 0)
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.root) == ["moment.mp4"])
  }

  /// Moments of drawn videos are exact, with a key frame every four seconds and an index to it.
  @Test func momentsOfDrawnVideos() throws {
    let drawn = folder.path("drawn.mp4")
    let writer = try VideoWriter(path: drawn, width: 64, height: 48, frameRate: 4)
    for number in 0..<40 {
      try writer.write([UInt8](repeating: UInt8(5 * number), count: 3 * 64 * 48))
    }
    try writer.finish()
    for (start, end, key) in [(5.5, 7.0, 4.0), (4, 5, 4), (0, 1, 0), (9, 30, 8)] {
      let file = folder.path("\(start).mp4")
      let cut = try VideoCut.write(drawn, from: start, to: end, into: file)
      #expect(cut.isExact && abs(cut.begins - key) < 0.01, "\(start): \(cut.begins)")
      let shown = try DecodingTests.pictures(file, rate: PictureRate(numerator: 4, denominator: 1)).pictures
      #expect(shown.count == Int(4 * (min(end, 10) - start)), "\(start): \(shown.count)")
      let first = try #require(shown.first)
      let mean = first.reduce(0) { $0 + Int($1) } / first.count
      #expect(abs(mean - Int(20 * start)) <= 6, "\(start): \(mean)")
    }
  }

  /// Streams that MP4 cannot hold go into Matroska, and a moment past the end is cut at the end.
  @Test func othersAreMatroska() throws {
    #expect(try VideoCut.ending(of: path("late.mkv")) == "mkv")
    let file = folder.path("moment.mkv")
    let cut = try VideoCut.write(path("late.mkv"), from: 1.5, to: 20, into: file)
    #expect(!cut.isExact && cut.begins <= 1.5 && cut.begins >= 1)
    let shown = try numbers(file)
    #expect(shown.first.map { $0 <= 5 } == true && shown.last == 19, "\(shown)")
    #expect(try VideoSound(path: file) != nil)
  }

  @Test func turnedPicturesStayTurned() throws {
    let file = folder.path("moment.mp4")
    _ = try VideoCut.write(path("rotated.mp4"), from: 0.5, to: 1, into: file)
    let (before, after) = (try VideoFile(path: path("rotated.mp4")), try VideoFile(path: file))
    #expect(after.width == before.width && after.height == before.height && after.width < after.height)
  }

  @Test func nothingIsOverwritten() throws {
    let file = try folder.file("moment.mp4", "mine")
    let error = try #require(throws: DataError.self) {
      try VideoCut.write(path("plain.mp4"), from: 0, to: 1, into: file)
    }
    #expect(error.problem.contains("exists"))
    #expect(try String(contentsOfFile: file, encoding: .utf8) == "mine")
    symlink("nowhere", folder.path("link.mp4"))
    #expect(throws: DataError.self) {
      try VideoCut.write(path("plain.mp4"), from: 0, to: 1, into: folder.path("link.mp4"))
    }
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: folder.root).sorted() == ["link.mp4", "moment.mp4"])
  }

  /// A cut past a limit, without a moment or without a video fails and leaves nothing.
  @Test func whatCannotBeCutIsTold() throws {
    struct Stop: Error {}
    var small = VideoCut.Limits()
    small.bytes = 500
    var short = VideoCut.Limits()
    short.moment = 0.5
    var hasty = VideoCut.Limits()
    hasty.time = 0
    let (video, file) = (path("plain.mp4"), folder.path("moment.mp4"))
    for limits in [small, short, hasty] {
      #expect(throws: DataError.self) {
        try VideoCut.write(video, from: 0, to: 3, into: file, limits: limits)
      }
    }
    for (start, end) in [(1.0, 1.0), (-1, 1), (0, .infinity), (.nan, 1), (50, 60)] {
      #expect(throws: DataError.self) { try VideoCut.write(video, from: start, to: end, into: file) }
    }
    #expect(throws: Stop.self) { try VideoCut.write(video, from: 0, to: 3, into: file) { throw Stop() } }
    // Raw H.264 has pictures out of order, and nothing says when they are shown.
    let raw = try #require(throws: DataError.self) {
      try VideoCut.write(path("raw.h264"), from: 0, to: 1, into: file)
    }
    #expect(raw.cure != nil)
    let garbage = try folder.file("garbage.mp4", "garbage")
    #expect(throws: DataError.self) { try VideoCut.ending(of: garbage) }
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.root) == ["garbage.mp4"])
  }

  @Test func namesSayVideoAndTimes() {
    #expect(VideoCut.name(of: "clip é", from: 83, to: 90.46, ending: "mp4") == "clip é_83.0-90.5.mp4")
    #expect(
      VideoCut.name(of: "../a\u{1B}[31m\\b", from: 0, to: 1, ending: "mkv") == "_.._a_[31m_b_0.0-1.0.mkv")
    #expect(VideoCut.name(of: "", from: 0, to: 1, ending: "mkv") == "__0.0-1.0.mkv")
    let long = VideoCut.name(of: String(repeating: "é", count: 300), from: 0, to: 1e6, ending: "mp4")
    #expect(long.utf8.count < 255 && long.hasPrefix("éé"))
  }
}
