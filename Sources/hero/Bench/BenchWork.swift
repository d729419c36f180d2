import Engine
import Formats
import Model

/// A batch that is described by lengths alone and filled with random numbers.
///
/// It makes the same work as a real batch of that shape.
struct BenchWork {
  private(set) var videos: VideoBatch
  private(set) var queries: [[Int32]] = []
  private(set) var queryVideos: [Int] = []
  private(set) var targets: [FrameSpan] = []
  private(set) var clips: [(video: Int, frames: Range<Int>)] = []
  /// The number of frames and tokens in all sentences.
  let realTokens: Int

  /// - Parameters:
  ///   - path: `{"videos": [{"frames": n, "subs": [[first, frames, tokens]], "queries": [[tokens,
  ///     start, end]], "clips": [[start, end]]}]}`.
  ///   - model: token ids are drawn below its vocabulary size.
  init(path: String, model: ModelConfiguration) throws {
    try self.init(JSON.read(path: path), path: path, model: model)
  }

  /// - Parameter path: the file that errors name.
  init(_ json: JSON, path: String, model: ModelConfiguration) throws {
    var random = RandomStream(seed: 0, stream: 1)
    let vocabulary = Int32(model.cross.vocabulary ?? model.vocabularyRows)
    func text(_ count: Int) -> [Int32] {
      (0..<count).map { _ in Int32.random(in: 5..<vocabulary, using: &random) }
    }
    func malformed(_ video: Int, _ what: String) -> DataError {
      DataError("\"\(what)\" is missing or malformed", file: path, place: "video \(video)")
    }
    func lists(_ video: JSON, _ key: String, _ count: Int, _ number: Int) throws -> [[Int]] {
      guard let rows = video[key]?.array else { throw malformed(number, key) }
      return try rows.map { row in
        let values = row.array?.compactMap(\.int) ?? []
        guard values.count == count, values.allSatisfy({ (0..<1_000_000).contains($0) }) else {
          throw malformed(number, key)
        }
        return values
      }
    }
    var lengths: [Int] = []
    var sequences: [SubtitleSequence] = []
    var sentenceCounts: [Int] = []
    var first = 0
    for (number, video) in (json["videos"]?.array ?? []).enumerated() {
      guard let frames = video["frames"]?.int, (1...100_000).contains(frames) else {
        throw malformed(number, "frames")
      }
      var used: Set<Int> = []
      let subtitles = try lists(video, "subs", 3, number)
      sentenceCounts.append(subtitles.count)
      for sub in subtitles {
        // A frame belongs to one sentence, as in real stores.
        let own = (sub[0]..<sub[0] + sub[1]).filter { $0 < frames && used.insert($0).inserted }
        sequences.append(SubtitleSequence(frames: own.map { first + $0 }, tokens: text(sub[2])))
      }
      for query in try lists(video, "queries", 3, number) {
        queries.append(text(query[0]))
        queryVideos.append(number)
        targets.append(FrameSpan(start: min(query[1], frames - 1), end: min(query[2], frames - 1)))
      }
      for clip in try lists(video, "clips", 2, number) where clip[0] < clip[1] && clip[1] <= frames {
        clips.append((number, clip[0]..<clip[1]))
      }
      lengths.append(frames)
      first += frames
    }
    guard !lengths.isEmpty else { throw DataError("there are no \"videos\"", file: path) }
    var features: [Float] = []
    let count = first * model.featureWidth
    features.reserveCapacity(count + 1)
    while features.count < count {
      let pair = random.normalPair()
      features.append(pair.0)
      features.append(pair.1)
    }
    videos = VideoBatch(
      features: [features.prefix(count)], featureWidth: model.featureWidth, lengths: lengths,
      sequences: sequences, sentenceCounts: sentenceCounts)
    realTokens = sequences.reduce(0) { $0 + $1.frames.count + $1.tokens.count }
  }
}
