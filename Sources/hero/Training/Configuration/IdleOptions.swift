import Formats
import Tasks

/// An option that a run was given and whose value changes nothing in its work.
struct IdleOption: Equatable {
  let name: String
  /// The reason, as a clause.
  let reason: String
}

extension RunConfiguration {
  /// The options whose values a training would not read.
  ///
  /// They belong to other tasks or to the reference's ways to compute, or other options make them
  /// idle. Options with default values are left out, because nobody asked for them.
  var idleOptions: [IdleOption] {
    let reason = idleReasons()
    return RunOptions.all.compactMap { option in
      guard let value = value(of: option), !isDefault(value, of: option), let reason = reason(option)
      else { return nil }
      return IdleOption(name: option.name, reason: reason)
    }
  }

  private func isDefault(_ value: JSON, of option: any AnyRunOption) -> Bool {
    let usual = option.defaultJSON(for: family)
    return value == usual || (value.double != nil && value.double == usual.double)
  }

  /// The names of the task's options that a training as configured does not read, whatever their
  /// values.
  var idleNames: Set<String> {
    let reason = idleReasons()
    return Set(RunOptions.used(by: family).filter { reason($0) != nil }.map(\.name))
  }

  /// Returns a function that says why a training would not read an option; nil if it reads it.
  private func idleReasons() -> (any AnyRunOption) -> String? {
    let configuration = unobserved
    let rules = Self.idleRules.filter { $0.holds(configuration) }
    let parts = family == .multitask ? (try? configuration.parts()) ?? [] : []
    let reasons = parts.map { (family: $0.task.family, reason: $0.configuration.idleReasons()) }
    let own: [PartialKeyPath<RunOptions>] = [\.task, \.trainDatasets, \.valDatasets]
    return { option in
      if option.group == .ignored { return option.help }
      guard option.families.contains(family) || option.name == RunOptions.shared.task.name else {
        // A run of several reads what one of its tasks reads, so the reason does not name it.
        let all = TaskFamily.allCases.filter(option.families.contains)
        let readers = (all.count > 1 ? all.filter { $0 != .multitask } : all).map(\.rawValue)
        return "only \(readers.joined(separator: ", ")) reads it"
      }
      guard family == .multitask else { return rules.first { $0.options.contains(option.name) }?.reason }
      guard !reasons.isEmpty, !own.contains(where: { RunOptions.named($0) == option.name }) else {
        return nil
      }
      if option.name == RunOptions.shared.questionSpanWeight.name {
        return reasons.contains { $0.family == .questionAnswering } ? nil : "no task answers questions"
      }
      // The option is idle only if no task reads it.
      let told = reasons.compactMap { $0.reason(option) }
      guard told.count == reasons.count else { return nil }
      // The reason comes from a task that has the option.
      return reasons.first { option.families.contains($0.family) }?.reason(option)
        ?? "no task of the run reads it"
    }
  }

  // MARK: Rules

  /// A rule: some options are idle if other options have certain values.
  struct IdleRule: Sendable {
    let options: Set<String>
    let reason: String
    let holds: @Sendable (RunConfiguration) -> Bool

    init(
      _ options: [PartialKeyPath<RunOptions>], _ reason: String,
      where holds: @escaping @Sendable (RunConfiguration) -> Bool
    ) {
      self.options = Set(options.map { RunOptions.named($0) })
      (self.reason, self.holds) = (reason, holds)
    }
  }

