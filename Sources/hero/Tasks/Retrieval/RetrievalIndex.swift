import Corpus
import Engine
import Model

/// All candidate videos of a split, encoded once: what queries are compared with.
public final class RetrievalIndex {
  public let videos: CandidateVideos
  /// The candidates' rows of `frames`, in their order.
  public let segments: Segments
  /// [Σ frames, width], as encoded.
  let frames: Tensor
  /// The same rows at unit length.
  let units: Tensor

  /// Reads and encodes every candidate; the passes are divided among the ranks.
  /// - Parameters:
  ///   - batchSize: videos a pass.
  ///   - progress: called with the number of videos done; what it throws ends the work.
  public init(
    _ videos: CandidateVideos, reader: VideoReader, model: RetrievalModel, batchSize: Int,
    among communicator: any Communicator = SoleCommunicator.shared, progress: (Int) throws -> Void = { _ in }
  ) throws {
    self.videos = videos
    let backend = model.store.backend
    let tape = Tape.inference(backend)
    let (names, configuration) = (videos.names, model.configuration)
    let batches = ItemBatches(count: videos.count, size: batchSize)
    var parts: [Tensor] = []
    let parcels = try communicator.divide(batches, progress: progress) { items in
      try VideoBatch(names[items].map { try reader.read($0) }, model: configuration)
        .prepared(for: configuration, on: backend)
    } work: { input, parcel in
      parts.append(model.videoEncoder(tape, input))
      parcel.put(input.segments.lengths)
    }
    let lengths = parcels.map { parcel in
      var (parcel, lengths) = (parcel, [Int]())
      while !parcel.isAtEnd { lengths += parcel.take(Int.self) }
      return lengths
    }
    segments = Segments(lengths: lengths.flatMap { $0 }, on: backend)
    let own = backend.makeTensor(
      rows: parts.reduce(0) { $0 + $1.rows }, columns: model.configuration.cross.hiddenSize)
    var row = 0
    for part in parts {
      backend.copy(part, to: own.rowsView(row..<row + part.rows))
      row += part.rows
    }
    frames = communicator.gatherRows(own, counts: lengths.map { $0.reduce(0, +) }, on: backend)
    units = model.normalized(tape, frames)
  }
}

extension RetrievalIndex: SearchableVideos {
  public var count: Int { segments.count }

  public func number(of place: Int) -> Int { videos.indices[place] }

  public func best(
    _ queries: Tensor, kept: Int, model: RetrievalModel, tape: Tape
  ) throws -> [[(place: Int, score: Float)]] {
    let backend = tape.backend
    let similarity = tape.linear(model.normalized(tape, queries), units)
    let scores = tape.segmentMax(similarity, segments: segments)
    let best = backend.makeTensor(rows: queries.rows, columns: kept)
    let places = backend.makeIndices(count: queries.rows * kept)
    backend.topK(scores, values: best, places: places)
    let ranked = Array(zip(backend.values(of: places).map { Int($0) }, backend.values(of: best)))
    return (0..<queries.rows).map { query in
      ranked[query * kept..<(query + 1) * kept].prefix { $0.0 >= 0 }.map { (place: $0.0, score: $0.1) }
    }
  }

  public func products(
    _ queries: Tensor, _ pairs: [(query: Int, video: Int)], tape: Tape
  ) throws -> (Tensor, Segments) {
    let all = tape.linear(queries, frames)
    let stretches = pairs.map { query, video in
      let (columns, row) = (segments[video], query * all.columns)
      return row + columns.lowerBound..<row + columns.upperBound
    }
    let places = Segments(lengths: stretches.map(\.count), on: tape.backend)
    return (tape.gatherStretches(all, RowRanges(stretches, on: tape.backend), places: places), places)
  }
}
