import Corpus
import Engine
import Formats
import Foundation
import Model
import SearchTestSupport
import Tasks
import TestSupport
import Testing

@testable import Search

@Suite("Making an index and bringing it up to date")
struct IndexingTests {
  private let small: SmallModel
  private let model: SearchModel
  private let stores: SmallStores
  private var path: String { small.folder.path("index") }

  init() throws {
    small = try SmallModel()
    model = try small.open()
    stores = try SmallStores()
  }

  private func reader(subtitles: Bool = false) throws -> VideoReader {
    try model.opened.reader(
      features: stores.features, subtitles: subtitles ? stores.subtitles : nil, cls: model.tokenizer.cls)
  }

  @discardableResult
  private func index(
    subtitles: Bool = false, to path: String? = nil, _ change: (inout Indexing.Files) -> Void = { _ in },
    progress: (Int, Int) throws -> Void = { _, _ in }
  ) throws -> Indexing.Report {
    var files = Indexing.Files()
    change(&files)
    let indexing = Indexing(
      path: path ?? self.path, model: model, reader: try reader(subtitles: subtitles), files: files)
    return try indexing.run(batchSize: 4, onSkip: { Issue.record("\($0)") }, progress: progress)
  }

  private func names(_ path: String? = nil) throws -> [String] {
    let index = try IndexFile(path: path ?? self.path)
    return try (0..<index.count).map { try index.name(of: $0) }
  }

  private func bytes(_ path: String) throws -> [UInt8] { try FileBytes.read(path: path) }

