import Bench
import Engine
import Formats
import Foundation
import Model
import Tasks

/// Measures the time of searches among many videos of random frames, with a full-size random model.
public struct SearchBench {
  /// The size and the kind of the index.
  public struct Work: Sendable {
    /// The number of videos in the index.
    public var videos = 20_000
    /// The number of frames of each video.
    public var frames = 100
    /// The number of queries that are timed.
    public var queries = 20
    /// The similarity of a video's frames: the square of the cosine of any two.
    ///
    /// 0 is the worst case for codes.
    public var likeness: Float = 0
    /// The number of topics; 0 for none.
    ///
    /// A topic gives half of what the frames of its videos share.
    public var topics = 0
    /// Whether the index has CLIP's rows, and CLIP's text tower reads the queries.
    public var isCLIP = false
    /// The number of queries whose results are compared with those of reading every frame.
    public var compared = 20

    /// Creates the default: 20,000 videos of 100 frames, as in a trained model's index.
    public init() {}
  }

  private let work: Work
  private let path: String
  private let backend: any Backend

  /// Prepares a benchmark.
  ///
  /// - Parameter path: the index to create; one that an earlier run with the same work made is
  ///   reused.
  public init(_ work: Work, path: String, backend: any Backend) {
    (self.work, self.path, self.backend) = (work, path, backend)
  }

  /// Creates the index and times the searches.
  ///
  /// - Parameter progress: called with the number of videos written.
  public func run(progress: (Int) throws -> Void) throws -> JSON {
    let shape = StepBench.fullSize
    let head = IndexHead(
      width: work.isCLIP ? CLIPTextEncoder.Shape.base.width : shape.cross.hiddenSize, frameInterval: 1.5,
      model: ModelIdentity(
        checkpoint: "random",
        configuration: "\(work.frames) frames, likeness \(work.likeness)"
          + (work.topics > 0 ? ", \(work.topics) topics" : ""),
        tokenizer: "none"),
      modelFolder: "", tokenizer: "", kind: work.isCLIP ? .clip(nil) : .trained)
    try write(head, progress)

    var index: IndexFile?
    let opening = try seconds { index = try IndexFile(path: path) }
    guard let index else { return .null }
    let videos = IndexedVideos(index)
    let asked = try work.isCLIP ? clip(index) : trained(videos)
    var random = RandomStream(seed: 2, stream: 0)
    var answers: [Double] = []
    // The first answer, which is not counted, loads the codes into memory.
    for number in 0...max(1, work.queries) {
      let text = (0..<12).map { _ in Int32.random(in: 5..<49_000, using: &random) }
      let time = try seconds { try asked.answer(text) }
      if number > 0 { answers.append(time) }
    }
    var (encoding, ranking): ([Double], [Double]) = ([], [])
    for _ in 0..<5 {
      let text = (0..<12).map { _ in Int32.random(in: 5..<49_000, using: &random) }
      encoding.append(seconds { asked.encode(text) })
    }
    let memory = Self.memory()
    let exhaustive = IndexedVideos(index, rowsRead: .max / 2)
    var agreed = [1: 0, 10: 0, 100: 0]
    let compared = min(work.queries, work.compared)
    for _ in 0..<compared {
      let unit = Self.unit((0..<head.width).map { _ in random.normalPair().0 })
      var found: [(place: Int, score: Float)] = []
      ranking.append(try seconds { found = try videos.best([unit], kept: 100)[0] })
      let all = try exhaustive.best([unit], kept: 100)[0]
      for depth in [1, 10, 100] {
        agreed[depth, default: 0] +=
          Set(all.prefix(depth).map(\.place)).intersection(found.prefix(depth).map(\.place)).count
      }
    }
    var json: JSONObject = [
      "videos": .int(index.count), "frames": .int(index.rows), "likeness": .double(Double(work.likeness)),
      "topics": .int(work.topics),
      "bytes": .int(index.length), "open_seconds": .double(rounded(opening)),
      "query_seconds": .double(rounded(median(answers))),
      "slowest_query_seconds": .double(rounded(answers.max() ?? 0)),
      "of_it_encoding": .double(rounded(median(encoding))),
      "of_it_best_videos": .double(rounded(median(ranking))),
      "private_memory": .int(memory.own), "mapped_memory": .int(memory.mapped),
    ]
    for depth in [1, 10, 100] where compared > 0 {
      json["best_\(depth)_agree"] = .double(
        rounded(Double(agreed[depth, default: 0]) / Double(compared * min(depth, index.count))))
    }
    return .object(json)
  }

