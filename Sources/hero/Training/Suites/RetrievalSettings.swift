import Formats
import Metrics
import Tasks

/// The options of the retrieval losses and of ranking, as a run's options say.
struct RetrievalSettings {
  /// Whether queries are about moments, and not about whole videos.
  let hasSpans: Bool
  let loss: RetrievalLossOptions
  let curriculum: RetrievalCurriculum
  let evaluation: RetrievalEvaluationOptions

  /// - Throws: `DataError` naming options that do not go together.
  init(_ configuration: RunConfiguration) throws {
    hasSpans = configuration.family != .videoRetrieval
    loss = Self.loss(configuration, hasSpans: hasSpans)
    curriculum = try Self.curriculum(configuration, hasSpans: hasSpans)
    evaluation = try Self.evaluation(configuration, hasSpans: hasSpans)
  }

  private static func loss(_ configuration: RunConfiguration, hasSpans: Bool) -> RetrievalLossOptions {
    var options = RetrievalLossOptions()
    options.ranking.kind = configuration.rankingLoss
    options.ranking.margin = Float(configuration.margin)
    options.ranking.useAllNegatives = configuration.usesAllNegatives
    options.contextWeight = Float(configuration.negativeVideoWeight)
    options.queryWeight = Float(configuration.negativeQueryWeight)
    options.spanWeight = hasSpans ? Float(configuration.spanWeight) : 0
    options.spanDropProbability = hasSpans ? Float(configuration.spanDropProbability) : 0
    return options
  }

  private static func curriculum(_ configuration: RunConfiguration, hasSpans: Bool) throws
    -> RetrievalCurriculum
  {
    let (starts, pools) = (configuration.hardNegativeStarts, configuration.hardPoolSizes)
    let weights = configuration.hardNegativeWeights
    guard starts.count == pools.count, pools.count == weights.count else {
      throw DataError(
        "hard_pool_size, hard_neg_weights and hard_negtiave_start_step have \(pools.count), \(weights.count) and "
          + "\(starts.count) values",
        cure: "Give each as many values as there are stages of hard negatives")
    }
    var curriculum = RetrievalCurriculum()
    if hasSpans { curriculum.spanStart = configuration.spanStart }
    curriculum.hardNegatives = starts.indices.map { (starts[$0], pools[$0], Float(weights[$0])) }
    return curriculum
  }

  /// Beyond 1e9 the difference of two scores in 32 bits outweighs every span.
  private static func factor(_ value: Double) throws -> Float {
    guard value <= 1e9 else {
      throw DataError(
        "q2c_alpha is \(value), more than 1e9", cure: "Give --q2c-alpha 20, as the reference does")
    }
    return Float(value)
  }

  private static func evaluation(_ configuration: RunConfiguration, hasSpans: Bool) throws
    -> RetrievalEvaluationOptions
  {
    var options = RetrievalEvaluationOptions()
    options.frameInterval = configuration.frameInterval
    guard hasSpans else {
      options.tasks = [.video]
      options.videoScoreFactor = nil
      options.videosSearched = configuration.maxVideosPerQuery
      options.queryBatch = configuration.retrievalQueryBatchSize
      options.videoBatch = configuration.retrievalVideoBatchSize
      return options
    }
    options.tasks = RetrievalTask.allCases.filter(configuration.rankings.contains)
    options.videoScoreFactor = try factor(configuration.spanScoreSharpness)
    options.videosSearched = configuration.maxVideosPerMomentQuery
    options.minLength = configuration.minSpanLength
    options.maxLength = configuration.maxSpanLength
    options.kept = configuration.maxBeforeSuppression
    options.keptAfterSuppression = configuration.maxAfterSuppression
    options.suppression =
      configuration.suppressionThreshold == -1 ? nil : Float(configuration.suppressionThreshold)
    options.queryBatch = configuration.evaluationQueryBatchSize
    options.videoBatch = configuration.evaluationVideoBatchSize
    options.byQueryType = configuration.reportsQueryTypes
    guard options.minLength < options.maxLength else {
      throw DataError(
        "min_pred_l is \(options.minLength) and max_pred_l \(options.maxLength), which allows no moment",
        cure: "Make max_pred_l larger than min_pred_l")
    }
    return options
  }
}
