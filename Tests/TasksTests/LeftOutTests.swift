import Corpus
import Engine
import Formats
import Foundation
import Metrics
import Model
import Synchronization
import TestSupport
import Testing

@testable import Tasks

/// Unusable items of a split are skipped by name, and the rest is as if they had never been there.
@Suite("Left out of a split") struct LeftOutTests {
  private let temporary: TemporaryFolder

  init() throws { temporary = try TemporaryFolder() }

  /// Returns a copy of the golden features with one NaN in each of these videos.
  private func poisoned(_ videos: [String]) throws -> FeatureStore {
    let source = try GoldenStores.path("db/video_db/tv")
    let folder = temporary.path("tv")
    try FileManager.default.copyItem(atPath: source, toPath: folder)
    let store = try FeatureStore(path: source, frameLength: GoldenStores.interval())
    let file = "\(folder)/resnet_slowfast_1.5/data.mdb"
    var bytes = try Data(contentsOf: URL(fileURLWithPath: file))
    for video in videos {
      let row = try store.features(of: video, maxFrames: 1).values
      let place = try #require(bytes.range(of: row.withUnsafeBytes { Data($0) }))
      bytes.replaceSubrange(
        place.lowerBound..<place.lowerBound + 4, with: withUnsafeBytes(of: Float.nan) { Data($0) })
    }
    try bytes.write(to: URL(fileURLWithPath: file))
    return try FeatureStore(path: folder, frameLength: GoldenStores.interval())
  }

  private func reader(_ features: FeatureStore) throws -> VideoReader {
    let whole = try GoldenStores.videos()
    return VideoReader(
      features: features, subtitles: try #require(whole.subtitles),
      maxClipLength: try #require(whole.maxClipLength), contextLength: whole.contextLength)
  }

  private func results(
    _ reader: VideoReader, queries: QueryStore, candidates: CandidateVideos? = nil,
    among ranks: any Communicator = SoleCommunicator.shared, skips: SkipReport = SkipReport()
  ) throws -> RetrievalResults {
    let model = try RetrievalGoldenTests.model("tvr")
    var options = RetrievalEvaluationOptions()
    (options.queryBatch, options.videoBatch) = (2, 3)
    let videos =
      try candidates
      ?? CandidateVideos(
        split: "val", queries: queries, subtitles: reader.subtitles, features: reader.features)
    let index = try RetrievalIndex(
      videos, reader: reader, model: model, batchSize: options.videoBatch, skips: skips, among: ranks)
    return try RetrievalEvaluator(
      [(model, index)], queries: queries, options: options, skips: skips
    ).run(among: ranks)
  }

  private func queries() throws -> QueryStore {
    try QueryStore(path: GoldenStores.path("db/txt_db/tvr_val.db"))
  }

  @Test func aCandidateThatCannotBeReadAndItsQueries() throws {
    let queries = try queries()
    let video = try #require(queries.video(of: queries.ids[0]))
    let reader = try reader(try poisoned([video]))
    let told = Mutex<[String]>([])
    let found = try results(
      reader, queries: queries,
      skips: SkipReport { error, _ in told.withLock { $0.append("\(error)") } })
    let own = Set(queries.ids.filter { queries.video(of: $0) == video }.map { QueryID($0) })
    #expect(Set(found.leftOut) == own)
    #expect(told.withLock { $0 }.count == 1 + own.count)
    #expect(told.withLock { $0 }.contains { $0.contains("video \"\(video)\"") && $0.contains("nan") })
    // All candidates keep their numbers.
    #expect(found.videoIndex[video] != nil)
    let undamaged = try results(try GoldenStores.videos(), queries: queries)
    #expect(found.videoIndex == undamaged.videoIndex)
    for (task, asked) in found.rankings {
      let wanted = try #require(undamaged[task])
      #expect(asked.count == wanted.count - own.count)
      for query in asked {
        let before = try #require(wanted.first { $0.id == query.id })
        let rest = before.predictions.filter { $0.video != found.videoIndex[video] }
        #expect(query.predictions.count >= min(rest.count, 100))
        let kept = min(query.predictions.count, rest.count)
        for (a, b) in paired(query.predictions.prefix(kept), rest.prefix(kept)) {
          #expect(abs(a.score - b.score) <= 1e-4 * abs(b.score))
        }
      }
    }
    // Ranks that share the work skip the same items.
    let store = reader.features
    for ranks in try ThreadRanks.run(
      2,
      { [temporary] ranks in
        _ = temporary
        return try results(self.reader(store), queries: queries, among: ranks)
      })
    {
      #expect(ranks.leftOut == found.leftOut)
      #expect(ranks.rankings.map(\.queries) == found.rankings.map(\.queries))
    }
  }

  @Test func moreThanHalfEndsTheWork() throws {
    let queries = try queries()
    let reader = try GoldenStores.videos()
    let videos = try CandidateVideos(
      split: "val", queries: queries, subtitles: reader.subtitles, features: reader.features)
    let candidates = CandidateVideos(
      paired(videos.names, videos.indices).map { ($0, $1) }
        + (0...videos.count).map { ("none \($0)", 1000 + $0) })
    let error = try #require(throws: DataError.self) {
      try results(reader, queries: queries, candidates: candidates)
    }
    #expect(error.problem.contains("\(videos.count + 1) of \(candidates.count) candidate videos"))
    // The queries belong to another split.
    let stranger = try #require(throws: DataError.self) {
      try AskableQueries.require(
        queries,
        in: CandidateVideos(
          split: "test", queries: queries, subtitles: reader.subtitles, features: reader.features))
    }
    #expect(stranger.problem.contains("is not among the split's videos"))
  }

  /// A clip without frames or without a video gets an empty caption; the others keep theirs.
  @Test func clipsWithoutAPlace() throws {
    let store = try CaptionStore(path: GoldenStores.path("db/txt_db/tvc_val.db"))
    var clips = try store.rows()
    let generator = try CaptionGoldenTests().generator(
      try CaptionGoldenTests.model(), videoBatch: 2, clipBatch: 4)
    let before = try generator.run(clips).rows
    clips[0].times = [5, 1]
    clips[1].times = [1e6, 1e6 + 5]
    clips[2].video = "none"
    let (rows, leftOut) = try generator.run(clips)
    #expect(leftOut == 3)
    #expect(rows.prefix(3).allSatisfy { $0.captions == [""] })
    #expect(rows.dropFirst(3).map(\.captions) == before.dropFirst(3).map(\.captions))
  }
}
