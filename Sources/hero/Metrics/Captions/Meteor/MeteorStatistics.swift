import Foundation

/// The counts behind a METEOR score; the counts of all clips add up to the corpus's.
struct MeteorStatistics {
  /// METEOR 1.5's parameters for English, tuned to human rankings (its task `rank`).
  private enum Parameter {
    /// The weight of recall against precision.
    static let alpha = 0.85
    /// The exponent and weight of the penalty for fragmentation.
    static let beta = 0.2
    static let gamma = 0.6
    /// The weight of content words against function words.
    static let delta = 0.75
    /// The weight of a match by matcher: exact, stem, synonym, paraphrase.
    static let weights = [1.0, 0.6, 0.8, 0.6]
  }

  /// The counts of one side, the prediction or the reference.
  struct Side {
    var words = 0.0
    var functionWords = 0.0
    /// The matched words by matcher.
    var contentMatches = [Double](repeating: 0, count: Parameter.weights.count)
    var functionMatches = [Double](repeating: 0, count: Parameter.weights.count)

    var matches: Double { contentMatches.reduce(0, +) + functionMatches.reduce(0, +) }

    /// The weighted matches over weighted words: precision of the prediction, recall of the
    /// reference.
    fileprivate var share: Double {
      let weightedWords =
        Parameter.delta * (words - functionWords) + (1 - Parameter.delta) * functionWords
      var weightedMatches = 0.0
      for (matches, weight) in zip(contentMatches, Parameter.weights) {
        weightedMatches += matches * weight * Parameter.delta
      }
      for (matches, weight) in zip(functionMatches, Parameter.weights) {
        weightedMatches += matches * weight * (1 - Parameter.delta)
      }
      return weightedMatches / weightedWords
    }

    fileprivate static func += (total: inout Side, side: Side) {
      total.words += side.words
      total.functionWords += side.functionWords
      for matcher in Parameter.weights.indices {
        total.contentMatches[matcher] += side.contentMatches[matcher]
        total.functionMatches[matcher] += side.functionMatches[matcher]
      }
    }

    fileprivate mutating func count(_ match: Range<Int>, matcher: Int, isFunctionWord: [Bool]) {
      for word in match {
        if isFunctionWord[word] { functionMatches[matcher] += 1 } else { contentMatches[matcher] += 1 }
      }
    }
  }

  private(set) var prediction = Side()
  private(set) var reference = Side()
  private(set) var chunks = 0.0

  init() {}

  /// - Parameters:
  ///   - alignment: matches in the order of the reference.
  ///   - prediction: whether each word is a function word.
  ///   - reference: the same for the reference.
  init(alignment: [MeteorMatch], prediction: [Bool], reference: [Bool]) {
    self.prediction.words = Double(prediction.count)
    self.prediction.functionWords = Double(prediction.count { $0 })
    self.reference.words = Double(reference.count)
    self.reference.functionWords = Double(reference.count { $0 })
    var last: MeteorMatch?
    for match in alignment {
      self.prediction.count(match.prediction, matcher: match.matcher, isFunctionWord: prediction)
      self.reference.count(match.reference, matcher: match.matcher, isFunctionWord: reference)
      let continues =
        last.map {
          $0.reference.upperBound == match.reference.lowerBound
            && $0.prediction.upperBound == match.prediction.lowerBound
        } ?? false
      if !continues { chunks += 1 }
      last = match
    }
  }

  /// Adds a clip's counts. A perfect clip adds no chunk.
  static func += (total: inout MeteorStatistics, clip: MeteorStatistics) {
    total.prediction += clip.prediction
    total.reference += clip.reference
    if !clip.isPerfect { total.chunks += clip.chunks }
  }

  private var isPerfect: Bool {
    prediction.matches == prediction.words && reference.matches == reference.words && chunks == 1
  }

  /// The METEOR score, from 0 to 1.
  var score: Double {
    let mean = 1 / ((1 - Parameter.alpha) / prediction.share + Parameter.alpha / reference.share)
    let fragmentation = isPerfect ? 0 : chunks / ((prediction.matches + reference.matches) / 2)
    let score = mean * (1 - Parameter.gamma * pow(fragmentation, Parameter.beta))
    return score.isNaN ? 0 : max(score, 0)
  }
}
