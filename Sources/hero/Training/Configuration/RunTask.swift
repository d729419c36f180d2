import Engine
import Metrics

/// What a run trains for: a row of the table of tasks. The names are the reference's.
///
/// A new task of a known family is one more row here, and a configuration in `Configs`.
public struct RunTask: ConfigurationName, Hashable {
  public let rawValue: String
  public let family: TaskFamily
  /// Whether the task reads frames alone, without subtitles.
  public let isVideoOnly: Bool

  private init(_ name: String, _ family: TaskFamily, videoOnly: Bool = false) {
    rawValue = name
    self.family = family
    isVideoOnly = videoOnly
  }

  /// The table.
  public static let allCases = [
    tvr,
    RunTask("how2r", .momentRetrieval),
    RunTask("didemo_video_only", .momentRetrieval, videoOnly: true),
    RunTask("didemo_video_sub", .momentRetrieval),
    RunTask("msrvtt_video_only", .videoRetrieval, videoOnly: true),
    RunTask("msrvtt_video_sub", .videoRetrieval),
    RunTask("yc2r", .videoRetrieval),
    RunTask("vatex_en_r", .videoRetrieval),
    tvqa,
    RunTask("how2qa", .questionAnswering),
    RunTask("vlep", .questionAnswering),
    violin,
    tvc,
    RunTask("yc2c", .captioning),
    RunTask("vatex_en_c", .captioning),
    pretrain,
  ]

  // The tasks that the demo trains, or whose files do not name them.
  public static let tvr = RunTask("tvr", .momentRetrieval)
  public static let tvqa = RunTask("tvqa", .questionAnswering)
  public static let violin = RunTask("violin", .inference)
  public static let tvc = RunTask("tvc", .captioning)
  public static let pretrain = RunTask("pretrain", .pretraining)

  /// The task of a name; nil where the table has none.
  public init?(rawValue: String) {
    guard let task = Self.allCases.first(where: { $0.rawValue == rawValue }) else { return nil }
    self = task
  }

  /// Whether an evaluation server takes predictions of the task: TVR's, TVQA's, TVC's, or VALUE's.
  public var hasServer: Bool { !rawValue.hasPrefix("didemo") && !rawValue.hasPrefix("msrvtt") }

  /// The options that say how many items a pass of an evaluation has.
  public var passOptions: [String] {
    switch family {
    case .momentRetrieval: ["vcmr_eval_q_batch_size", "vcmr_eval_video_batch_size"]
    case .videoRetrieval: ["vr_eval_q_batch_size", "vr_eval_video_batch_size"]
    default: ["val_batch_size"]
    }
  }

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

  /// Whether parameters outside the video encoder train at `lr_mul` times the rate, as in the family's script.
  var scalesHeads: Bool { Self.headed.contains(self) }
  private static let headed: Set = [questionAnswering, inference, captioning]
}

extension OptimizerKind: ConfigurationName {}
extension RankingKind: ConfigurationName {}
extension RetrievalTask: ConfigurationName {}
