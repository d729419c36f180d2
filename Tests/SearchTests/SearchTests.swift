import Engine
import Formats
import Foundation
import Metrics
import SearchTestSupport
import Tasks
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
    // A model that only cuts videos differently is refused too.
    do {
      _ = try model.searcher(path, arguments: ["--max-clip-len", "50"])
      Issue.record("it was searched")
    } catch let error as DataError {
      #expect("\(error)".contains("configuration differ"))
    }
  }

  /// The kinds of likeness between the rows of an index.
  enum Likeness: CaseIterable { case none, ofAVideosFrames, ofTopics, ofAll }

  /// Writes clips of five frames, with rows of unit variance that are alike in some way.
  private func write(_ clips: Int, like: Likeness, width: Int, segments: Int) throws {
    var head = try model.open().head
    head.width = width
    func vector(_ kind: UInt32, _ number: Int) -> [Float] {
      var random = RandomStream(seed: 7, step: UInt64(number), stream: kind)
      return (0..<width).map { _ in random.normalPair().0 }
    }
    let writer = try IndexWriter(path: path, head: head)
    for clip in 0..<clips {
      let shared: [Float] =
        switch like {
        case .none: [Float](repeating: 0, count: width)
        case .ofAVideosFrames: vector(1, clip)
        case .ofTopics: vector(2, clip % 20)
        case .ofAll: vector(3, 0)
        }
      let frames = zip(vector(0, clip) + (1..<5).flatMap { vector(0, $0 * 1_000_000 + clip) }, 0...).map {
        $0 + shared[$1 % width]
      }
      try frames.withUnsafeBufferPointer {
        try writer.add(IndexedVideo(name: "\(clip)", duration: 7.5, frames: 5, sentences: []), frames: $0)
      }
      if (clip + 1) % (clips / segments) == 0 { try writer.commit() }
    }
    try writer.commit()
  }

  /// Codes find at least 93 % of the best 10 of all rows.
  ///
  /// For independent rows: of 15,000 frames, 4,000 pass by their signs, and 1,000 of these by their
  /// records. The best lie at 3.0 standard deviations and more. Their signs tell 0.70 of that ±
  /// 0.71 and pass at 0.62, so 97 % and more pass. Their records tell 3.0 ± 0.37 and pass at 1.6.
  /// If frames are alike, more are found, since one of them is enough.
  @Test(arguments: Likeness.allCases) func codesFindWhatAllRowsFind(_ like: Likeness) throws {
    // One segment of two blocks, or two segments of one.
    try write(3000, like: like, width: 96, segments: like == .none ? 1 : 2)
    let index = try IndexFile(path: path)
    let all = IndexedVideos(index, rowsRead: index.rows)
    let some = IndexedVideos(index, rowsRead: 1000)
    #expect(some.isApproximate && !all.isApproximate && index.rows == 15_000)
    var agreed = 0
    let units = (0..<20).map { SmallModel.unit(of: 10_000 + $0, width: 96) }
    for (exact, found) in paired(try all.best(units, kept: 10), try some.best(units, kept: 10)) {
      #expect(exact.count == 10 && found.count == 10)
      #expect(zip(exact, exact.dropFirst()).allSatisfy { $0.score >= $1.score })
      #expect(zip(found, found.dropFirst()).allSatisfy { $0.score >= $1.score })
      agreed += Set(exact.map(\.place)).intersection(found.map(\.place)).count
      // Every result has its exact score.
      for (place, score) in found where exact.contains(where: { $0.place == place }) {
        #expect(exact.first { $0.place == place }?.score == score)
      }
    }
    #expect(agreed >= 186, "\(agreed) of 200")
  }

  /// Several queries in one pass find the same as each alone.
  @Test(arguments: [50, 40_000]) func queriesTogether(_ rowsRead: Int) throws {
    try SmallModel.add(0..<60, to: path, head: try model.open().head, segments: 2)
    let videos = IndexedVideos(try IndexFile(path: path), rowsRead: rowsRead)
    let units = (0..<20).map { SmallModel.unit(of: 10_000 + $0) }
    let together = try videos.best(units, kept: 7)
    for (unit, found) in paired(units, together) {
      let alone = try videos.best([unit], kept: 7)[0]
      #expect(found.map(\.place) == alone.map(\.place) && found.map(\.score) == alone.map(\.score))
    }
  }

  /// Of few long videos every one has a score, although few frames are read.
  @Test func longVideosAreAllCompared() throws {
    let writer = try IndexWriter(path: path, head: try model.open().head)
    for number in 0..<30 {
      let video = IndexedVideo(name: "\(number)", duration: 3000, frames: 2000, sentences: [])
      try SmallModel.frames(of: number, count: 2000).withUnsafeBufferPointer {
        try writer.add(video, frames: $0)
      }
    }
    try writer.commit()
    let index = try IndexFile(path: path)
    let unit = SmallModel.unit(of: 7)
    let found = try IndexedVideos(index, rowsRead: 300).best([unit], kept: 30)[0]
    #expect(found.count == 30 && found.first?.place == 7)
    let exact = try IndexedVideos(index).best([unit], kept: 30)[0]
    #expect(exact.count == 30 && exact.first?.place == 7)
  }

  /// A long video of matching frames leaves room for others, however few rows are read.
  @Test func aLongVideoLeavesRoomForOthers() throws {
    let writer = try IndexWriter(path: path, head: try model.open().head)
    let (width, unit) = (SmallModel.width, SmallModel.unit(of: 7))
    func add(_ name: String, _ frames: Int, fit: Float) throws {
      let noise = SmallModel.frames(of: (Int(name) ?? 900) + 100, count: frames)
      let rows = noise.enumerated().map { $1 + fit * unit[$0 % width] * Float(width).squareRoot() }
      try rows.withUnsafeBufferPointer {
        try writer.add(
          IndexedVideo(name: name, duration: Double(frames), frames: frames, sentences: []), frames: $0)
      }
    }
    try add("long", 9000, fit: 4)
    for number in 0..<800 { try add("\(number)", 2, fit: number % 40 == 0 ? 2 : 0) }
    try writer.commit()
    let index = try IndexFile(path: path)
    let exact = try IndexedVideos(index, rowsRead: index.rows).best([unit], kept: 20)[0]
    let found = try IndexedVideos(index, rowsRead: 400).best([unit], kept: 20)[0]
    #expect(found.count == 20 && found.first?.place == 0)
    #expect(Set(found.map(\.place)).intersection(exact.map(\.place)).count >= 18)
  }

  /// Windows are searched like videos, and their moments belong to the one video.
  @Test func windowsAnswerAsOneVideo() throws {
    let head = try model.open().head
    let (windows, frames) = ([0..<20, 12..<32, 24..<37], SmallModel.frames(of: 5, count: 53))
    let writer = try IndexWriter(path: path, head: head)
    let whole = IndexedVideo(name: "long", duration: 55.5, frames: 37, sentences: [])
    try frames.withUnsafeBufferPointer { try writer.add(whole, windows: windows, frames: $0) }
    let apart = try IndexWriter(path: model.folder.path("apart"), head: head)
    var row = 0
    for window in windows {
      let own = Array(frames[row * SmallModel.width..<(row + window.count) * SmallModel.width])
      let video = IndexedVideo(
        name: "\(window.lowerBound)", duration: Double(window.count) * 1.5, frames: window.count,
        sentences: [])
      try own.withUnsafeBufferPointer { try apart.add(video, frames: $0) }
      row += window.count
    }
    for writer in [writer, apart] {
      try SmallModel.frames(of: 6, count: 8).withUnsafeBufferPointer {
        try writer.add(IndexedVideo(name: "other", duration: 12, frames: 8, sentences: []), frames: $0)
      }
      try writer.commit()
    }
    // Moments before suppression, none cut off.
    let opened = try model.open()
    var options = opened.opened.options
    options.kept = 5000
    func moments(_ path: String) throws -> (IndexFile, [MomentPrediction]) {
      let index = try IndexFile(path: path)
      let search = MomentSearch(model: opened.model, videos: IndexedVideos(index), options: options)
      return (index, try search.answer([[0, 5, 6]], own: [nil])[0].moments)
    }
    let (index, found) = try moments(path)
    let (others, parts) = try moments(model.folder.path("apart"))
    var expected: [String: Float] = [:]
    for moment in parts {
      let name = try others.name(of: moment.video)
      let first = (Float(name) ?? 0) * 1.5
      let key = "\(name == "other" ? name : "long") \(moment.start + first) \(moment.end + first)"
      expected[key] = max(expected[key] ?? 0, moment.score)
    }
    #expect(found.count == expected.count && found.count < parts.count)
    let isSame = try found.allSatisfy { moment in
      try expected["\(index.name(of: moment.video)) \(moment.start) \(moment.end)"] == moment.score
    }
    #expect(isSame)
    // Each whole video comes once, even if several of its windows are better.
    let answer = try model.searcher(path).evaluate(tokens: [0, 5, 6], video: 0)
    #expect(answer.videos.map(\.video).sorted() == [0, 1])
    #expect(answer.ownMoments?.isEmpty == false && answer.ownMoments?.allSatisfy { $0.video == 0 } == true)
    let fit = try model.searcher(path).align("a man walks", video: 0)
    #expect(fit.cosines.count == 37 && fit.moments.max() == fit.best.first?.score)
  }

  /// Moments inside one window rank as in the whole video, except at the window's edges.
  ///
  /// A window's probabilities are over fewer frames, which only scales them by a constant.
  @Test func windowsRankAsTheWholeVideo() throws {
    let head = try model.open().head
    let (windows, width) = ([0..<40, 30..<70, 60..<97], SmallModel.width)
    let frames = SmallModel.frames(of: 5, count: 97)
    func search(_ name: String, _ windows: [Range<Int>]) throws -> [[Int]: Float] {
      let writer = try IndexWriter(path: model.folder.path(name), head: head)
      let rows = windows.flatMap { frames[$0.lowerBound * width..<$0.upperBound * width] }
      let video = IndexedVideo(name: "long", duration: 145.5, frames: 97, sentences: [])
      try rows.withUnsafeBufferPointer { try writer.add(video, windows: windows, frames: $0) }
      try writer.commit()
      let opened = try model.open()
      var options = opened.opened.options
      options.kept = 50_000
      let index = IndexedVideos(try IndexFile(path: model.folder.path(name)))
      let moments = try MomentSearch(model: opened.model, videos: index, options: options)
        .answer([[0, 5, 6]], own: [nil])[0].moments
      return Dictionary(
        moments.map { ([Int(($0.start / 1.5).rounded()), Int(($0.end / 1.5).rounded())], $0.score) }
      ) { first, _ in first }
    }
    let whole = try search("whole", [0..<97])
    let parts = try search("parts", windows)
    // A span's score sees two frames before and after.
    let own = [0..<28, 42..<58, 72..<97]
    for range in own {
      let inside = whole.keys.filter { range.contains($0[0]) && range.contains($0[1] - 1) }
      #expect(inside.count > 100)
      let ratios = inside.map { (parts[$0] ?? 0) / (whole[$0] ?? 1) }
      let (least, most) = (ratios.min() ?? 0, ratios.max() ?? 0)
      #expect(least > 0 && most / least < 1.001, "\(range): \(least) … \(most)")
    }
  }

  /// A video of a single frame can be found.
  @Test func shortVideosAreFound() throws {
    let writer = try IndexWriter(path: path, head: try model.open().head)
    for frames in 1...4 {
      let video = IndexedVideo(
        name: "\(frames)", duration: Double(frames) * 1.5, frames: frames, sentences: [])
      try SmallModel.frames(of: frames, count: frames).withUnsafeBufferPointer {
        try writer.add(video, frames: $0)
      }
    }
    try writer.commit()
    let found = try model.searcher(path).find("a man walks", limit: 100)
    #expect(Set(found.map(\.video.name)) == ["1", "2", "3", "4"])
    #expect(found.contains { $0.video.name == "1" && $0.start == 0 && $0.end == 1.5 })
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
    #expect(throws: UsageError.self) { try searcher.find(" \u{FEFF} ", limit: 1) }
    for (query, says) in [("ab\0c", "a zero byte"), ("ab \u{FFFD}", "not UTF-8")] {
      let error = try #require(throws: UsageError.self) { try searcher.find(query, limit: 1) }
      #expect("\(error)".contains(says), "\(error)")
    }
    // A byte order mark is not part of the query.
    #expect(try searcher.find("\u{FEFF}ab", limit: 1) == searcher.find("ab", limit: 1))
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
    var recorded = moment
    recorded.video.file?.start = 100
    #expect(try Playlist.m3u([recorded]) == Playlist.m3u([moment]))
    #expect(try Playlist.edl([recorded]).hasSuffix(",start=101.5,length=4.5"))
    var silent = moment
    silent.video.file = nil
    #expect(throws: DataError.self) { try Playlist.m3u([silent]) }
    #expect(throws: DataError.self) { try Playlist.edl([silent]) }
    var broken = moment
    broken.video.file?.path = "/videos/a\nb.mp4"
    #expect(try Playlist.m3u([broken, moment, silent]) == Playlist.m3u([moment]))
    let told = try #require(Playlist.leftOut(of: [broken, moment, silent]))
    #expect(told.hasPrefix("2 moments are left out, the first of a: "))
    #expect(Playlist.leftOut(of: [moment]) == nil)
  }
}
