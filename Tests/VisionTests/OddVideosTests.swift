import Formats
import Foundation
import TestSupport
import Testing

@testable import Vision

/// Files whose containers say little or lie, and files that are no videos.
///
/// The expected numbers of rows are those of FFmpeg's program (`-vf fps=2/3`).
@Suite struct OddVideosTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func path(_ name: String) -> String { Fixtures.path("Vision/\(name)") }

  /// Writes a fixture several times end to end and returns its path.
  private func joined(_ name: String, times: Int) throws -> String {
    let bytes = try Fixtures.bytes("Vision/\(name)")
    let path = folder.path("\(times) \(name)")
    try Data((0..<times).flatMap { _ in bytes }).write(to: URL(fileURLWithPath: path))
    return path
  }

  /// Returns the rows of a picture network and of a clip network, and the video's span in time.
  private func rows(_ path: String) throws -> (pictures: Int?, clips: Int?, span: VideoSpan?) {
    let networks: [any FeatureNetwork] = [
      try ResNet(TinyResNet().arrays.weights, precision: .float32, side: 32),
      try SlowFast(TinySlowFast().arrays.weights, precision: .float32, side: 32, frames: TinySlowFast.frames),
    ]
    let options = FeatureExtractor.Options(interval: try #require(FrameInterval(seconds: 1.5)))
    var found: ExtractedVideo?
    try FeatureExtractor(networks, options).extract([(path, ["resnet", "slowfast"])]) { found = $0 }
    if let failure = found?.failure { throw failure }
    return (found?.features["resnet"]?.rows, found?.features["slowfast"]?.rows, found?.span)
  }

  /// Six seconds give four rows: without times, with a stated duration of one second, with times
  /// from 100 s on.
  @Test(arguments: [
    ("raw.h264", 0.0), ("es.hevc", 0), ("short.mkv", 0), ("start.mkv", 100), ("restarts.ts", nil),
  ])
  func rowsAreThoseOfThePictures(name: String, start: Double?) throws {
    let (pictures, clips, span) = try rows(path(name))
    #expect(pictures == 4)
    #expect(clips == 4)
    #expect(abs((span?.duration ?? 0) - 6) < 0.11)
    if let start { #expect(abs((span?.start ?? -1) - start) < 0.05) }
    #expect(try VideoFile(path: path(name)).start == span?.start)
  }

  /// A file with a whole index and missing pictures, as of an unfinished download, is reported.
  @Test func aVideoThatEndsEarlyIsTold() throws {
    // In this file the index comes first.
    let bytes = try Fixtures.bytes("Vision/fast.mp4")
    let path = folder.path("cut.mp4")
    try Data(bytes.prefix(bytes.count * 6 / 10)).write(to: URL(fileURLWithPath: path))
    let network = try ResNet(TinyResNet().arrays.weights, precision: .float32, side: 32)
    let options = FeatureExtractor.Options(interval: try #require(FrameInterval(seconds: 1.5)))
    var found: [ExtractedVideo] = []
    try FeatureExtractor([network], options).extract(
      [path, self.path("fast.mp4"), self.path("short.mkv"), self.path("start.mkv")].map { ($0, ["resnet"]) }
    ) { found.append($0) }
    #expect(found.map { $0.isCut(by: 1.5) } == [true, false, false, false])
    #expect(found[0].failure == nil && abs((found[0].stated ?? 0) - 6) < 0.1 && found[0].span.duration < 4)
  }

  @Test(arguments: [
    ("<!DOCTYPE html><html>", "a web page"), ("", "is empty"), ("version https://git-lfs", "Git LFS"),
    (String(repeating: "\0", count: 2000), "of zeros"), ("\0\0\0\u{18}ftypmp42\0\0\0\0", "was not finished"),
  ])
  func whatIsNoVideoIsCalledWhatItIs(_ text: String, _ name: String) throws {
    let path = try folder.file("a.mp4", text)
    let error = try #require(throws: DataError.self) { try VideoFile(path: path) }
    #expect(error.description.contains(name), "\(error)")
  }

  /// Encrypted videos are refused: without the key they decode to noise, which has rows too.
  @Test func encryptedPicturesAreRefused() throws {
    let error = try #require(throws: DataError.self) { try rows(path("encrypted.mp4")) }
    #expect(error.description.contains("encrypted"), "\(error)")
  }

  @Test func timesThatBeginAgainGoOn() throws {
    let (pictures, clips, span) = try rows(try joined("restarts.ts", times: 2))
    #expect(pictures == 8)
    #expect(clips == 8)
    #expect(abs((span?.duration ?? 0) - 12) < 0.2)
    #expect(try rows(try joined("restarts.ts", times: 3)).pictures == 12)
  }

  @Test func aSpanIsKeptWithTheFeatures() throws {
    let output = try FeatureFolder(path: folder.path("features"), networks: ["resnet"])
    let network = try ResNet(TinyResNet().arrays.weights, precision: .float32, side: 32)
    let options = FeatureExtractor.Options(interval: try #require(FrameInterval(seconds: 1.5)))
    var span: VideoSpan?
    try FeatureExtractor([network], options).extract([(path("start.mkv"), ["resnet"])]) {
      span = $0.span
      try output.write($0)
    }
    let file = output.file(of: "start.mkv", network: "resnet")
    #expect(FeatureFolder.span(file: file) == span && span != nil)
    #expect(FeatureFolder.span(file: path("plain.mp4")) == nil)
  }

  /// A file that lists other files is not opened, whatever its name.
  @Test func listsOfOtherFilesAreNotFollowed() throws {
    try FileManager.default.copyItem(atPath: path("restarts.ts"), toPath: folder.path("other.ts"))
    let lists = [
      "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXTINF:6.0,\nother.ts\n#EXT-X-ENDLIST\n",
      "concat": "ffconcat version 1.0\nfile other.ts\n",
      "dash": """
      <?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" \
      mediaPresentationDuration="PT6S" profiles="urn:mpeg:dash:profile:isoff-main:2011"><Period><AdaptationSet \
      mimeType="video/mp4"><Representation id="1" bandwidth="1"><BaseURL>other.ts</BaseURL><SegmentBase/>\
      </Representation></AdaptationSet></Period></MPD>
      """, "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n",
    ]
    for (name, text) in lists {
      for ending in ["mp4", "m3u8", "mpd", "ts"] {
        let file = try folder.file("\(name).\(ending)", text)
        #expect(throws: DataError.self, "\(file)") { try VideoFile(path: file) }
      }
    }
  }

  /// Pipes are refused, since one without a writer would be waited for without end.
  @Test(.timeLimit(.minutes(30))) func pipesAreRefused() throws {
    let pipe = folder.path("pipe.mp4")
    #expect(mkfifo(pipe, 0o600) == 0)
    #expect(throws: DataError.self) { try VideoFile(path: pipe) }
    #expect(throws: DataError.self) { try VideoFile(path: "/dev/zero") }
    try FileManager.default.copyItem(atPath: path("one.mp4"), toPath: folder.path("one.mp4"))
    var told: [String] = []
    #expect(try VideoList.videos(at: [folder.root]) { told.append($0) } == [folder.path("one.mp4")])
    #expect(told.count == 1 && told[0].contains("is a pipe"))
    #expect(try VideoList.videos(at: [pipe, folder.path("none.mp4"), folder.path("one.mp4")]).count == 1)
    #expect(throws: DataError.self) { try VideoList.videos(at: [pipe]) }
  }

  @Test func oneNameOfTwoVideosStopsNothingElse() throws {
    for name in [
      "100/IMG_1.MP4", "101/IMG_1.mp4", "clip.mkv", "clip.mp4", "other.WebM", "caf\u{E9}.mp4",
      "cafe\u{301}.mp4",
    ] {
      _ = try folder.file("v/\(name)", "x")
    }
    _ = try folder.file("v/\(String(repeating: "n", count: 252)).ts", "x")
    var told: [String] = []
    let videos = try VideoList.videos(at: [folder.path("v")]) { told.append($0) }
    // Bytes are compared, since the strings of the two cafés are equal.
    #expect(
      videos.map { Array($0.utf8.dropFirst(folder.path("v/").utf8.count)) }
        == [
          "100/IMG_1.MP4", "cafe\u{301}.mp4", "caf\u{E9}.mp4", "clip.mkv", "other.WebM",
        ].map { Array($0.utf8) })
    #expect(told.count == 3)
    #expect(told.contains { $0.contains("101/IMG_1.mp4") } && told.contains { $0.contains("clip.mp4") })
    #expect(told.contains { $0.contains("has more than") })
  }

  @Test func fullSubtitlesGoBeforeForcedOnes() throws {
    let tracks = try VideoFile.subtitles(of: path("forced.mkv"))
    #expect(tracks.map(\.isPartial) == [true, false, false])
    #expect(tracks.map(\.hasNoises) == [false, true, false])
    #expect(SubtitleTrack.preferred(of: tracks)?.cues.map(\.text) == ["Full"])
    #expect(SubtitleTrack.preferred(of: Array(tracks.prefix(1)))?.cues.map(\.text) == ["[sign]"])
    #expect(SubtitleTrack.preferred(of: []) == nil)
  }
}
