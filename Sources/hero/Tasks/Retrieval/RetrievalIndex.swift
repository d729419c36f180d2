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

  /// Reads and encodes every candidate.
  /// - Parameters:
  ///   - batchSize: videos a pass.
  ///   - progress: called with the number of videos done; what it throws ends the work.
  public init(
    _ videos: CandidateVideos, reader: VideoReader, model: RetrievalModel, batchSize: Int,
    progress: (Int) throws -> Void = { _ in }
  ) throws {
    self.videos = videos
    let backend = model.store.backend
    let tape = Tape.inference(backend)
    let (names, configuration) = (videos.names, model.configuration)
    let queue = Prefetch(items: videos.count, batchSize: batchSize) { items in
      try VideoBatch(names[items].map { try reader.read($0) }, model: configuration)
        .prepared(for: configuration, on: backend)
    }
    var parts: [Tensor] = []
    var lengths: [Int] = []
    while let input = try queue.next() {
      parts.append(model.videoEncoder(tape, input))
      lengths += input.segments.lengths
      try progress(lengths.count)
    }
    segments = Segments(lengths: lengths, on: backend)
    frames = backend.makeTensor(rows: segments.rows, columns: model.configuration.cross.hiddenSize)
    var row = 0
    for part in parts {
      backend.copy(part, to: frames.rowsView(row..<row + part.rows))
      row += part.rows
    }
    units = model.normalized(tape, frames)
  }
}
