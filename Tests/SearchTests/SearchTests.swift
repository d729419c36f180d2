import Engine
import Formats
import Foundation
import SearchTestSupport
import TestSupport
import Testing
import Training

@testable import Search

@Suite("Searching an index")
struct SearchTests {
  private let model: SmallModel
  private var path: String { model.folder.path("index") }

  init() throws { model = try SmallModel() }

  @Test func anotherModelIsRefused() throws {
    try SmallModel.add(0..<3, to: path, head: try model.open().head)
    let other = try SmallModel(seed: 2)
    do {
      _ = try MomentSearcher(
        index: path, folder: other.folder.path("run"), checkpoint: "latest", log: RunLog(),
        backend: try CPUBackend())
      Issue.record("it was searched")
    } catch let error as DataError {
      #expect("\(error)".contains("weights differ") && "\(error)".contains(model.folder.path("run")))
    }
    // Also where only the way in which videos are cut differs.
    do {
      _ = try model.searcher(path, arguments: ["--max-clip-len", "50"])
      Issue.record("it was searched")
    } catch let error as DataError {
      #expect("\(error)".contains("configuration differ"))
    }
  }

  /// With few videos everything is exact; with codes the best are found as surely as their deviation says, which is 0.05 here
  /// where the best scores of independent frames lie within 0.25.
  @Test func codesFindWhatAllRowsFind() throws {
    var head = try model.open().head
    head.width = 256
    try SmallModel.add(0..<400, to: path, head: head, segments: 4)
    let index = try IndexFile(path: path)
    let backend = try CPUBackend()
    let all = IndexedVideos(index)
    let some = IndexedVideos(index, rowsRead: 500)
    var agreed = 0
    for query in 0..<20 {
      let values = SmallModel.frames(of: 10_000 + query, count: 1, width: 256)
      let length = values.reduce(0) { $0 + $1 * $1 }.squareRoot()
      let unit = values.map { $0 / length }
      let exact = try all.best(unit, kept: 10, on: backend)
      let found = try some.best(unit, kept: 10, on: backend)
      #expect(exact.count == 10 && found.count == 10)
      #expect(zip(exact, exact.dropFirst()).allSatisfy { $0.score >= $1.score })
      agreed += Set(exact.map(\.place)).intersection(found.map(\.place)).count
      // What is found has its exact score.
      for (place, score) in found where exact.contains(where: { $0.place == place }) {
        #expect(exact.first { $0.place == place }?.score == score)
      }
    }
    #expect(agreed > 180, "\(agreed) of 200")
  }

  @Test func answersAreWhole() throws {
    try SmallModel.add(0..<40, to: path, head: try model.open().head)
    let searcher = try model.searcher(path)
    let moments = try searcher.find("a man walks", limit: 15)
    #expect(moments.count == 15)
    #expect(zip(moments, moments.dropFirst()).allSatisfy { $0.score >= $1.score })
    for moment in moments {
      #expect(moment.video == SmallModel.video(moment.number))
      #expect(moment.end - moment.start >= 4.5 && moment.start >= 0 && moment.end <= moment.video.duration)
      if moment.start < 2 { #expect(moment.subtitle.hasPrefix("one \(moment.number)")) }
    }
    #expect(try searcher.find("a man walks", limit: 15) == moments)
    #expect(throws: UsageError.self) { try searcher.find("  ", limit: 1) }
    #expect(throws: UsageError.self) { try searcher.find(String(repeating: "ab ", count: 400), limit: 1) }
  }

  @Test func anEmptyIndexHasNoAnswers() throws {
    _ = try IndexWriter(path: path, head: try model.open().head)
    #expect(try model.searcher(path).find("a", limit: 3).isEmpty)
  }

  @Test func playlists() throws {
    let file = IndexedVideo.MediaFile(path: "/videos/a, b.mp4", size: 1)
    let video = IndexedVideo(name: "a", duration: 9, frames: 6, sentences: [], file: file)
    let moment = FoundMoment(number: 0, video: video, start: 1.5, end: 6, score: 1)
    #expect(
      try Playlist.m3u([moment])
        == "#EXTM3U\n#EXTINF:5,a\n#EXTVLCOPT:start-time=1.5\n#EXTVLCOPT:stop-time=6.0\n/videos/a, b.mp4")
    #expect(try Playlist.edl([moment]) == "# mpv EDL v0\n%16%/videos/a, b.mp4,start=1.5,length=4.5")
    var silent = moment
    silent.video.file = nil
    #expect(throws: DataError.self) { try Playlist.m3u([silent]) }
    #expect(throws: DataError.self) { try Playlist.edl([silent]) }
  }
}
