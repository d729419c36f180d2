import Corpus
import Engine
import Model

/// All candidate videos of a split, encoded once for comparison with queries.
///
/// Queries are compared with one block of videos at a time. Apart from the encoded frames, memory
/// therefore does not grow with the corpus.
public final class RetrievalIndex {
  /// The candidates as given.
  public let listed: CandidateVideos
  /// The candidates that could be read, without those that `skips` reported.
  public let videos: CandidateVideos
  /// The rows of `frames` of each candidate, in order.
  public let segments: Segments
  /// [Σ frames, width], as encoded.
  let frames: Tensor
  private let blocks: [Block]

  /// Consecutive videos that queries are compared with at once.
  private struct Block {
    let videos: Range<Int>
    let rows: Range<Int>
    /// The videos' rows, counted from the block's first.
    let segments: Segments
  }

  /// The number of frames of a block: enough for fast products, few enough to fit in a cache.
  private static let blockRows = 8192

  /// Reads and encodes every candidate; the ranks share the passes.
  ///
  /// All ranks skip a candidate that cannot be read.
  /// - Parameters:
  ///   - batchSize: the number of videos of a pass.
  ///   - skips: reports every skipped candidate.
  ///   - progress: takes the number of videos done; what it throws ends the work.
  /// - Throws: `DataError` if more than half of the candidates cannot be read.
  public init(
    _ videos: CandidateVideos, reader: VideoReader, model: RetrievalModel, batchSize: Int,
    skips: SkipReport = SkipReport(), among communicator: any Communicator = SoleCommunicator.shared,
    progress: (Int) throws -> Void = { _ in }
  ) throws {
    listed = videos
    let backend = model.store.backend
    let tape = Tape.inference(backend)
    let (names, configuration) = (videos.names, model.configuration)
    let batches = ItemBatches(count: videos.count, size: batchSize)
    var parts: [Tensor] = []
    let lengths = try communicator.divide(batches, progress: progress) { items in
      let read = try names[items].map { try reader.read($0, for: configuration, skips) }
      let usable = read.compactMap { $0 }
      return (
        lengths: read.map { $0?.frameCount ?? 0 },
        input: usable.isEmpty
          ? nil : try VideoBatch(usable, model: configuration).prepared(for: configuration, on: backend)
      )
    } work: { batch in
      if let input = batch.input { parts.append(model.videoEncoder(tape, input)) }
      return batch.lengths
    }
    // A skipped video has no frames, on every rank.
    let all = lengths.flatMap { $0 }
    let usable = all.indices.filter { all[$0] > 0 }
    try requireMost(usable.count, of: all.count, "candidate videos", file: reader.features.path)
    self.videos = CandidateVideos(usable.map { (names[$0], videos.indices[$0]) })
    segments = Segments(lengths: usable.map { all[$0] }, on: backend)
    let own = backend.makeTensor(
      rows: parts.reduce(0) { $0 + $1.rows }, columns: model.configuration.cross.hiddenSize)
    var row = 0
    for part in parts {
      backend.run(Copy(part, to: own.rowsView(row..<row + part.rows)))
      row += part.rows
    }
    frames = communicator.gatherRows(own, counts: lengths.map { $0.reduce(0, +) }, on: backend)
    blocks = Self.blocks(segments, on: backend)
  }

  /// - Parameters:
  ///   - frames: [Σ frames, width], the candidates' frames in their order, as encoded.
  ///   - segments: the rows of each candidate.
  public convenience init(
    _ videos: CandidateVideos, frames: Tensor, segments: Segments, on backend: any Backend
  ) {
    self.init(videos, frames: frames, segments: segments, blockRows: Self.blockRows, on: backend)
  }

  init(
    _ videos: CandidateVideos, frames: Tensor, segments: Segments, blockRows: Int, on backend: any Backend
  ) {
    precondition(segments.count == videos.count && segments.rows == frames.rows)
    (listed, self.videos, self.frames, self.segments) = (videos, videos, frames, segments)
    blocks = Self.blocks(segments, of: blockRows, on: backend)
  }

