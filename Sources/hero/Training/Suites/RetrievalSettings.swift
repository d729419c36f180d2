import Formats
import Metrics
import Tasks

/// The options of the retrieval losses and of ranking, decoded from a run's options.
struct RetrievalSettings {
  private let configuration: RunConfiguration

  /// - Throws: `DataError` that names options that do not fit together.
  init(_ given: RunConfiguration) throws {
    self.configuration = given
    // These checks do not count as use of the options.
    let configuration = given.unobserved
    let (starts, pools) = (configuration.hardNegativeStarts, configuration.hardPoolSizes)
    let weights = configuration.hardNegativeWeights
    guard starts.count == pools.count, pools.count == weights.count else {
      throw DataError(
        "hard_pool_size, hard_neg_weights and hard_negtiave_start_step have \(pools.count), \(weights.count) and "
          + "\(starts.count) values",
        cure: "Give each as many values as there are stages of hard negatives")
    }
    guard configuration.family == .momentRetrieval else { return }
    guard configuration.minSpanLength < configuration.maxSpanLength else {
      throw DataError(
        "min_pred_l is \(configuration.minSpanLength) and max_pred_l \(configuration.maxSpanLength), which allows "
          + "no moment", cure: "Make max_pred_l larger than min_pred_l")
    }
    // Beyond 1e9 the smallest difference of two float32 scores outweighs every span.
    guard configuration.spanScoreSharpness <= 1e9 else {
      throw DataError(
        "q2c_alpha is \(configuration.spanScoreSharpness), more than 1e9",
        cure: "Give --q2c-alpha 20, as the reference does")
    }
    guard !configuration.rankings.isEmpty else {
      throw DataError(
        "full_eval_tasks is empty, so that nothing would be measured",
        cure: "Give " + Ranking.allCases.map(\.rawValue).joined(separator: ", ") + " or some of them")
    }
  }

  /// Whether queries are about moments, not about whole videos.
  var hasSpans: Bool { configuration.family != .videoRetrieval }

  private var learnsSpans: Bool { hasSpans && configuration.spanWeight != 0 }

  /// The options of the loss; only those that it depends on are read.
  ///
  /// `RunConfiguration.idleOptions` lists the rest.
  var loss: RetrievalLossOptions {
    var options = RetrievalLossOptions()
    options.contextWeight = Float(configuration.negativeVideoWeight)
    options.queryWeight = Float(configuration.negativeQueryWeight)
    if configuration.ranksVideos {
      options.ranking.kind = configuration.rankingLoss
      options.ranking.useAllNegatives = configuration.usesAllNegatives
      if options.ranking.kind == .hinge { options.ranking.margin = Float(configuration.margin) }
    }
    options.spanWeight = learnsSpans ? Float(configuration.spanWeight) : 0
    if learnsSpans, configuration.spanStart >= 0 {
      options.spanDropProbability = Float(configuration.spanDropProbability)
    }
    return options
  }

  /// The updates at which the parts of the loss begin.
  var curriculum: RetrievalCurriculum {
    var curriculum = RetrievalCurriculum()
    if learnsSpans { curriculum.spanStart = configuration.spanStart }
    guard configuration.ranksVideos else { return curriculum }
    let starts = configuration.hardNegativeStarts
    guard starts.contains(where: { $0 >= 0 }) else { return curriculum }
    let pools = configuration.hardPoolSizes
    // Drawn negatives are not weighed.
    let weights = configuration.usesAllNegatives ? configuration.hardNegativeWeights.map { Float($0) } : nil
    curriculum.hardNegatives = starts.indices.map { place in
      (starts[place], pools[place], weights?[place] ?? RankingOptions().hardNegativeWeight)
    }
    return curriculum
  }

  /// The options of ranking moments and videos.
  var evaluation: RetrievalEvaluationOptions {
    var options = RetrievalEvaluationOptions()
    options.frameInterval = configuration.frameInterval
    guard hasSpans else {
      options.rankings = [.video]
      options.videoScoreFactor = nil
      options.videosSearched = configuration.maxVideosPerQuery
      options.queryBatch = configuration.retrievalQueryBatchSize
      options.videoBatch = configuration.retrievalVideoBatchSize
      return options
    }
    if configuration.task.findsWindows {
      options.rankings = [.singleVideoMoment]
      options.videoScoreFactor = nil
      options.videosSearched = 1
      options.ratesFrames = true
    } else {
      options.rankings = Ranking.allCases.filter(configuration.rankings.contains)
      options.videoScoreFactor = Float(configuration.spanScoreSharpness)
      options.videosSearched = configuration.maxVideosPerMomentQuery
      options.byQueryType = configuration.reportsQueryTypes
    }
    options.keptAfterSuppression = configuration.maxAfterSuppression
    options.queryBatch = configuration.evaluationQueryBatchSize
    options.videoBatch = configuration.evaluationVideoBatchSize
    guard options.rankings.contains(where: \.findsMoments) else {
      options.suppression = nil
      return options
    }
    options.minLength = configuration.minSpanLength
    options.maxLength = configuration.maxSpanLength
    options.kept = configuration.maxBeforeSuppression
    options.suppression =
      configuration.suppressionThreshold == -1 ? nil : Float(configuration.suppressionThreshold)
    return options
  }
}