  static let idleRules: [IdleRule] = [
    IdleRule([\.subtitles, \.subtitleContext], "frames alone are read") { $0.videoChannels == .video },
    IdleRule([\.skipsLayers], "there is no checkpoint to start from") { $0.checkpoint == nil },
    // Pre-training.
    IdleRule([\.frameInterval], "every corpus of targets has a vfeat_interval of its own") {
      $0.family == .pretraining && $0.corpora.allSatisfy { $0["vfeat_interval"] != nil }
    },
    IdleRule([\.nceTemperature], "no objective is mfm-nce") { !$0.learns(.temperature) },
    IdleRule([\.maskProbability], "no objective hides anything") {
      !$0.learns(.masks)
    },
    IdleRule(
      rankingOptions + spanOptions + [\.negativeVideoWeight, \.negativeQueryWeight], "no objective is vsm"
    ) {
      !$0.learns(.ranking)
    },
    // Losses.
    IdleRule(rankingOptions, "lw_neg_ctx and lw_neg_q are 0") { !$0.ranksVideos },
    IdleRule([\.margin], "ranking_loss_type is lse") { $0.rankingLoss != .hinge },
    IdleRule([\.hardPoolSizes, \.hardNegativeWeights], "hard_negtiave_start_step is -1") {
      !$0.hardNegativeStarts.contains { $0 >= 0 }
    },
    IdleRule([\.hardNegativeWeights], "use_all_neg is false: hard negatives are drawn, not weighed") {
      !$0.usesAllNegatives
    },
    IdleRule([\.spanStart, \.spanDropProbability], "lw_st_ed is 0") { $0.spanWeight == 0 },
    IdleRule([\.spanDropProbability], "train_span_start_step is -1: spans are never learnt") {
      $0.spanStart < 0
    },
    // Validation.
    IdleRule([\.valSplit], "there is no val_query_txt_db") { $0.valQueries == nil },
    IdleRule([\.testSplit], "there is no test_query_txt_db") { $0.testQueries == nil },
    IdleRule([\.tokenizer], "there is nothing to caption") {
      $0.valCaptions == nil && $0.valReferences == nil && $0.testCaptions == nil
    },
    IdleRule([\.valBatchSize], "there is no val_query_txt_db") {
      Set<TaskFamily>.retrieval.contains($0.family) && $0.valQueries == nil
    },
    IdleRule([\.valBatchSize] + evaluationOptions, "there is nothing to validate on") {
      $0.family.isSingle
        && $0.valQueries == nil && $0.testQueries == nil && $0.valCaptions == nil && $0.testCaptions == nil
        && $0.valReferences == nil
    },
    IdleRule(
      [\.rankings, \.reportsQueryTypes, \.spanScoreSharpness, \.maxVideosPerMomentQuery],
      "moments are looked for in the query's own video alone"
    ) { $0.task.findsWindows },
    IdleRule(momentOptions, "full_eval_tasks has neither VCMR nor SVMR") {
      !$0.rankings.contains(where: \.findsMoments) && !$0.task.findsWindows
    },
  ]

  private static var rankingOptions: [PartialKeyPath<RunOptions>] {
    [
      \.rankingLoss, \.margin, \.usesAllNegatives, \.hardPoolSizes, \.hardNegativeWeights,
      \.hardNegativeStarts,
    ]
  }
  private static var spanOptions: [PartialKeyPath<RunOptions>] {
    [
      \.spanWeight, \.spanStart, \.spanDropProbability,
    ]
  }
  private static var momentOptions: [PartialKeyPath<RunOptions>] {
    [
      \.minSpanLength, \.maxSpanLength, \.maxBeforeSuppression, \.suppressionThreshold,
    ]
  }
  private static var evaluationOptions: [PartialKeyPath<RunOptions>] {
    momentOptions + [
      \.evaluationQueryBatchSize, \.evaluationVideoBatchSize, \.retrievalQueryBatchSize,
      \.retrievalVideoBatchSize, \.rankings, \.reportsQueryTypes, \.spanScoreSharpness,
      \.maxVideosPerMomentQuery, \.maxVideosPerQuery, \.maxAfterSuppression, \.maxGenerationSteps,
    ]
  }

  /// Whether training ranks videos against one another.
  var ranksVideos: Bool { Float(self.negativeVideoWeight) != 0 || Float(self.negativeQueryWeight) != 0 }

  private var corpora: [JSON] { self.targets.array ?? [] }

  /// Returns whether a pre-training objective reads some settings; true for all other tasks.
  private func learns(_ kind: PretrainingSettings.Kind) -> Bool {
    guard family == .pretraining else { return true }
    let names = corpora.flatMap { $0["splits"]?.array ?? [] }.flatMap { split -> [JSON] in
      split["tasks"]?.array ?? (split["tasks"].map { [$0] } ?? [])
    }
    return PretrainingObjective.allCases.contains {
      $0.settings.contains(kind) && names.contains(.string($0.name))
    }
  }
}
