/// The kinds of work with a run; each reads options of its own.
public enum RunWork: String, CaseIterable, Sendable {
  /// `hero finetune` and `hero pretrain`.
  case training
  /// `hero eval`.
  case evaluation = "eval"
  /// `hero tune`.
  case tuning = "tune"
  /// `hero caption`, and models that describe videos in `hero serve`.
  case description = "caption"
  /// `hero index`.
  case encoding = "index"
  /// `hero search` and `hero serve`.
  case search
}

extension RunOptions {
  /// Returns the options of a task's run that a work reads; the command takes no other flags.
  static func read(by work: RunWork, _ task: RunTask) -> [any AnyRunOption] {
    used(by: task.family).filter { option in
      switch work {
      case .training: true
      case .evaluation, .tuning, .description:
        option.group == .evaluation
          || isRead(option, from: stores(of: task) + passes(of: task) + [\.tokenizer])
      case .encoding: isRead(option, from: cut(of: task) + [\.compressed])
      case .search: isRead(option, from: cut(of: task) + ranking)
      }
    }
  }

  private static func isRead(_ option: any AnyRunOption, from paths: [PartialKeyPath<RunOptions>]) -> Bool {
    paths.contains { named($0) == option.name }
  }

  /// Returns the name of an option.
  static func named(_ path: PartialKeyPath<RunOptions>) -> String {
    (shared[keyPath: path] as? any AnyRunOption)?.name ?? ""
  }

  /// Returns the options that determine which frames a model reads.
  private static func cut(of task: RunTask) -> [PartialKeyPath<RunOptions>] {
    [\.channels, \.featureVersion, \.frameInterval, \.maxClipLength]
      + (task.channels == .video ? [] : [\.subtitleContext])
  }

  /// Returns the options that say where and how videos are read.
  private static func stores(of task: RunTask) -> [PartialKeyPath<RunOptions>] {
    cut(of: task) + [\.videos, \.compressed] + (task.channels == .video ? [] : [\.subtitles])
  }

  /// Returns the options for the batches of answering and captioning.
  private static func passes(of task: RunTask) -> [PartialKeyPath<RunOptions>] {
    Set<TaskFamily>.retrieval.contains(task.family) ? [] : [\.valBatchSize]
  }

  /// The options for the ranking of moments and videos.
  private static var ranking: [PartialKeyPath<RunOptions>] {
    [
      \.rankings, \.spanScoreSharpness, \.maxVideosPerMomentQuery, \.maxVideosPerQuery,
      \.maxBeforeSuppression, \.maxAfterSuppression, \.suppressionThreshold, \.minSpanLength,
      \.maxSpanLength,
    ]
  }
}