  private static func blocks(
    _ segments: Segments, of blockRows: Int = blockRows, on backend: any Backend
  ) -> [Block] {
    var blocks: [Block] = []
    var first = 0
    while first < segments.count {
      let start = segments[first].lowerBound
      var end = first + 1
      while end < segments.count, segments[end].upperBound - start <= blockRows { end += 1 }
      blocks.append(
        Block(
          videos: first..<end, rows: start..<segments[end - 1].upperBound,
          segments: Segments(lengths: (first..<end).map { segments[$0].count }, on: backend)))
      first = end
    }
    return blocks
  }
}

extension RetrievalIndex: SearchableVideos {
  /// The number of places, one per video.
  public var count: Int { segments.count }

  /// Returns the number of the video in result files.
  public func number(of place: Int) -> Int { videos.indices[place] }

  /// Returns 0, because every place is a whole video.
  public func firstFrame(of place: Int) -> Int { 0 }

  /// Returns the one place of the video.
  public func places(of own: Int) -> Range<Int> { own..<own + 1 }

  /// Computes the cosine of a query with every frame of a video.
  /// - Parameter query: [1, width], as encoded.
  func frameScores(_ query: Tensor, in video: Int, model: RetrievalModel) -> [Float] {
    let tape = Tape.inference(model.store.backend)
    return tape.backend.values(
      of: tape.linear(
        model.normalized(tape, query), model.normalized(tape, frames.rowsView(segments[video]))))
  }

  /// Normalizes and multiplies the frames of these places alone.
  public func scores(
    _ query: Tensor, at places: Range<Int>, model: RetrievalModel, tape: Tape
  ) throws -> [Float] {
    guard let first = places.first, let last = places.last else { return [] }
    let rows = segments[first].lowerBound..<segments[last].upperBound
    let own = Segments(lengths: places.map { segments[$0].count }, on: tape.backend)
    let products = tape.linear(
      model.normalized(tape, query), model.normalized(tape, frames.rowsView(rows)))
    return tape.backend.values(of: tape.segmentMax(products, segments: own))
  }

  /// Goes through the index block by block and keeps each query's best places on the device.
  public func best(
    _ queries: Tensor, kept: Int, model: RetrievalModel, tape: Tape
  ) throws -> [[(place: Int, score: Float)]] {
    let backend = tape.backend
    let queries = model.normalized(tape, queries)
    var best: (values: Tensor, places: Indices)?
    for block in blocks {
      let units = model.normalized(tape, frames.rowsView(block.rows))
      let scores = tape.segmentMax(tape.linear(queries, units), segments: block.segments)
      let found = (
        values: backend.makeTensor(rows: queries.rows, columns: kept),
        places: backend.makeIndices(count: queries.rows * kept)
      )
      backend.run(
        TopK(
          scores, firstColumn: block.videos.lowerBound, earlier: best, values: found.values,
          places: found.places))
      best = found
    }
    guard let best else { return [[(place: Int, score: Float)]](repeating: [], count: queries.rows) }
    let (places, scores) = (backend.values(of: best.places), backend.values(of: best.values))
    return (0..<queries.rows).map { query in
      (query * kept..<(query + 1) * kept).prefix { places[$0] >= 0 }.map { (Int(places[$0]), scores[$0]) }
    }
  }

  /// Computes the cosines of every query with the best frame of every video.
  /// - Parameter queries: [m, width], as encoded.
  /// - Returns: m · videos values, query after query.
  func scores(_ queries: Tensor, model: RetrievalModel, tape: Tape) -> [Float] {
    let queries = model.normalized(tape, queries)
    var all = [Float](repeating: 0, count: queries.rows * count)
    for block in blocks {
      let units = model.normalized(tape, frames.rowsView(block.rows))
      let scores = tape.backend.values(
        of: tape.segmentMax(tape.linear(queries, units), segments: block.segments))
      for query in 0..<queries.rows {
        let (first, videos) = (query * count + block.videos.lowerBound, block.videos.count)
        all.replaceSubrange(first..<first + videos, with: scores[query * videos..<(query + 1) * videos])
      }
    }
    return all
  }

  /// Multiplies every query with the frames of its videos in one pass.
  public func products(
    _ queries: Tensor, _ pairs: [(query: Int, video: Int)], tape: Tape
  ) throws -> (Tensor, Segments) {
    let rows = RowRanges(pairs.map { segments[$0.video] }, on: tape.backend)
    let places = Segments(lengths: rows.lengths, on: tape.backend)
    return (
      tape.pairDot(queries, queryRows: pairs.map(\.query), frames, pairs: rows, places: places), places
    )
  }
}
