import Corpus
import Engine
import Formats
import Foundation
import Metrics
import Model
import Tasks

/// A benchmark of search and ranking in an evaluation, once queries and videos are encoded
/// (Docs/Computation.md §5).
package struct EvaluationBench {
  /// The sizes of what is ranked; the defaults are those of TVR's validation split.
  package struct Work: Sendable {
    package var queries = 10_895
    package var videos = 2_179
    /// The mean number of frames of a video; lengths vary from half to one and a half times this.
    package var frames = 50

    package init() {}
  }

  private let work: Work
  private let backend: any Backend
  private let shape: ModelConfiguration

  /// The full-size model without its encoders, which take no part in this.
  package static let headsOnly: ModelConfiguration = {
    var shape = StepBench.fullSize
    (shape.cross.layers, shape.cross.vocabulary, shape.temporal.layers) = (0, 8, 0)
    return shape
  }()

  package init(_ work: Work, backend: any Backend, model: ModelConfiguration = headsOnly) {
    (self.work, self.backend, shape) = (work, backend, model)
  }

  /// The names of the files that `run` writes.
  package static let files = ["inputs.safetensors", "results.json", "results_nms.json"]

  /// - Parameters:
  ///   - folder: where to write inputs, rankings and results; nil writes nothing.
  ///   - progress: called with the number of queries done; an error that it throws ends the run.
  package func run(output folder: String? = nil, progress: (Int) throws -> Void) throws -> JSON {
    let model = RetrievalModel(shape, backend: backend)
    model.store.initialize(seed: 1)
    let split = RandomSplit(work, width: shape.cross.hiddenSize, on: backend)
    if let folder { try split.write(to: folder, model) }
    let peak = backend.measurePeak()
    var options = RetrievalEvaluationOptions()
    options.suppression = 0.5
    let numbers = (0..<work.videos).map { (name: "video \($0)", index: $0) }
    let memory = PeakMemory()
    let before = (memory.bytes, backend.operations)

    let begun = DispatchTime.now().uptimeNanoseconds
    let index = RetrievalIndex(
      CandidateVideos(numbers), frames: split.frames, segments: split.segments, on: backend)
    let search = MomentSearch(model: model, videos: index, options: options)
    var found = options.rankings.map { (ranking: $0, queries: [QueryPredictions]()) }
    let together = options.queriesTogether(of: work.queries)
    for first in stride(from: 0, to: work.queries, by: together) {
      let some = first..<min(work.queries, first + together)
      let answers = try search.rank(split.queries.rowsView(some), own: split.own[some].map { $0 })
      for (query, answer) in zip(some, answers) {
        let lists = [answer.moments, answer.ownMoments ?? [], answer.videos]
        for (place, list) in lists.enumerated() {
          found[place].queries.append(QueryPredictions(id: QueryID(String(query)), predictions: list))
        }
      }
      try progress(some.upperBound)
    }
    let results = RetrievalResults(
      videoIndex: Dictionary(uniqueKeysWithValues: numbers.map { (Name($0.name), $0.index) }), rankings: found
    )
    let ranked = Double(DispatchTime.now().uptimeNanoseconds - begun) * 1e-9
    let suppressed = results.suppressed(
      by: NonMaximumSuppression(threshold: 0.5, limit: options.keptAfterSuppression))
    let seconds = Double(DispatchTime.now().uptimeNanoseconds - begun) * 1e-9
    let operations = backend.operations - before.1
    let bytes = memory.bytes
    if let folder {
      try results.write(path: folder + "/results.json")
      try suppressed.write(path: folder + "/results_nms.json")
    }
    return [
      "queries": .int(work.queries), "videos": .int(work.videos), "frames": .int(split.frames.rows),
      "seconds": .double(rounded(seconds)), "of_it_suppression": .double(rounded(seconds - ranked)),
      "flops": .int(operations),
      "fraction_of_peak": .double(rounded(Double(operations) / seconds / max(peak, backend.measurePeak()))),
      "encoded_bytes": .int(4 * split.frames.count), "peak_memory": .int(backend.peakDeviceMemory ?? bytes),
      "memory_before": .int(before.0),
    ]
  }

  private func rounded(_ value: Double) -> Double { (value * 1000).rounded() / 1000 }
}

