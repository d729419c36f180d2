import Engine
import Formats
import Model
import Tasks

/// The same videos as batches of the pre-training objectives (Docs/Computation.md §3).
extension BenchWork {
  /// Returns every seventh of `count` places: about 15 %, at least one.
  private func share(of count: Int) -> [Int] { Array(stride(from: 0, to: count, by: 7)) }

  private var tokenCount: Int { videos.sequences.reduce(0) { $0 + $1.tokens.count } }

  func maskedText() -> MaskedTextBatch {
    let masked = share(of: tokenCount)
    let tokens = videos.sequences.flatMap(\.tokens)
    return MaskedTextBatch(
      features: videos.features, featureWidth: videos.featureWidth, sequences: videos.sequences,
      masked: masked,
      targets: masked.map { tokens[$0] })
  }

  func maskedFrames() -> MaskedFrameBatch {
    MaskedFrameBatch(hiding: share(of: videos.frameCount), of: videos)
  }

  /// Swaps two neighbours of every 14 frames.
  func frameOrder() -> FrameOrderBatch {
    var order = Array(0..<videos.frameCount)
    var (places, targets): ([Int], [Int]) = ([], [])
    var first = 0
    for length in videos.lengths {
      for frame in stride(from: 0, to: length - 1, by: 14) {
        order.swapAt(first + frame, first + frame + 1)
        places += [first + frame, first + frame + 1]
        targets += [frame + 1, frame]
      }
      first += length
    }
    return FrameOrderBatch(videos: videos, order: order, places: places, targets: targets)
  }

  /// Turns five sentences of each video into queries and removes their text from the video.
  /// - Throws: `DataError` for a video in which no sentence has frames.
  func moments() throws -> RetrievalBatch {
    var sequences = videos.sequences
    var (queries, targets): ([[Int32]], [FrameSpan]) = ([], [])
    var (first, next) = (0, 0)
    for length in videos.lengths {
      var own: [Int] = []
      while next < sequences.count, sequences[next].frames.allSatisfy({ $0 < first + length }) {
        if !sequences[next].frames.isEmpty { own.append(next) }
        next += 1
      }
      guard !own.isEmpty else {
        throw DataError("no sentence has frames", place: "the video that begins with frame \(first)")
      }
      for place in 0..<5 {
        let number = own[min(place, own.count - 1)]
        let frames = videos.sequences[number].frames
        queries.append(videos.sequences[number].tokens)
        let start = (frames.first ?? first) - first
        targets.append(
          FrameSpan(start: start, end: min(max(start + 1, (frames.last ?? first) - first), length - 1)))
        sequences[number].tokens = [2]
      }
      first += length
    }
    return RetrievalBatch(
      videos: VideoBatch(
        features: videos.features, featureWidth: videos.featureWidth, lengths: videos.lengths,
        sequences: sequences, sentenceCounts: videos.sentenceCounts),
      queries: queries, slots: Array(videos.lengths.indices), queriesPerSlot: 5, targets: targets)
  }
}
