import Foundation

/// BLEU-1 to BLEU-4 against the reference of the closest length.
///
/// Sources: Papineni et al., ACL 2002; coco-caption's `bleu_scorer`.
enum Bleu {
  /// A term added to counts as in coco-caption, so that a precision of 0 does not zero the product.
  private static let tiny = 1e-15
  private static let small = 1e-9

  /// The counts of a clip, which add up over clips.
  private struct Statistics {
    var predicted = 0
    var reference = 0
    var possible = [Int](repeating: 0, count: NGramCounts.longest)
    var matched = [Int](repeating: 0, count: NGramCounts.longest)

    init() {}

    init(_ clip: CountedClip) {
      predicted = clip.prediction.tokens
      reference =
        clip.references.map(\.tokens).min {
          (abs($0 - predicted), $0) < (abs($1 - predicted), $1)
        } ?? 0
      for order in possible.indices { possible[order] = max(0, predicted - order) }
      for entry in clip.prediction.entries {
        let allowed = clip.references.map { $0.count(of: entry.id) }.max() ?? 0
        matched[entry.order] += min(entry.count, allowed)
      }
    }

    static func += (total: inout Statistics, clip: Statistics) {
      total.predicted += clip.predicted
      total.reference += clip.reference
      for order in total.possible.indices {
        total.possible[order] += clip.possible[order]
        total.matched[order] += clip.matched[order]
      }
    }

    /// The scores BLEU-1 … BLEU-4, from 0 to 1.
    var scores: [Double] {
      let ratio = (Double(predicted) + tiny) / (Double(reference) + small)
      let brevity = ratio < 1 ? exp(1 - 1 / ratio) : 1
      var product = 1.0
      return possible.indices.map { order in
        product *= (Double(matched[order]) + tiny) / (Double(possible[order]) + small)
        return pow(product, 1 / Double(order + 1)) * brevity
      }
    }
  }

  /// Returns BLEU-1 … BLEU-4 of the whole corpus and of each clip, from 0 to 1.
  static func scores(_ clips: [CountedClip]) -> (corpus: [Double], clips: [[Double]]) {
    var total = Statistics()
    let scores = clips.map { clip in
      let statistics = Statistics(clip)
      total += statistics
      return statistics.scores
    }
    return (total.scores, scores)
  }
}