/// Random encodings of videos and queries.
///
/// A query is slightly more similar to some frames of its own video than to all other frames.
private struct RandomSplit {
  /// The encoded frames, [Σ frames, width].
  let frames: Tensor
  let segments: Segments
  /// The encoded queries, [queries, width].
  let queries: Tensor
  /// The index of each query's video.
  let own: [Int]

  init(_ work: EvaluationBench.Work, width: Int, on backend: any Backend) {
    var random = RandomStream(seed: 1, stream: 0)
    let lengths = (0..<work.videos).map { _ in
      Int.random(in: work.frames / 2...work.frames * 3 / 2, using: &random)
    }
    segments = Segments(lengths: lengths, on: backend)
    frames = backend.makeTensor(rows: segments.rows, columns: width)
    queries = backend.makeTensor(rows: work.queries, columns: width)
    own = (0..<work.queries).map { $0 * work.videos / work.queries }
    var query = 0
    var centre = [Float](repeating: 0, count: width)
    var target = centre
    for video in 0..<work.videos {
      var values = [Float](repeating: 0, count: lengths[video] * width)
      // The frames of a video share a third of their variance.
      centre.withUnsafeMutableBufferPointer { RandomRows.fill($0, deviation: 0.58, &random) }
      for frame in 0..<lengths[video] {
        values.withUnsafeMutableBufferPointer { all in
          let row = UnsafeMutableBufferPointer(rebasing: all[frame * width..<(frame + 1) * width])
          RandomRows.fill(row, deviation: 0.82, &random, adding: centre)
        }
      }
      values.withUnsafeBufferPointer { backend.upload($0, to: frames.rowsView(segments[video])) }
      while query < work.queries, own[query] == video {
        // This deviation gives span logits of deviation 3 with the heads' initial weights.
        target.withUnsafeMutableBufferPointer { RandomRows.fill($0, deviation: 0.31, &random) }
        let start = Int.random(in: 0..<lengths[video], using: &random)
        let end = min(lengths[video], start + Int.random(in: 2...8, using: &random))
        let share = 0.035 / Float(end - start).squareRoot()
        for frame in start..<end { for i in 0..<width { target[i] += share * values[frame * width + i] } }
        target.withUnsafeBufferPointer { backend.upload($0, to: queries.rowsView(query..<query + 1)) }
        query += 1
      }
    }
  }

  /// Writes all inputs of the search, so that another program can run it.
  func write(to folder: String, _ model: RetrievalModel) throws {
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    let heads = model.store.parameters.filter { $0.name.hasPrefix("video_") }
    let backend = model.store.backend
    let arrays: [(name: String, shape: [Int], values: () -> [Float])] =
      [
        ("frames", [frames.rows, frames.columns], { backend.values(of: frames) }),
        ("queries", [queries.rows, queries.columns], { backend.values(of: queries) }),
      ] + heads.map { head in (head.name, head.shape, { backend.values(of: head.tensor) }) }
    let numbers: [(name: String, values: [Int])] = [("lengths", segments.lengths), ("own", own)]
    try Safetensors.write(
      path: folder + "/inputs.safetensors",
      list: arrays.map { ($0.name, .float32, $0.shape) }
        + numbers.map { ($0.name, .int32, [$0.values.count]) }
    ) { place in
      guard place >= arrays.count else { return arrays[place].values().withUnsafeBytes { Array($0) } }
      return numbers[place - arrays.count].values.map { Int32($0) }.withUnsafeBytes { Array($0) }
    }
  }
}
