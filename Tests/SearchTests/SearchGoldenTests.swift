import Engine
import Formats
import Foundation
import Metrics
import Model
import SearchTestSupport
import Tasks
import TestSupport
import Testing
import Training

@testable import Corpus
@testable import Search

/// Search in an index against `hero eval` on the same videos.
@Suite("Search against evaluation")
struct SearchGoldenTests {
  private static let golden = SharedData.golden.path
  private let folder: TemporaryFolder
  private let model: SearchModel
  private let reader: VideoReader

  /// Makes a run's folder of the reference's retrieval model and stores.
  init() throws {
    folder = try TemporaryFolder()
    let all = try JSON.read(path: Self.golden + "/expected/options.json")
    var options = try #require(all["eval"]?.object)
    options["task"] = "tvr"
    options["max_clip_len"] = all["max_clip_len"]
    options["sub_ctx_len"] = all["sub_ctx_len"]
    options["vfeat_interval"] = all["frame_interval"]
    _ = try folder.file("run/log/hps.json", JSON.object(options).encoded())
    let shape = try String(contentsOfFile: Self.golden + "/expected/model_config.json", encoding: .utf8)
    _ = try folder.file("run/log/model_config.json", shape)
    model = try SearchModel(
      folder: folder.path("run"), checkpoint: Self.golden + "/expected/tvr.pt",
      tokenizer: Self.golden + "/corpus/tokenizer", log: RunLog(), backend: try CPUBackend())
    reader = try model.opened.reader(
      features: Self.golden + "/db/video_db/tv", subtitles: Self.golden + "/db/txt_db/tv_subtitles.db",
      cls: model.tokenizer.cls)
  }

  private func index() throws -> IndexFile {
    let path = folder.path("index")
    let report = try Indexing(path: path, model: model, reader: reader).run(batchSize: 4, onSkip: { _ in })
    #expect(report.added == reader.features.videos.count && report.skipped == 0)
    return try IndexFile(path: path)
  }

  @Test(arguments: ["val", "test"]) func sameAnswers(_ split: String) throws {
    let index = try index()
    let names = try (0..<index.count).map { try index.name(of: $0) }
    let candidates = CandidateVideos(names.enumerated().map { (name: $1, index: $0) })
    let inMemory = try RetrievalIndex(candidates, reader: reader, model: model.model, batchSize: 4)
    let queries = try QueryStore(path: Self.golden + "/db/txt_db/tvr_\(split).db")
    let texts = try queries.ids.map { [queries.meta.cls] + (try queries.query($0)).tokens }
    let own = queries.ids.map { id in queries.video(of: id).flatMap { names.firstIndex(of: $0) } }
    let options = model.opened.options
    let expected = try MomentSearch(model: model.model, videos: inMemory, options: options).answer(
      texts, own: own)
    let found = try MomentSearch(model: model.model, videos: IndexedVideos(index), options: options)
      .answer(texts, own: own)
    for (a, b) in paired(found, expected) {
      try same(a.videos, b.videos)
      try same(a.moments, b.moments)
      try same(a.ownMoments ?? [], b.ownMoments ?? [])
    }
  }

  /// Expects the same moments with the same scores, as far as bfloat16 resolves.
  ///
  /// Neighbours that it cannot tell apart may swap, and drop out at the list's end.
  private func same(_ found: [MomentPrediction], _ expected: [MomentPrediction]) throws {
    #expect(found.count == expected.count)
    let last = (expected.last?.score ?? 0) * 1.03
    for moment in expected where moment.score > last {
      let twin = found.first { $0.video == moment.video && $0.start == moment.start && $0.end == moment.end }
      let score = try #require(twin, "\(moment)").score
      #expect(abs(score - moment.score) <= 0.03 * moment.score, "\(moment): \(score)")
    }
  }

  @Test func recallIsTheSame() throws {
    let path = folder.path("index")
    _ = try index()
    let searcher = try MomentSearcher(
      index: path, checkpoint: Self.golden + "/expected/tvr.pt", log: RunLog(), backend: try CPUBackend())
    let split = try SplitQueries(
      path: Self.golden + "/db/txt_db/tvr_val.db", index: searcher.index, model: searcher.model)
    #expect(split.skipped == 0)
    let fromRows = try SplitQueries(
      path: Self.golden + "/corpus/ann/tvr_val.jsonl", index: searcher.index, model: searcher.model)
    #expect(fromRows.queries.map(\.tokens) == split.queries.map(\.tokens))
    for query in split.queries.prefix(6) {
      let answer = try searcher.evaluate(tokens: query.tokens, video: query.video)
      let found = try searcher.find(query.text, limit: 1000)
      #expect(answer.moments.count <= found.count && answer.moments.first?.video == found.first?.number)
      let fit = try searcher.align(tokens: query.tokens, video: query.video)
      #expect(fit.cosines.count == searcher.index.frameCount(of: query.video))
      #expect(fit.moments.max() == fit.best.first?.score)
      // A whole video scores exp(α · the cosine of its best frame).
      if let whole = answer.videos.first(where: { $0.video == query.video }), let best = fit.cosines.max() {
        #expect(abs(exp(20 * best) - whole.score) < 1e-3 * whole.score)
      }
    }
  }
}