  /// The steps of a model that are timed for the tokens of a query.
  private struct Asked {
    var encode: ([Int32]) -> Void
    var answer: ([Int32]) throws -> Void
  }

  private func trained(_ videos: IndexedVideos) -> Asked {
    let shape = StepBench.fullSize
    let model = RetrievalModel(shape, backend: backend)
    model.store.initialize(seed: 1)
    let search = MomentSearch(model: model, videos: videos, options: RetrievalEvaluationOptions())
    return Asked { [backend] text in
      let tape = Tape.inference(backend)
      _ = backend.values(of: model.encodeQueries(tape, TextInput([[0] + text], for: shape, on: backend)))
    } answer: { text in
      _ = try search.answer([[0] + text], own: [nil])
    }
  }

  private func clip(_ index: IndexFile) throws -> Asked {
    let model = CLIPTextEncoder(
      .base, CLIPFiles.Tower(activation: .quickGELU, heads: nil), backend: backend)
    model.store.initialize(seed: 1)
    let ranking = try CLIPRanking(index, rowsRead: IndexedVideos.usualRowsRead)
    return Asked { text in
      _ = model.rows([[49_406] + text + [49_407]])
    } answer: { text in
      let row = model.rows([[49_406] + text + [49_407]])
      _ = try ranking.find("what is said in video \(text[0])", row, limit: 10)
    }
  }

  private func write(_ head: IndexHead, _ progress: (Int) throws -> Void) throws {
    let writer = try IndexWriter(path: path, head: head)
    let known = try IndexFile(path: path).count
    let (own, shared) = ((1 - work.likeness).squareRoot(), work.likeness.squareRoot())
    var frames = [Float](repeating: 0, count: work.frames * head.width)
    var centre = [Float](repeating: 0, count: head.width)
    for video in known..<max(known, work.videos) {
      var random = RandomStream(seed: 1, step: UInt64(video), stream: 0)
      centre.withUnsafeMutableBufferPointer { centre in
        guard work.topics > 0 else { return RandomRows.fill(centre, deviation: shared, &random) }
        var topic = RandomStream(seed: 3, step: UInt64(video % work.topics), stream: 0)
        RandomRows.fill(centre, deviation: shared * Float(0.5).squareRoot(), &topic)
        let ofTopic = Array(centre)
        RandomRows.fill(centre, deviation: shared * Float(0.5).squareRoot(), &random, adding: ofTopic)
      }
      for frame in 0..<work.frames {
        frames.withUnsafeMutableBufferPointer { all in
          let row = UnsafeMutableBufferPointer(rebasing: all[frame * head.width..<(frame + 1) * head.width])
          RandomRows.fill(row, deviation: own, &random, adding: centre)
        }
      }
      let about = IndexedVideo(
        name: "video \(video)", duration: Double(work.frames) * 1.5, frames: work.frames,
        sentences: [.init(start: 0, end: 3, text: "what is said in video \(video)")])
      try frames.withUnsafeBufferPointer { try writer.add(about, frames: $0) }
      try progress(video + 1 - known)
    }
    try writer.commit()
  }

  private static func unit(_ x: [Float]) -> [Float] {
    let length = x.reduce(0) { $0 + $1 * $1 }.squareRoot()
    return x.map { $0 / length }
  }

  /// Returns the resident bytes of the process's own memory and of its mapped files.
  private static func memory() -> (own: Int, mapped: Int) {
    let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
    func bytes(_ name: String) -> Int {
      let line = status.split(separator: "\n").first { $0.hasPrefix(name) } ?? ""
      return (Int(line.filter(\.isNumber)) ?? 0) * 1024
    }
    return (bytes("RssAnon"), bytes("RssFile"))
  }

  private func seconds(_ work: () throws -> Void) rethrows -> Double {
    let begun = DispatchTime.now().uptimeNanoseconds
    try work()
    return Double(DispatchTime.now().uptimeNanoseconds - begun) * 1e-9
  }

  private func median(_ values: [Double]) -> Double { values.isEmpty ? 0 : values.sorted()[values.count / 2] }

  private func rounded(_ value: Double) -> Double { (value * 10_000).rounded() / 10_000 }
}
