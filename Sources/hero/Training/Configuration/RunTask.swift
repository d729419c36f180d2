import Corpus
import Engine
import Metrics

/// A task that a run trains for, a row of the table of tasks.
///
/// The names are the reference's. A new task of a known family needs one more row here, and a
/// configuration in `Configs`.
public struct RunTask: ConfigurationName, Hashable {
  /// The name in `task`, such as `msrvtt_video_only`, and in the names of VALUE's result files.
  public let rawValue: String
  /// The family whose options, model and suite the task uses.
  public let family: TaskFamily
  /// The channels of a video that the task reads by default; `--channels` chooses others.
  public let channels: VideoChannels
  /// Whether the name has a channel in it, which no option may contradict.
  let namesChannels: Bool
  /// The figure that chooses the best checkpoint of a task that finds windows; nil for other tasks.
  ///
  /// Such a task looks for moments only in the query's own video. QVHighlights' figures measure it.
  let windowHeadline: String?
  /// Whether the task looks for moments only in the query's own video.
  public var findsWindows: Bool { windowHeadline != nil }

  /// - Parameters:
  ///   - channels: the channels that the name says; nil if it says none.
  ///   - usual: the channels if neither the name nor an option says them.
  ///   - headline: the figure of a task that finds windows.
  private init(
    _ name: String, _ family: TaskFamily, _ channels: VideoChannels? = nil, usual: VideoChannels = .both,
    windows headline: String? = nil
  ) {
    rawValue = name
    self.family = family
    self.channels = channels ?? usual
    namesChannels = channels != nil
    windowHeadline = headline
  }

  /// The table.
  public static let allCases = [
    tvr,
    RunTask("how2r", .momentRetrieval),
    RunTask("didemo_video_only", .momentRetrieval, .video),
    RunTask("didemo_video_sub", .momentRetrieval, .both),
    // QVHighlights has its own measure. Where a query has one window, its overlap says more.
    RunTask("qvhighlights", .momentRetrieval, usual: .video, windows: "MR-full-mAP"),
    RunTask("charades_sta", .momentRetrieval, usual: .video, windows: "mIoU"),
    RunTask("activitynet", .momentRetrieval, usual: .video, windows: "mIoU"),
    RunTask("tacos", .momentRetrieval, usual: .video, windows: "mIoU"),
    RunTask("msrvtt_video_only", .videoRetrieval, .video),
    RunTask("msrvtt_video_sub", .videoRetrieval, .both),
    RunTask("yc2r", .videoRetrieval),
    RunTask("vatex_en_r", .videoRetrieval),
    tvqa,
    RunTask("how2qa", .questionAnswering),
    RunTask("vlep", .questionAnswering),
    violin,
    tvc,
    RunTask("yc2c", .captioning),
    RunTask("vatex_en_c", .captioning),
    multitask,
    pretrain,
  ]

  // The tasks that the demo trains, or whose files do not name them.
  /// Moments of TV episodes: TVR.
  public static let tvr = RunTask("tvr", .momentRetrieval)
  /// Questions about TV clips: TVQA.
  public static let tvqa = RunTask("tvqa", .questionAnswering)
  /// Statements about clips that hold or do not: VIOLIN.
  public static let violin = RunTask("violin", .inference)
  /// Captions of moments of TV episodes: TVC.
  public static let tvc = RunTask("tvc", .captioning)
  /// Pre-training: MLM, MFM, FOM and VSM.
  public static let pretrain = RunTask("pretrain", .pretraining)
  /// Several tasks, which `train_datasets` names.
  public static let multitask = RunTask("multitask", .multitask)

  /// Finds the task of a name; nil if the table has none.
  ///
  /// VALUE puts a channel at the end of a name: `tvqa_sub_only` is `tvqa` that reads only
  /// subtitles.
  public init?(rawValue: String) {
    if let task = Self.allCases.first(where: { $0.rawValue == rawValue }) {
      self = task
      return
    }
    for channels in VideoChannels.allCases where rawValue.hasSuffix(channels.ending) {
      let base = rawValue.dropLast(channels.ending.count)
      let task = Self.allCases.first { $0.rawValue == base || $0.rawValue == base + "_video_sub" }
      guard let task, task.family.isSingle else { continue }
      self.init(rawValue, task.family, channels, windows: task.windowHeadline)
      return
    }
    return nil
  }

