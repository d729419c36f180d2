/// What is done with a run, of which each reads options of its own.
public enum RunWork: String, CaseIterable, Sendable {
  /// `hero finetune` and `hero pretrain`.
  case training
  /// `hero eval`.
  case evaluation = "eval"
  /// `hero tune`.
  case tuning = "tune"
  /// `hero caption`, and models that tell of videos in `hero serve`.
  case description = "caption"
  /// `hero index`.
  case encoding = "index"
  /// `hero search` and `hero serve`.
  case search
}

extension RunOptions {
  /// The options that a work reads of a run of some task; a command takes flags of no others.
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

  /// The name of an option.
  static func named(_ path: PartialKeyPath<RunOptions>) -> String {
    (shared[keyPath: path] as? any AnyRunOption)?.name ?? ""
  }

  /// What the frames that a model reads depend on.
  private static func cut(of task: RunTask) -> [PartialKeyPath<RunOptions>] {
    [\.channels, \.featureVersion, \.frameInterval, \.maxClipLength]
      + (task.channels == .video ? [] : [\.subtitleContext])
  }

  /// Where videos are read from, and how.
  private static func stores(of task: RunTask) -> [PartialKeyPath<RunOptions>] {
    cut(of: task) + [\.videos, \.compressed] + (task.channels == .video ? [] : [\.subtitles])
  }

  /// Batches of what answers and captions.
  private static func passes(of task: RunTask) -> [PartialKeyPath<RunOptions>] {
    Set<TaskFamily>.retrieval.contains(task.family) ? [] : [\.valBatchSize]
  }

  /// How moments and videos are ranked, whoever asks.
  private static var ranking: [PartialKeyPath<RunOptions>] {
    [
      \.rankings, \.spanScoreSharpness, \.maxVideosPerMomentQuery, \.maxVideosPerQuery,
      \.maxBeforeSuppression, \.maxAfterSuppression, \.suppressionThreshold, \.minSpanLength,
      \.maxSpanLength,
    ]
  }
}
