import Foundation
import TestSupport
import Testing

@testable import Vision

struct VideoWriterTests {
  /// Eight pictures of one colour each, at four a second, are read back in order, about as bright
  /// as they were.
  @Test func whatIsWrittenIsReadBack() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("drawn.mp4")
    let writer = try VideoWriter(path: path, width: 64, height: 48, frameRate: 4)
    for number in 0..<8 { try writer.write([UInt8](repeating: UInt8(30 * number), count: 3 * 64 * 48)) }
    #expect(!FileManager.default.fileExists(atPath: path))
    try writer.finish()

    let video = try VideoFile(path: path)
    #expect(video.width == 64 && video.height == 48 && video.codec == "h264")
    #expect(video.duration == 2 && video.frameRate == 4)
    let pictures = try DecodingTests.pictures(path, rate: PictureRate(numerator: 4, denominator: 1)).pictures
    #expect(pictures.count == 8)
    for (number, picture) in pictures.enumerated() {
      let mean = picture.reduce(0) { $0 + Int($1) } / picture.count
      #expect(abs(mean - 30 * number) <= 6, "picture \(number)")
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.root) == ["drawn.mp4"])
  }

  /// A writer that is released before it finishes leaves no file.
  @Test func anUnfinishedVideoLeavesNothing() throws {
    let folder = try TemporaryFolder()
    do {
      let writer = try VideoWriter(path: folder.path("drawn.mp4"), width: 16, height: 16, frameRate: 4)
      try writer.write([UInt8](repeating: 9, count: 3 * 256))
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.root).isEmpty)
    #expect(throws: (any Error).self) {
      try VideoWriter(path: folder.path("nowhere/drawn.mp4"), width: 16, height: 16, frameRate: 4)
    }
  }
}
