/// What a run trains for: the reference's task names.
public enum RunTask: String, CaseIterable, ConfigurationName {
  case tvr
  case how2r
  case didemoVideoOnly = "didemo_video_only"
  case didemoVideoSub = "didemo_video_sub"
  case msrvttVideoOnly = "msrvtt_video_only"
  case msrvttVideoSub = "msrvtt_video_sub"
  case tvqa
  case how2qa
  case violin
  case tvc
  case pretrain

  public var family: TaskFamily {
    switch self {
    case .tvr, .how2r, .didemoVideoOnly, .didemoVideoSub: .momentRetrieval
    case .msrvttVideoOnly, .msrvttVideoSub: .videoRetrieval
    case .tvqa, .how2qa: .questionAnswering
    case .violin: .inference
    case .tvc: .captioning
    case .pretrain: .pretraining
    }
  }

  /// Whether the task reads frames alone, without subtitles.
  public var isVideoOnly: Bool { self == .didemoVideoOnly || self == .msrvttVideoOnly }

  /// What `hero finetune --task` takes.
  public static let finetuning = allCases.filter { $0 != .pretrain }
}

/// Tasks that share a model, a training loop and options, as the reference's `train_*.py` scripts do.
public enum TaskFamily: String, CaseIterable, Sendable {
  case momentRetrieval = "moment retrieval"
  case videoRetrieval = "video retrieval"
  case questionAnswering = "question answering"
  case inference = "VIOLIN"
  case captioning = "captioning"
  case pretraining = "pre-training"

  public var tasks: [RunTask] { RunTask.allCases.filter { $0.family == self } }
}

/// The optimisers that the reference offers.
public enum OptimizerName: String, CaseIterable, ConfigurationName {
  case adam, adamax, adamw
}

/// How a negative's score is compared with the positive's: `max(0, margin + neg − pos)` or `log(1 + exp(neg − pos))`.
public enum RankingLossName: String, CaseIterable, ConfigurationName {
  case hinge, lse
}

/// The rankings a retrieval evaluation can report.
public enum RetrievalRanking: String, CaseIterable, ConfigurationName {
  case vcmr = "VCMR"
  case svmr = "SVMR"
  case vr = "VR"
}