  /// Returns whether two names mean one task, with the channels or without.
  func isSame(as other: RunTask) -> Bool {
    rawValue == other.rawValue || rawValue == other.rawValue + channels.ending
      || other.rawValue == rawValue + other.channels.ending
  }

  /// Returns whether this is the task that a user names; the name may leave the channels out.
  func answers(to asked: RunTask) -> Bool {
    isSame(as: asked) && (!asked.namesChannels || channels == asked.channels)
  }

  /// Returns whether two names mean one task with the same channels.
  func readsSame(as other: RunTask) -> Bool { isSame(as: other) && channels == other.channels }

  /// The annotation that the task's stores are made from; nil for pre-training.
  var annotation: TextStoreTask? {
    TextStoreTask.allCases.first {
      rawValue == $0.rawValue || rawValue.hasPrefix($0.rawValue + "_video_")
        || rawValue == $0.rawValue + "_sub_only"
    }
  }

  /// Refuses a store whose rows do not fit the task, and warns of one made for another task.
  /// - Parameter path: the store's folder.
  func require(_ meta: StoreMeta, path: String) throws {
    if let annotation { try meta.require(annotation, path: path) }
  }

  /// The extension of the task's prediction files.
  var resultEnding: String { family == .captioning || findsWindows ? "jsonl" : "json" }

  /// The options for the number of items in a pass of an evaluation.
  var passOptions: [KeyPath<RunOptions, RunOption<Int>>] {
    switch family {
    case .momentRetrieval: [\.evaluationQueryBatchSize, \.evaluationVideoBatchSize]
    case .videoRetrieval: [\.retrievalQueryBatchSize, \.retrievalVideoBatchSize]
    default: [\.valBatchSize]
    }
  }

  /// The tasks that `hero finetune --task` takes.
  public static let finetuning = allCases.filter { $0 != .pretrain }
  /// The tasks that `hero eval --task` takes.
  public static let evaluated = allCases.filter(\.family.isSingle)
}

/// Tasks that share a model, a training loop and options, as the reference's `train_*.py` scripts
/// do.
public enum TaskFamily: String, CaseIterable, Sendable {
  /// TVR and its like: moments in a corpus, or in the query's own video.
  case momentRetrieval = "moment retrieval"
  /// MSR-VTT and its like: whole videos.
  case videoRetrieval = "video retrieval"
  /// TVQA, How2QA and VLEP: one of several answers.
  case questionAnswering = "question answering"
  /// True or false statements.
  case inference = "VIOLIN"
  /// TVC and its like: sentences about clips or videos.
  case captioning = "captioning"
  /// Several tasks in one run.
  case multitask = "several tasks"
  /// Objectives without labels.
  case pretraining = "pre-training"

  /// Whether a run of the family fine-tunes a single task.
  public var isSingle: Bool { self != .multitask && self != .pretraining }
}

extension RunConfiguration {
  /// `lr_mul` of the parameters outside the video encoder; 1 for tasks whose scripts have none.
  var headFactor: Double {
    RunOptions.shared.topLearningRateFactor.families.contains(family) ? self.topLearningRateFactor : 1
  }
}

extension OptimizerKind: ConfigurationName {}
extension MomentsPrecision: ConfigurationName {}
extension VideoChannels: ConfigurationName {
  /// The channels in the words of a message.
  var described: String {
    switch self {
    case .both: "frames and subtitles"
    case .video: "frames alone"
    case .subtitles: "subtitles alone"
    }
  }

  /// The suffix of a task's name for the channels.
  fileprivate var ending: String {
    switch self {
    case .both: "_video_sub"
    case .video: "_video_only"
    case .subtitles: "_sub_only"
    }
  }
}
extension RankingKind: ConfigurationName {}
extension Ranking: ConfigurationName {}