  @Test func windowsCoverAVideo() {
    for clip in 1...12 {
      for overlap in 0...15 {
        for frames in 1...60 {
          let windows = IndexEncoding.windows(of: frames, clip: clip, overlap: overlap)
          #expect(windows.first?.lowerBound == 0 && windows.last?.upperBound == frames)
          #expect(windows.allSatisfy { !$0.isEmpty && $0.count <= clip })
          if frames <= clip { #expect(windows.count == 1) }
          for (a, b) in zip(windows, windows.dropFirst()) {
            #expect(
              b.lowerBound > a.lowerBound && b.lowerBound <= a.upperBound && b.upperBound > a.upperBound)
          }
          // Every moment of the longest length lies in one window, if windows can be that close.
          if overlap <= clip * 3 / 4 {
            for start in 0...max(0, frames - overlap) {
              let moment = start..<min(frames, start + overlap)
              #expect(
                windows.contains { $0.lowerBound <= moment.lowerBound && $0.upperBound >= moment.upperBound })
            }
          }
        }
      }
    }
  }

  /// Scenes planted at 20 places of a three-hour film are found, also where windows meet.
  @Test func aFilm() throws {
    let frames = 7200
    let places = (0..<20).map { 40 + $0 * 371 }
    let sentences = places.enumerated().map { number, frame in
      SpokenSentence(start: Double(frame) * 1.5, end: Double(frame) * 1.5 + 1, text: "place \(number)")
    }
    var videos = [(name: "film", frames: frames, seed: 1)]
    videos += (0..<30).map { (name: "clip \($0)", frames: 20, seed: 100 + $0) }
    try stores.makeFeatures(videos)
    try stores.makeSubtitles(
      videos.map { ($0.name, $0.frames, $0.name == "film" ? sentences : []) },
      tokenizer: small.folder.path("tokenizer"))
    let report = try index(subtitles: true)
    #expect(report.added == 31 && report.windowed == 1 && report.short.isEmpty)
    let index = try IndexFile(path: path)
    let film = try #require(try names().firstIndex(of: "film"))
    let video = try index.video(film)
    #expect(video.frames == frames && video.duration == 10_800 && video.sentences == sentences)
    #expect(index.places(of: film).count > 70)

    let searched = IndexedVideos(index, rowsRead: 400)
    let reader = try reader(subtitles: true)
    let long = try reader.open("film")
    for (number, place) in places.enumerated() {
      // The encoded frame of the place stands for a query of exactly that scene.
      let window = try #require(
        index.places(of: film).map { index.window(of: $0) }.last { $0.contains(place) })
      let item = try reader.read(window, of: long)
      let spoken = item.subtitles.filter { $0.tokens.count > 1 && !$0.frames.isEmpty }
      #expect(spoken.contains { $0.index == number && $0.frames.contains(place - window.lowerBound) })
      let encoded = try encoded(item)
      let first = (place - window.lowerBound) * SmallModel.width
      let row = Array(encoded[first..<first + SmallModel.width])
      let length = row.reduce(0) { $0 + $1 * $1 }.squareRoot()
      let best = try searched.best([row.map { $0 / length }], kept: 5)[0]
      #expect(
        best.prefix(5).contains {
          index.video(at: $0.place) == film && index.window(of: $0.place).contains(place)
        })
      let cosines = try searched.cosines(row.map { $0 / length }, video: film)
      #expect(cosines[place] > 0.99)
    }
  }

  private func encoded(_ item: VideoItem) throws -> [Float] {
    let (shape, backend) = (model.model.configuration, model.model.store.backend)
    let input = try VideoBatch([item], model: shape).prepared(for: shape, on: backend)
    return backend.values(of: model.model.videoEncoder(Tape.inference(backend), input))
  }

  /// A window is encoded like the same frames as a video of their own.
  @Test func aVideoThatFitsIsOneWindow() throws {
    try stores.makeFeatures([("a", 100, 1), ("b", 101, 2)])
    #expect(try index().windowed == 1)
    let index = try IndexFile(path: path)
    #expect(index.places(of: 0).count == 1 && index.places(of: 1).count == 2)
    let whole = try encoded(try reader().read("a"))
    let unit = SmallModel.unit(of: 9)
    let cosines = try IndexedVideos(index).cosines(unit, video: 0)
    for (frame, cosine) in cosines.enumerated() {
      let row = whole[frame * SmallModel.width..<(frame + 1) * SmallModel.width]
      let length = row.reduce(0) { $0 + $1 * $1 }.squareRoot()
      #expect(abs(paired(row, unit).reduce(0) { $0 + $1.0 * $1.1 } / length - cosine) < 0.01)
    }
  }

  @Test func shortVideosAreTold() throws {
    try stores.makeFeatures([("a", 1, 1), ("b", 2, 2), ("c", 3, 3)])
    #expect(try index().short == ["a", "b"])
  }

  /// After replacing, renaming, removing, adding and subtitling, an update equals a fresh index.
  @Test func aLibraryIsKeptUp() throws {
    var videos = (0..<40).map { (name: String(format: "v%03d", $0), frames: 3 + $0 % 7, seed: $0) }
    videos.append(("w", 250, 77))
    func subtitles(_ spoken: Set<String>) throws {
      try stores.makeSubtitles(
        videos.map { video in
          (
            video.name, video.frames,
            spoken.contains(video.name) ? [SpokenSentence(start: 0, end: 3, text: "in \(video.name)")] : []
          )
        }, tokenizer: small.folder.path("tokenizer"))
    }
    try stores.makeFeatures(videos)
    try subtitles(["v001", "w"])
    func files(_ files: inout Indexing.Files, root: String) {
      let names = Set(videos.map { Name($0.name) })
      files.names = names
      files.media = { names.contains($0) ? .init(path: "\(root)/\($0).mp4", size: 5, hash: "aa") : nil }
      files.isGone = { !names.contains($0.name) }
    }
    #expect(try index(subtitles: true) { files(&$0, root: "/a") }.added == 41)
    #expect(try index(subtitles: true) { files(&$0, root: "/a") }.known == 41)
    let before = try bytes(path)

    videos[3].seed = 1003  // replaced
    videos[5].frames = 120  // replaced by a longer one
    videos[7].name = "v007b"  // renamed
    videos.remove(at: 11)  // deleted
    videos.append(("x", 9, 50))  // added
    try stores.makeFeatures(videos)
    try subtitles(["v001", "v002", "w"])  // subtitled later
    let report = try index(subtitles: true) { files(&$0, root: "/b") }
    #expect(report.added == 2 && report.replaced == 3 && report.removed == ["v007", "v011"])
    #expect(report.known == 36 && report.moved == 36)
    try IndexFile(path: path).check()

    let fresh = small.folder.path("fresh")
    try index(subtitles: true, to: fresh) { files(&$0, root: "/b") }
    let (updated, new) = (try IndexFile(path: path), try IndexFile(path: fresh))
    #expect(updated.count == new.count && updated.segments.count == 1)
    for number in 0..<new.count {
      #expect(try updated.video(number) == new.video(number))
      #expect(
        try IndexedVideos(updated).cosines(SmallModel.unit(of: 1), video: number)
          == IndexedVideos(new).cosines(SmallModel.unit(of: 1), video: number))
    }
    #expect(try Array(bytes(path)[4096...]) == Array(bytes(fresh)[4096...]))
    #expect(before != (try bytes(path)))
    #expect(!FileManager.default.fileExists(atPath: path + ".updating"))
    #expect(!FileManager.default.fileExists(atPath: path + ".merging"))
  }

  /// An interrupted update changes nothing, and the next one reuses what was encoded.
  @Test func anUpdateGoesOn() throws {
    struct Stop: Error {}
    let videos = (0..<20).map { (name: "v\($0)", frames: 5, seed: $0) }
    try stores.makeFeatures(videos)
    try index()
    let before = try bytes(path)
    try stores.makeFeatures(videos.map { ($0.name, 5, $0.seed + 100) })
    #expect(throws: Stop.self) { try index(progress: { done, _ in if done >= 8 { throw Stop() } }) }
    #expect(try bytes(path) == before)
    var most = 0
    let report = try index(progress: { _, total in most = total })
    #expect(report.replaced == 20 && most == 12)
    #expect(try names().count == 20)
    try stores.makeFeatures(videos.map { ($0.name, 5, $0.seed + 100) })
    #expect(try index().known == 20)
  }

  /// An index keeps its subtitles without a subtitle store, unless the videos are known to have
  /// none.
  @Test func subtitlesStayWhereNobodySpeaksOfThem() throws {
    try stores.makeFeatures([("a", 5, 1)])
    let said = [SpokenSentence(start: 0, end: 3, text: "hello")]
    try stores.makeSubtitles([("a", 5, said)], tokenizer: small.folder.path("tokenizer"))
    try index(subtitles: true)
    #expect(try index().known == 1)
    #expect(try IndexFile(path: path).video(0).sentences == said)
    #expect(try index { $0.subtitlesAreKnown = true }.replaced == 1)
    #expect(try IndexFile(path: path).video(0).sentences.isEmpty)
  }

  /// A container's duration is used only as far as the frames bear it out.
  @Test func durations() {
    var files = Indexing.Files()
    files.durations = ["a": 12.4, "b": 112, "c": 1]
    #expect(files.duration(of: "a", frames: 8, interval: 1.5) == 12.4)
    #expect(files.duration(of: "b", frames: 8, interval: 1.5) == 12)
    #expect(files.duration(of: "c", frames: 8, interval: 1.5) == 12)
    #expect(files.duration(of: "d", frames: 8, interval: 1.5) == nil)
  }

  @Test func filesAreToldApart() throws {
    let file = try small.folder.file("a.mp4", String(repeating: "x", count: 200_000))
    let media = try IndexedVideo.MediaFile(path: file)
    #expect(media.state == .there && media.size == 200_000)
    // The file is only touched.
    try FileManager.default.setAttributes(
      [.modificationDate: Date(timeIntervalSince1970: 1e9)], ofItemAtPath: file)
    #expect(media.state == .there)
    for place in [0, 199_999] {
      var bytes = [UInt8](repeating: UInt8(ascii: "x"), count: 200_000)
      bytes[place] = 0
      try Data(bytes).write(to: URL(fileURLWithPath: file))
      #expect(media.state == .changed)
    }
    try FileManager.default.removeItem(atPath: file)
    #expect(media.state == .missing && FileMark.isMissing(file) && !FileMark.isMissing(small.folder.root))
  }
}
