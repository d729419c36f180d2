import Foundation

/// CIDEr-D (Vedantam et al., CVPR 2015) as coco-caption computes it.
///
/// It is the clipped cosine similarity of tf-idf vectors of one to four tokens, with a penalty for
/// different lengths.
struct CiderD {
  private static let sigma = 6.0

  private struct Vector {
    var weights: [Int: Double] = [:]
    /// The sequences in the order of the sentence, with their length minus one.
    var entries: [NGramCounts.Entry]
    var norms = [Double](repeating: 0, count: NGramCounts.longest)
    /// The number of word pairs, which coco-caption uses as the length.
    var length = 0
  }

  /// The logarithm of the number of clips that have each sequence in a reference.
  private let logDocumentFrequencies: [Double]
  private let logClips: Double

  /// Counts the clips in which each sequence occurs.
  init(_ clips: [CountedClip], index: NGramIndex) {
    var frequencies = [Int](repeating: 0, count: index.count)
    for clip in clips {
      for id in Set(clip.references.flatMap { $0.entries.map(\.id) }) { frequencies[id] += 1 }
    }
    logDocumentFrequencies = frequencies.map { log(max(1, Double($0))) }
    logClips = log(Double(clips.count))
  }

  /// Returns the score of a clip; 10 for a perfect caption.
  func score(_ clip: CountedClip) -> Double {
    let prediction = vector(clip.prediction)
    var sums = [Double](repeating: 0, count: NGramCounts.longest)
    for reference in clip.references {
      let similarities = similarity(prediction, vector(reference))
      for order in sums.indices { sums[order] += similarities[order] }
    }
    return sums.reduce(0, +) / Double(NGramCounts.longest) / Double(clip.references.count) * 10
  }

  private func vector(_ counts: NGramCounts) -> Vector {
    var vector = Vector(entries: counts.entries)
    for entry in counts.entries {
      let weight = Double(entry.count) * (logClips - logDocumentFrequencies[entry.id])
      vector.weights[entry.id] = weight
      vector.norms[entry.order] += weight * weight
      if entry.order == 1 { vector.length += entry.count }
    }
    vector.norms = vector.norms.map { $0.squareRoot() }
    return vector
  }

  private func similarity(_ prediction: Vector, _ reference: Vector) -> [Double] {
    var similarities = [Double](repeating: 0, count: NGramCounts.longest)
    for entry in prediction.entries {
      let expected = reference.weights[entry.id] ?? 0
      let predicted = prediction.weights[entry.id] ?? 0
      similarities[entry.order] += min(predicted, expected) * expected
    }
    let difference = Double(prediction.length - reference.length)
    let penalty = exp(-(difference * difference) / (2 * Self.sigma * Self.sigma))
    for order in similarities.indices {
      let norm = prediction.norms[order] * reference.norms[order]
      if norm != 0 { similarities[order] /= norm }
      similarities[order] *= penalty
    }
    return similarities
  }
}
