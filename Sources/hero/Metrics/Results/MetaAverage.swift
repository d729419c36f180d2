/// VALUE's headline over several data sets: the mean of one figure of each, in percent.
///
/// Source: the starter code's `train_all_multitask.py`, `train_retrieval.py`, `train_qa.py` and
/// `train_captioning.py`.
public struct MetaAverage: Equatable, Sendable {
  /// The figure that measures a data set.
  public enum Figure: Equatable, Sendable {
    /// The share of right answers, from 0 to 1.
    case accuracy(Double)
    /// The CIDEr-D of captions, in percent as in `CaptionScorer`.
    case cider(Double)
    /// The mean of three recalls: of moments at IoU 0.7, else of videos.
    case recalls([Recall])
  }

  /// The figure of each data set in percent; nil if a recall that it needs is missing.
  public let percents: [Double?]

  /// - Parameter figures: one of every data set. Moments count at ranks 1, 10 and 100, videos at 1,
  ///   5 and 10. If all data sets are of retrieval, moments count at 1, 5 and 10 too, as in VALUE's
  ///   trainer of retrieval alone.
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

  /// The mean; nil if the figure of a data set is missing, or there is no data set.
  public var value: Double? {
    let known = percents.compactMap { $0 }
    guard known.count == percents.count, !known.isEmpty else { return nil }
    return known.reduce(0, +) / Double(known.count)
  }

  /// Returns the mean over the depths for all queries; nil if a depth is missing.
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
