import Engine
import Formats
import Foundation
import Model
import Tasks

/// A benchmark of full-size updates and encodings as the batch, the videos and the threads grow.
package struct ScalingBench {
  /// The values at which each axis is measured.
  package struct Extent: Sendable {
    package var batches = [1, 2, 4, 8, 16, 32, 64]
    /// The numbers of frames of each of four videos.
    package var lengths = [10, 25, 50, 100, 200, 400]
    /// The numbers of threads, with eight videos.
    package var threads = [1, 2]
    /// The longest update in seconds; updates predicted to take longer are skipped.
    package var longest = 60.0

    package init() {}

    /// The frames of a video where the length does not grow.
    package static let frames = 60
    static let videosOfLengths = 4
    static let videosOfThreads = 8
  }

  private let extent: Extent
  private let shape: ModelConfiguration
  private let open: (_ threads: Int?) throws -> any Backend
  private let note: (String) throws -> Void

  /// - Parameters:
  ///   - open: opens a device with the given number of threads.
  ///   - note: receives what is done, and what is skipped and why; an error that it throws ends the
  ///     run.
  package init(
    _ extent: Extent, model: ModelConfiguration = StepBench.fullSize,
    open: @escaping (_ threads: Int?) throws -> any Backend, note: @escaping (String) throws -> Void
  ) {
    var shape = model
    shape.framePositions = max(shape.framePositions, extent.lengths.max() ?? 0)
    (self.extent, self.shape, self.open, self.note) = (extent, shape, open, note)
  }

  package func run() throws -> [ScalingSeries] {
    var series: [ScalingSeries] = []
    do {
      let subject = Subject(shape, try open(nil))
      series += try measure(
        subject, .batch, extent.batches, batch: { ($0, Extent.frames) },
        named: "videos of \(Extent.frames) frames")
      series += try measure(
        subject, .length, extent.lengths, batch: { (Extent.videosOfLengths, $0) },
        named: "\(Extent.videosOfLengths) videos")
    }
    var byThreads: [[ScalingSeries]] = []
    for threads in extent.threads {
      byThreads.append(
        try measure(
          Subject(shape, try open(threads)), .threads, [threads],
          batch: { _ in (Extent.videosOfThreads, Extent.frames) },
          named: "\(Extent.videosOfThreads) videos of \(Extent.frames) frames"))
    }
    for place in byThreads.first?.indices ?? 0..<0 {
      var all = byThreads[0][place]
      all.points = byThreads.flatMap { $0[place].points }
      series.append(all)
    }
    return series
  }

  /// A model on a device, shared by all measurements on that device.
  private final class Subject {
    let update: BenchUpdate
    let backend: any Backend
    /// The largest update so far: its frames, its seconds and the peak memory until then.
    private var largest: (rows: Int, seconds: Double, memory: Int)?

    init(_ shape: ModelConfiguration, _ backend: any Backend) {
      self.backend = backend
      update = BenchUpdate(shape, backend: backend, communicator: SoleCommunicator.shared)
    }

    func note(_ point: ScalingSeries.Point, rows: Int) {
      if rows > largest?.rows ?? 0 { largest = (rows, point.seconds, point.memory) }
    }

    /// Returns why to skip an update of `rows` frames, predicted from the largest one; nil to try
    /// it.
    func reason(against rows: Int, longest: Double) -> String? {
      guard let largest, rows > largest.rows else { return nil }
      let growth = Double(rows) / Double(largest.rows)
      let (more, free) = (Double(largest.memory) * (growth - 1), Double(ScalingBench.freeMemory))
      if more > 0.8 * free {
        return String(format: "needs some %.0f GB more where %.0f GB are free", more * 1e-9, free * 1e-9)
      }
      let seconds = largest.seconds * growth
      return seconds > longest ? String(format: "takes some %.0f s", seconds) : nil
    }
  }

  private func measure(
    _ subject: Subject, _ axis: ScalingSeries.Axis, _ values: [Int],
    batch: (Int) -> (videos: Int, frames: Int), named what: String
  ) throws -> [ScalingSeries] {
    var updates = ScalingSeries(axis: axis, name: "update", what: what)
    var encodings = ScalingSeries(axis: axis, name: "encode", what: what)
    let backend = subject.backend
    for value in values {
      let (videos, frames) = batch(value)
      let work = try BenchWork(Self.batch(videos: videos, frames: frames), path: "a batch", model: shape)
      let input = work.videos.prepared(for: shape, on: backend)
      encodings.points.append(
        time(backend, value) { _ in
          _ = subject.update.model.retrieval.videoEncoder(.inference(backend), input)
          backend.synchronize()
        })
      try tell("encode", encodings, axis)
      if axis != .threads, let reason = subject.reason(against: videos * frames, longest: extent.longest) {
        updates.remarks.append("update of \(value) \(axis.unit), which \(reason)")
        try note("left out: " + updates.remarks[updates.remarks.count - 1])
        continue
      }
      let queries = RetrievalBatch(
        videos: work.videos, queries: work.queries, slots: work.queryVideos, targets: work.targets
      ).prepared(for: shape, on: backend)
      updates.points.append(
        time(backend, value) { step in
          subject.update(step) { model, tape, random in
            _ = model.retrieval.loss(tape, queries, RetrievalLossOptions(), random: &random)
          }
        })
      if let point = updates.points.last { subject.note(point, rows: videos * frames) }
      try tell("update", updates, axis)
    }
    return [updates, encodings]
  }

  private func tell(_ name: String, _ series: ScalingSeries, _ axis: ScalingSeries.Axis) throws {
    guard let point = series.points.last else { return }
    try note(String(format: "%@, %d %@: %.3f s", name, point.value, axis.unit, point.seconds))
  }

  /// Returns the median of up to three runs after a warm-up; slow work runs fewer times.
  private func time(_ backend: any Backend, _ value: Int, _ work: (UInt64) -> Void) -> ScalingSeries.Point {
    work(0)
    let before = backend.operations
    var times: [Double] = []
    repeat {
      let begun = DispatchTime.now().uptimeNanoseconds
      work(UInt64(times.count + 1))
      times.append(Double(DispatchTime.now().uptimeNanoseconds - begun) * 1e-9)
    } while times.count < 3 && times.reduce(0, +) < 6
    return ScalingSeries.Point(
      value: value, seconds: times.sorted()[times.count / 2],
      operations: (backend.operations - before) / times.count, memory: backend.memory.peak)
  }

  /// Describes videos with a query each and sentences of five frames and fourteen tokens.
  private static func batch(videos: Int, frames: Int) -> JSON {
    let sentences = stride(from: 0, to: frames, by: 5).map { first -> JSON in
      .array([.int(first), .int(min(5, frames - first)), 14])
    }
    let video: JSON = [
      "frames": .int(frames), "subs": .array(sentences), "queries": [[14, 1, 4]], "clips": [],
    ]
    return ["videos": .array([JSON](repeating: video, count: videos))]
  }

  /// The bytes of memory that the system has available; `Int.max` if it does not say.
  private static var freeMemory: Int {
    let text = (try? String(contentsOfFile: "/proc/meminfo", encoding: .utf8)) ?? ""
    guard let match = text.firstMatch(of: /MemAvailable:\s*([0-9]+) kB/), let size = Int(match.1) else {
      return .max
    }
    return size * 1024
  }
}
