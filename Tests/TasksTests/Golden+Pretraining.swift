import Formats
import Model
import TestSupport
import Testing

@testable import Tasks

extension Golden {
  /// Returns MLM's padded sentences, packed.
  func maskedText() throws -> MaskedTextBatch {
    let (ids, gather) = (try #require(batch["input_ids"]), try #require(batch["gather_index"]))
    let (features, attention) = (try #require(batch["v_feat"]), try #require(batch["attn_masks"]))
    let hidden = try #require(batch["txt_mask_tgt"]).int64s()
    let (padded, width, columns) = (features.shape[1], features.shape[2], gather.shape[1])
    let (values, sources) = (features.floats(), try gather.int64s())
    let (seen, words) = (try attention.int64s(), try ids.int64s())
    var result = MaskedTextBatch(features: [], featureWidth: width, sequences: [], masked: [], targets: [])
    result.targets = try #require(batch["txt_labels"]).int64s().map { Int32($0) }
    var (rows, tokens) = (0, 0)
    for sequence in 0..<ids.shape[0] {
      // Frames come first: the text begins where its first row is gathered.
      let row = sequence * columns..<(sequence + 1) * columns
      let frames = try #require(sources[row].firstIndex(of: Int64(padded))) - row.lowerBound
      let end = try #require(seen[row].lastIndex(of: 1)) + 1 - row.lowerBound
      let isReal = seen[row.lowerBound] == 1
      let own = isReal ? frames : 0
      let start = sequence * padded * width
      result.features.append(values[start..<start + own * width])
      let first = sequence * ids.shape[1]
      result.sequences.append(
        SubtitleSequence(
          frames: Array(rows..<rows + own), tokens: words[first..<first + end - frames].map { Int32($0) }))
      for column in frames..<end where hidden[row.lowerBound + column] != 0 {
        result.masked.append(tokens + column - frames)
      }
      rows += own
      tokens += end - frames
    }
    return result
  }

  func maskedFrames() throws -> MaskedFrameBatch {
    let (videos, targets) = (try videos(maskedFrames: true), try #require(batch["feat_targets"]).floats())
    let width = videos.featureWidth
    return MaskedFrameBatch(
      videos: videos,
      targets: stride(from: 0, to: targets.count, by: width).map { targets[$0..<$0 + width] })
  }

  func frameOrder() throws -> FrameOrderBatch {
    let videos = try videos()
    let padded = try #require(batch["shuffled_orders"]).shape[1]
    let orders = try #require(batch["shuffled_orders"]).int64s()
    let targets = try #require(batch["targets"]).int64s()
    var result = FrameOrderBatch(
      videos: videos, order: Array(0..<videos.frameCount), places: [], targets: [])
    var first = 0
    for (video, length) in videos.lengths.enumerated() {
      for frame in 0..<length {
        result.order[first + frame] = first + Int(orders[video * padded + frame])
        let target = targets[video * padded + frame]
        if target >= 0 {
          result.places.append(first + frame)
          result.targets.append(Int(target))
        }
      }
      first += length
    }
    return result
  }
}
