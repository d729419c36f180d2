import Corpus
import Engine
import Metrics
import Model
import TestSupport
import Testing

@testable import Tasks

/// Ranking among encoded videos in memory.
struct RetrievalIndexTests {
  private let lengths = [4, 2, 7, 1, 5, 3, 9, 2, 6]

  /// Results do not depend on how many videos are compared at once, nor on how many queries.
  @Test(arguments: TestDevice.exact) func blocksFindWhatAllAtOnceFind(device: TestDevice) throws {
    let backend = try device.open()
    let model = RetrievalModel(TinyModel.configuration, backend: backend)
    model.store.initialize(seed: 3)
    let width = TinyModel.configuration.cross.hiddenSize
    var random = RandomStream(seed: 5, stream: 0)
    func rows(_ count: Int) -> Tensor {
      backend.makeTensor((0..<count * width).map { _ in random.normalPair().0 }, rows: count, columns: width)
    }
    let (frames, queries) = (rows(lengths.reduce(0, +)), rows(20))
    let videos = CandidateVideos(lengths.indices.map { (name: "v\($0)", index: 100 + $0) })
    var options = RetrievalEvaluationOptions()
    (options.videosSearched, options.kept) = (4, 30)
    func answers(blockRows: Int, together: Int) throws -> [MomentSearch<RetrievalIndex>.Answer] {
      let index = RetrievalIndex(
        videos, frames: frames, segments: Segments(lengths: lengths, on: backend), blockRows: blockRows,
        on: backend)
      let search = MomentSearch(model: model, videos: index, options: options)
      return try stride(from: 0, to: 20, by: together).flatMap { first in
        let some = first..<min(20, first + together)
        return try search.rank(queries.rowsView(some), own: some.map { $0 % lengths.count })
      }
    }
    let expected = try answers(blockRows: 8192, together: 20)
    #expect(expected.allSatisfy { $0.videos.count == 4 && !$0.moments.isEmpty && $0.ownMoments != nil })
    for (blockRows, together) in [(1, 20), (8, 3), (12, 1)] {
      for (a, b) in paired(try answers(blockRows: blockRows, together: together), expected) {
        same(a.videos, b.videos)
        same(a.moments, b.moments)
        same(a.ownMoments ?? [], b.ownMoments ?? [])
      }
    }
  }

  private func same(_ a: [MomentPrediction], _ b: [MomentPrediction]) {
    #expect(a.count == b.count)
    for (x, y) in paired(a, b) {
      #expect(x.video == y.video && x.span == y.span && abs(x.score - y.score) <= 1e-5 * y.score)
    }
  }

  /// Queries are answered twenty batches at a time, or fewer where processes would lack work to
  /// divide.
  @Test func queriesTogether() {
    var options = RetrievalEvaluationOptions()
    #expect(options.queriesTogether(of: 10_895) == 650)
    #expect(options.queriesTogether(of: 100_000) == 1000)
    #expect(options.queriesTogether(of: 2_000) == 100)
    #expect(options.queriesTogether(of: 7) == 50)
    options.queryBatch = 1
    #expect(options.queriesTogether(of: 40) == 2)
  }
}
