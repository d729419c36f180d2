import Corpus
import Engine
import Formats
import Foundation
import SearchTestSupport
import TestSupport
import Testing
import Training

@testable import Search

/// Search by CLIP's rows, with the small CLIP of the fixtures.
@Suite struct CLIPSearchTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func model(_ name: String = "openclip-quick", interval: Double = 1.5) throws -> CLIPModel {
    try CLIPModel(
      weights: CLIPRows.path(name), vocabulary: Fixtures.path("CLIP/words"), activation: nil,
      frameInterval: interval, log: RunLog(), backend: try CPUBackend())
  }

  private func searcher(_ index: String) throws -> CLIPSearcher {
    try CLIPSearcher(index: index, log: RunLog(), backend: try CPUBackend())
  }

  /// Returns rows around a center of the video's own, as CLIP's are, with the moment drawn to the
  /// query.
  private func rows(
    _ unit: [Float], frames: Int, moment: Range<Int>?, strength: Float, seed: Int
  ) -> [Float] {
    var random = RandomStream(seed: 11, step: UInt64(seed), stream: 0)
    func noise(_ deviation: Float) -> [Float] { unit.map { _ in random.normalPair().0 * deviation } }
    let scale = 1 / Float(unit.count).squareRoot()
    let centre = noise(scale)
    return (0..<frames).flatMap { frame -> [Float] in
      let own = zip(centre, noise(0.8 * scale)).map(+)
      let length = own.reduce(0) { $0 + $1 * $1 }.squareRoot()
      let pull = moment?.contains(frame) == true ? strength * length : 0
      return zip(own, unit).map { $0 + pull * $1 }
    }
  }

  private func add(
    _ number: Int, _ rows: [Float], width: Int, to writer: IndexWriter, sentences: [SpokenSentence] = []
  ) throws {
    let frames = rows.count / width
    let video = IndexedVideo(
      name: "v\(number)", duration: Double(frames) * 1.5, frames: frames, sentences: sentences)
    try rows.withUnsafeBufferPointer { try writer.add(video, frames: $0) }
  }

  /// Sentences that begin after a video's end, for example in another unit, are not indexed.
  @Test func sentencesAfterTheEndAreLeftOut() throws {
    let model = try model()
    let array = NDArray(
      floats: [Float](repeating: 0.5, count: 4 * model.head.width), shape: [4, model.head.width])
    try NPZ.write(path: folder.path("v.npz"), [(name: "features", array: array)])
    func sentence(_ start: Double, _ end: Double) -> SpokenSentence {
      SpokenSentence(start: start, end: end, text: "hello")
    }
    let videos = CLIPVideos(
      width: model.head.width, features: [(video: "v", file: folder.path("v.npz"))],
      subtitles: ["v": [sentence(1, 3), sentence(5, 99_000), sentence(7, 8), sentence(601, 605)]])
    let path = folder.path("late.index")
    _ = NoticeLog.shared
    _ = try Indexing(path: path, model: model, videos: videos, files: Indexing.Files()).run(batchSize: 1) {
      _ in
    }
    // Four frames of 1.5 s, plus one more interval.
    let sentences = try IndexFile(path: path).video(0).sentences
    #expect(sentences == [sentence(1, 3), sentence(5, 7.5), sentence(7, 7.5)])
    let told = NoticeLog.shared.about(path)
    #expect(
      told.count == 1 && told[0].contains("1 of 4 sentences of \"v\" begin after its end at 6.0 s"), "\(told)"
    )
  }

  /// Search finds moments drawn to the query: the first is in the right video and overlaps it.
  @Test func plantedMomentsComeFirst() throws {
    let width = 128
    var random = RandomStream(seed: 3, stream: 0)
    let head = IndexHead(
      width: width, frameInterval: 1.5,
      model: ModelIdentity(checkpoint: "a", configuration: "b", tokenizer: "c"), modelFolder: "",
      tokenizer: "", kind: .clip(nil))
    let (videos, frames) = (100, 40)
    var units: [[Float]] = []
    var truth: [Range<Int>] = []
    let writer = try IndexWriter(path: folder.path("planted.index"), head: head)
    for number in 0..<videos {
      let x = (0..<width).map { _ in random.normalPair().0 }
      let length = x.reduce(0) { $0 + $1 * $1 }.squareRoot()
      let unit = x.map { $0 / length }
      let start = Int.random(in: 0..<frames - 12, using: &random)
      let moment = start..<start + Int.random(in: 3...12, using: &random)
      units.append(unit)
      truth.append(moment)
      try add(
        number, rows(unit, frames: frames, moment: moment, strength: 0.5, seed: number), width: width,
        to: writer)
    }
    try writer.commit()
    let ranking = try CLIPRanking(IndexFile(path: folder.path("planted.index")), rowsRead: 40_000)
    var (right, overlapping) = (0, 0)
    for (number, unit) in units.enumerated() {
      let first = try #require(try ranking.find("", unit, limit: 1).first)
      guard first.number == number else { continue }
      right += 1
      let (start, end) = (Double(truth[number].lowerBound) * 1.5, Double(truth[number].upperBound) * 1.5)
      let shared = min(end, first.end) - max(start, first.start)
      if shared / (max(end, first.end) - min(start, first.start)) >= 0.5 { overlapping += 1 }
    }
    #expect(units.count == videos)
    #expect(right >= 95 && overlapping >= 95, "\(right) videos, \(overlapping) moments of \(videos)")
  }

  @Test func runsEndBetweenMeanAndPeak() {
    let runs = FrameRuns(frameInterval: 1.5)
    #expect(runs.runs([]).isEmpty)
    #expect(runs.runs([0.2]).map(\.frames) == [0..<1])
    let cosines: [Float] = [0.2, 0.2, 0.2, 0.3, 0.3, 0.3, 0.2, 0.2, 0.2, 0.2]
    #expect(runs.runs(cosines).map(\.frames) == [3..<6])
    // Two peaks are two moments; a shoulder is not a moment.
    let two: [Float] = [0.2, 0.31, 0.31, 0.31, 0.2, 0.2, 0.2, 0.2, 0.3, 0.3, 0.3, 0.2, 0.2, 0.2]
    #expect(runs.runs(two).map(\.frames) == [1..<4, 8..<11])
    // A run lasts at most a minute and has at least two frames.
    let long = FrameRuns(frameInterval: 10).runs([Float](repeating: 0.3, count: 100))
    #expect(long.allSatisfy { $0.frames.count <= 6 })
    #expect(runs.runs([0.2, 0.2, 0.2, 0.9, 0.2, 0.2, 0.2])[0].frames.count >= 2)
    #expect(runs.runs([.nan, 0.2, .nan]).count <= 5)
  }

  @Test func whatIsSaidCounts() throws {
    let model = try model()
    let width = model.head.width
    let unit = model.row("a man opens a door")
    let writer = try IndexWriter(path: folder.path("said.index"), head: model.head)
    let said = [
      SpokenSentence(start: 3, end: 5, text: "He <opened> the doors &"),
      SpokenSentence(start: 40, end: 42, text: "a a a the"),
    ]
    for number in 0..<4 {
      try add(
        number, rows(unit, frames: 20, moment: number == 1 ? 10..<14 : nil, strength: 3, seed: number),
        width: width, to: writer, sentences: number == 2 ? said : [])
    }
    try writer.commit()
    let searcher = try searcher(folder.path("said.index"))
    let found = try searcher.find("opening doors of the man", limit: 20)
    let spoken = try #require(found.first { $0.evidence?.subtitleRank == 1 })
    // A moment of the pictures that overlaps the sentence gives the bounds.
    #expect(spoken.number == 2)
    #expect(spoken.start < 5 && spoken.end > 3)
    #expect(found.contains { $0.number == 1 && $0.evidence?.pictureRank == 1 })
    // Words without meaning find nothing.
    #expect(
      try searcher.find("a zebra is grazing", limit: 20).allSatisfy { $0.evidence?.subtitleRank == nil })
    let json = searcher.json("a", found, seconds: 0)
    #expect(json["ranking"]?["joined"]?.string == "sum of 1 / (60 + rank)")
    #expect(json["moments"]?.array?.first?["score"] != nil)
    let alignment = try searcher.align("a man opens a door", video: 1)
    #expect(
      alignment.cosines.count == 20 && alignment.best.first.map { $0.start >= 12 && $0.end <= 24 } == true)
  }

  @Test func joinedRanks() {
    func found(_ video: Int, _ start: Double, _ end: Double) -> SpokenSearch.Found {
      SpokenSearch.Found(video: video, start: start, end: end, score: 1)
    }
    let joined = CLIPRanking.join([found(0, 0, 5), found(1, 0, 5)], [found(1, 4, 6), found(2, 0, 1)])
    #expect(joined.map(\.video) == [1, 0, 2])
    #expect(joined[0].score == 1 / 62 + 1 / 61 && joined[1].score == 1 / 61 && joined[2].score == 1 / 62)
    #expect(joined[0].start == 0 && joined[0].end == 5)
  }

  /// An index never mixes rows of different models, and another model cannot search it.
  @Test func othersAreRefused() throws {
    do {
      let writer = try IndexWriter(path: folder.path("one.index"), head: try model().head)
      try add(0, [Float](repeating: 0.1, count: 6), width: 6, to: writer)
      try writer.commit()
    }
    for other in [try model("openclip").head, try model("huggingface").head, try model(interval: 2).head] {
      let error = try #require(throws: DataError.self) {
        try IndexWriter(path: folder.path("one.index"), head: other)
      }
      #expect(error.problem.contains("another model"))
    }
    let trained = try SmallModel()
    let error = try #require(throws: DataError.self) {
      try IndexWriter(path: folder.path("one.index"), head: try trained.open().head)
    }
    #expect(error.problem.contains("the CLIP of") && error.problem.contains("the HERO of"))
    try SmallModel.add(0..<2, to: folder.path("hero.index"), head: try trained.open().head)
    #expect(throws: DataError.self) { try searcher(folder.path("hero.index")) }
    #expect(throws: DataError.self) {
      try CLIPSearcher(
        index: folder.path("one.index"), weights: CLIPRows.path("openclip"),
        vocabulary: Fixtures.path("CLIP/words"), log: RunLog(), backend: try CPUBackend())
    }
    #expect(try IndexFile(path: folder.path("one.index")).head.kind == .clip(nil))
  }

  @Test func whatIsNotReadIsTold() throws {
    let writer = try IndexWriter(path: folder.path("cut.index"), head: try model().head)
    try add(0, [Float](repeating: 0.1, count: 12), width: 6, to: writer)
    try writer.commit()
    let searcher = try searcher(folder.path("cut.index"))
    let long = [String](repeating: "man", count: 40).joined(separator: " ")
    #expect(searcher.note(on: "a man") == nil)
    #expect(searcher.note(on: long)?.contains("18") == true)
    #expect(try searcher.find(long, limit: 3).count == 1)
    #expect(throws: UsageError.self) { try searcher.find("  ", limit: 3) }
  }
}
