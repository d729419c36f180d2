/// VALUE's headline over several data sets: the mean of one figure of each, all in percent.
///
/// Source: the starter code's `train_all_multitask.py`, `train_retrieval.py`, `train_qa.py` and
/// `train_captioning.py`.
public struct MetaAverage: Equatable, Sendable {
  /// What a data set is measured by.
  public enum Figure: Equatable, Sendable {
    /// The share of right answers, from 0 to 1.
    case accuracy(Double)
    /// CIDEr-D of captions, in percent as `CaptionScorer` gives it.
    case cider(Double)
    /// Mean of three recalls: of moments at IoU 0.7, else of videos.
    case recalls([Recall])
  }

  /// One figure of each data set, in percent; nil where it cannot be measured by it.
  public let percents: [Double?]

  /// - Parameter figures: of every data set. Moments count at ranks 1, 10 and 100; where all data
  ///   sets are of retrieval, at 1, 5 and 10, as VALUE's trainer of retrieval alone has it. Videos
  ///   always count at 1, 5 and 10.
  public init(_ figures: [Figure]) {
    let isRetrieval = figures.allSatisfy { figure in
      if case .recalls = figure { true } else { false }
    }
    percents = figures.map { figure in
      switch figure {
      case .accuracy(let share): 100 * share
      case .cider(let percent): percent
      case .recalls(let recalls):
        Self.mean(
          recalls, .videoCorpusMoment, overlap: 0.7, depths: isRetrieval ? [1, 5, 10] : [1, 10, 100])
          ?? Self.mean(recalls, .video, overlap: nil, depths: [1, 5, 10])
      }
    }
  }

  /// Nil where a data set is not measured, or there is none.
  public var value: Double? {
    let known = percents.compactMap { $0 }
    guard known.count == percents.count, !known.isEmpty else { return nil }
    return known.reduce(0, +) / Double(known.count)
  }

  /// Of all queries; nil where a rank was not measured.
  private static func mean(
    _ recalls: [Recall], _ ranking: Ranking, overlap: Float?, depths: [Int]
  ) -> Double? {
    let values = depths.compactMap { depth in
      recalls.first { $0.ranking == ranking && $0.type == nil && $0.overlap == overlap && $0.depth == depth }?
        .value
    }
    return values.count == depths.count ? values.reduce(0, +) / Double(depths.count) : nil
  }
}
