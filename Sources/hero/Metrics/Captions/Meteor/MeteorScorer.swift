import Formats

/// METEOR 1.5 for English as coco-caption runs it (`-l en -norm`; Denkowski and Lavie, 2014).
///
/// Without the distribution's data, only equal words and equal stems match, and scores are lower.
struct MeteorScorer {
  /// The frequent English words and marks to which METEOR gives less weight.
  ///
  /// They stand in for the distribution's own list (`function/english.words`).
  private static let commonWords: Set<Name> = Set(
    """
    the , . to of and a in that for " is on 's it with was as said at he by be from have has are his but an this not i
    will ’ they ) -rrb- ( -lrb- who their had we which were been more or s its would about new one after you : also up
    when there than $ all out her people she year two - can if last first “ over other ” into some what so -- no time
    years could ? 't —
    """.split { $0.isWhitespace }.map { Name(String($0)) })

  private let normalizer: MeteorNormalizer
  private let functionWords: Set<Name>
  private var matcher: MeteorMatcher

  /// - Parameters:
  ///   - resources: the distribution's data, or nil.
  ///   - captions: every caption to score, which decides the paraphrases to read.
  init(resources: MeteorResources?, captions: some Sequence<String>) throws {
    let normalizer = resources?.normalizer ?? MeteorNormalizer(prefixes: [])
    self.normalizer = normalizer
    functionWords = resources?.functionWords ?? Self.commonWords
    let paraphrases = try resources.map { resources in
      try resources.paraphrases(
        among: Set(captions.lazy.flatMap { normalizer.words(of: $0) }.map { Name($0) }))
    }
    matcher = MeteorMatcher(resources: resources, paraphrases: paraphrases ?? ParaphraseTable())
  }

  /// Returns the counts against the reference with the best score; of equal ones, the first.
  mutating func statistics(prediction: String, references: [String]) -> MeteorStatistics {
    let prediction = normalizer.words(of: prediction)
    var best: (statistics: MeteorStatistics, score: Double)?
    for reference in references {
      let reference = normalizer.words(of: reference)
      let matches = matcher.matches(prediction: prediction, reference: reference)
      let statistics = MeteorStatistics(
        alignment: MeteorAligner.align(matches), prediction: prediction.map { functionWords.contains($0) },
        reference: reference.map { functionWords.contains($0) })
      let score = statistics.score
      if best.map({ score > $0.score }) ?? true { best = (statistics, score) }
    }
    return best?.statistics ?? MeteorStatistics()
  }
}
