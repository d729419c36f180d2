import Corpus
import Engine
import Formats
import Metrics

/// Every option of `hero finetune` and `hero pretrain`: the keys of the reference's JSON files,
/// with the defaults of its argument parsers (`config/config.py`, `train_tvc.py`).
///
/// The properties' order is the order of `--help` and of `log/hps.json`. Spellings are the
/// reference's, because users' files carry them.
public struct RunOptions: Sendable {
  // MARK: Data

  public let task = RunOption<RunTask?>(
    "task", .data, nil, in: .finetuning,
    help: "what to train for: " + RunTask.finetuning.map(\.rawValue).joined(separator: ", "))
  public let trainQueries = RunOption<String?>(
    "train_query_txt_db", .data, nil, in: .querying, isOfOneTask: true, help: "query store to train on")
  public let valQueries = RunOption<String?>(
    "val_query_txt_db", .data, nil, in: .querying, isOfOneTask: true, help: "query store to validate on")
  public let testQueries = RunOption<String?>(
    "test_query_txt_db", .data, nil, in: .querying, isOfOneTask: true,
    help: "query store to report on at every validation")
  public let trainCaptions = RunOption<PathList>(
    "train_db", .data, PathList(), in: [.captioning], isOfOneTask: true,
    help: "caption store to train on, or several as one")
  public let valCaptions = RunOption<String?>(
    "val_db", .data, nil, in: [.captioning], isOfOneTask: true, help: "caption store to validate on")
  public let valReferences = RunOption<String?>(
    "val_ref", .data, nil, in: [.captioning], isOfOneTask: true,
    help: "TVC's JSON lines with the reference captions of val_db")
  public let testCaptions = RunOption<String?>(
    "test_db", .data, nil, in: [.captioning], isOfOneTask: true,
    help: "caption store to report on at every validation")
  public let tokenizer = RunOption<String?>(
    "tokenizer", .data, nil, in: [.captioning],
    help:
      "folder of the tokenizer that writes captions; by default the one that the caption store's meta.json names"
  )
  public let subtitles = RunOption<String?>(
    "sub_txt_db", .data, nil, in: .finetuning, isOfOneTask: true, help: "subtitle store")
  public let valSplit = RunOption<String?>(
    "val_split", .data, nil, in: .retrieval, isOfOneTask: true,
    help: "split of vid2dur_idx.json that val_query_txt_db is about; by default the one with its videos")
  public let testSplit = RunOption<String?>(
    "test_split", .data, nil, in: .retrieval, isOfOneTask: true,
    help: "split of vid2dur_idx.json that test_query_txt_db is about; by default the one with its videos")
  public let videos = RunOption<String?>(
    "vfeat_db", .data, nil, in: .finetuning, isOfOneTask: true, help: "folder of the feature stores")
  public let channels = RunOption<VideoChannels?>(
    "channels", .data, nil, in: .finetuning, isOfOneTask: true,
    help: "what is read of a video: both, video or subtitles; by default what the task's name says, else both"
  )
  public let trainDatasets = RunOption<JSON>(
    "train_datasets", .data, .array([]), in: [.multitask],
    help:
      "the tasks: [{task, name, sub_txt_db, vfeat_db, query_txt_db or cap_txt_db, batch_size, ratio}], as VALUE has them"
  )
  public let valDatasets = RunOption<JSON>(
    "val_datasets", .data, .array([]), in: [.multitask],
    help: "what is measured of them: [{task, name, query_txt_db or gt_anno, batch_size}]")
  public let textRoot = RunOption<String?>(
    "txt_db", .data, nil, in: [.pretraining], help: "folder that the targets' text paths start from")
  public let videoRoot = RunOption<String?>(
    "img_db", .data, nil, in: [.pretraining], help: "folder that the targets' feature paths start from")
  public let targets = RunOption<JSON>(
    "targets", .data, .array([]), in: [.pretraining],
    help:
      "the corpora: [{name, sub_txt_db, vfeat_db, vfeat_interval, splits: [{name, tasks, ratio, train_idx, val_idx}]}]"
  )
  public let targetsRatio = RunOption<[Int]>(
    "targets_ratio", .data, [], in: [.pretraining], .each(atLeast: 0), help: "how often each corpus is drawn")
  public let featureVersion = RunOption<String>(
    "vfeat_version", .data, "resnet_slowfast", help: "first part of a feature store's name")
  public let frameInterval = RunOption<Double>(
    "vfeat_interval", .data, 1.5, .seconds, help: "seconds per frame, second part of a feature store's name")
  public let compressed = RunOption<Bool>(
    "compressed_db", .data, false, help: "read the feature store whose name ends in _compressed")
  public let subtitleContext = RunOption<Int>(
    "sub_ctx_len", .data, 0, except: [.captioning: 1], .atLeast(0),
    help: "earlier subtitles joined to each subtitle")
  public let maxClipLength = RunOption<Int>(
    "max_clip_len", .data, 100, .atLeast(1), help: "frames kept of a video")
  public let maxTextLength = RunOption<Int>(
    "max_txt_len", .data, 60, .atLeast(1, or: -1),
    help: "tokens of a query; longer ones are left out of training")
  public let queriesPerVideo = RunOption<Int>(
    "queries_per_video", .data, 1, in: .retrieval, .atLeast(1),
    help: "queries that share one encoding of their video; train_batch_size then counts videos")
  public let maxCaptionsPerVideo = RunOption<Int>(
    "max_cap_per_vid", .data, -1, in: [.captioning], .atLeast(1, or: -1),
    help: "captions of a video per epoch, -1 for all")

  // MARK: Model

  public let modelConfiguration = RunOption<String?>(
    "model_config", .model, nil, help: "JSON file with f_config, c_config, q_config or d_config")
  public let checkpoint = RunOption<String?>(
    "checkpoint", .model, nil,
    help: "weights to start from: .pt, .bin, .safetensors or a folder with them; none: random"
  )
  public let skipsLayers = RunOption<Bool>(
    "skip_layer_loading", .model, false,
    help: "where checkpoint is a RoBERTa: of its 12 layers take every second"
  )

  // MARK: Training

  public let outputDirectory = RunOption<String?>(
    "output_dir", .training, nil, help: "folder of the run; must not hold another run")
  public let trainBatchSize = RunOption<Int>(
    "train_batch_size", .training, 16, .atLeast(1), help: "items per batch, of each process")
  public let valBatchSize = RunOption<Int>(
    "val_batch_size", .training, 20, .atLeast(1), help: "items per batch in validation")
  public let accumulationSteps = RunOption<Int>(
    "gradient_accumulation_steps", .training, 16, .atLeast(1),
    help: "batches per update; their gradients are summed")
  public let learningRate = RunOption<Double>(
    "learning_rate", .training, 3e-5, .notNegative, help: "peak learning rate")
  public let topLearningRateFactor = RunOption<Double>(
    "lr_mul", .training, 1, in: [.questionAnswering, .inference, .captioning], isOfOneTask: true,
    .notNegative,
    help: "factor for parameters outside v_encoder")
  public let validSteps = RunOption<Int>(
    "valid_steps", .training, 1000, .atLeast(1), help: "updates between validations, each with a checkpoint")
  public let saveSteps = RunOption<Int>(
    "save_steps", .training, 500, .atLeast(1), help: "updates between states that --resume goes on from")
  public let keptCheckpoints = RunOption<Int>(
    "keep", .training, -1, .atLeast(1, or: -1),
    help: "checkpoints to keep, the newest, and the best always; -1 for all")
  public let trainSteps = RunOption<Int>(
    "num_train_steps", .training, 100_000, .atLeast(0), help: "updates in all; 0 only validates")
  public let optimizer = RunOption<OptimizerKind>(
    "optim", .training, .adam, except: [.captioning: .adamw], help: "optimiser: adam, adamax or adamw")
  public let betas = RunOption<[Double]>(
    "betas", .training, [0.9, 0.98], .pairBelowOne, help: "decay of the two moments")
  public let dropout = RunOption<Double>(
    "dropout", .training, 0.1, .probabilityBelowOne,
    help: "probability, in place of the model configuration's")
  public let weightDecay = RunOption<Double>(
    "weight_decay", .training, 0, except: [.captioning: 0.01], .notNegative,
    help: "decay, but of biases and layer norms")
  public let gradientNorm = RunOption<Double>(
    "grad_norm", .training, 0.25, except: [.captioning: 2], .positiveOrMinusOne,
    help: "norm that gradients are clipped to, -1 for no clipping")
  public let warmupSteps = RunOption<Int>(
    "warmup_steps", .training, 4000, .atLeast(0), help: "updates of linear warm-up")
  public let seed = RunOption<Int>(
    "seed", .training, 42, .atLeast(0), help: "of weights, shuffling, dropout and masks")

  // MARK: Losses

  public let maskProbability = RunOption<Double>(
    "mask_prob", .losses, 0.15, in: [.pretraining], .probability, help: "share of tokens and frames to mask")
  public let nceTemperature = RunOption<Double>(
    "nce_temp", .losses, 1, in: [.pretraining], .positive, help: "temperature of mfm-nce")
  public let negativeQueryWeight = RunOption<Double>(
    "lw_neg_q", .losses, 0, in: .ranking, .notNegative, help: "weight of the loss over negative queries")
  public let negativeVideoWeight = RunOption<Double>(
    "lw_neg_ctx", .losses, 0, in: .ranking, .notNegative, help: "weight of the loss over negative videos")
  public let spanWeight = RunOption<Double>(
    "lw_st_ed", .losses, 1, in: [.momentRetrieval, .pretraining, .questionAnswering], .notNegative,
    help: "weight of the start and end loss")
  public let questionSpanWeight = RunOption<Double?>(
    "qa_lw_st_ed", .losses, nil, in: [.multitask],
    help: "lw_st_ed of question answering, where that of retrieval is another")
  public let rankingLoss = RunOption<RankingKind>(
    "ranking_loss_type", .losses, .hinge, in: .ranking, help: "hinge, or lse, its smooth form")
  public let margin = RunOption<Double>(
    "margin", .losses, 0.1, in: .ranking, .notNegative, help: "of the hinge")
  public let usesAllNegatives = RunOption<Bool>(
    "use_all_neg", .losses, false, in: .ranking, help: "rank against all negatives, not one at random")
  public let hardPoolSizes = RunOption<[Int]>(
    "hard_pool_size", .losses, [20], in: .ranking, .each(atLeast: 1),
    help: "how many negatives are hard, per stage")
  public let hardNegativeWeights = RunOption<[Double]>(
    "hard_neg_weights", .losses, [10], in: .ranking, .eachNotNegative, aliases: ["hard_neg_weight"],
    help: "weight of hard negatives, per stage")
  public let hardNegativeStarts = RunOption<[Int]>(
    "hard_negtiave_start_step", .losses, [10_000], in: .ranking, .each(atLeast: -1),
    aliases: ["hard_negative_start_step"],
    help: "update from which each stage of hard negatives holds, -1 for never")
  public let spanStart = RunOption<Int>(
    "train_span_start_step", .losses, -1, in: .spanning, .atLeast(-1),
    help: "update from which spans are learnt, -1 for never")
  public let spanDropProbability = RunOption<Double>(
    "drop_svmr_prob", .losses, 0, in: .spanning, .probability,
    help: "how often a batch goes without the span loss")
  public let labelSmoothing = RunOption<Double>(
    "lsr", .losses, 0.1, in: [.captioning], .probabilityBelowOne, help: "label smoothing")

  // MARK: Validation and evaluation

  public let evaluationQueryBatchSize = RunOption<Int>(
    "vcmr_eval_q_batch_size", .evaluation, 80, in: [.momentRetrieval], .atLeast(1),
    aliases: ["vcmr_eval_batch_size"], help: "queries per batch")
  public let evaluationVideoBatchSize = RunOption<Int>(
    "vcmr_eval_video_batch_size", .evaluation, 40, in: [.momentRetrieval], .atLeast(1),
    help: "videos per batch")
  public let retrievalQueryBatchSize = RunOption<Int>(
    "vr_eval_q_batch_size", .evaluation, 80, in: [.videoRetrieval], .atLeast(1), help: "queries per batch")
  public let retrievalVideoBatchSize = RunOption<Int>(
    "vr_eval_video_batch_size", .evaluation, 40, in: [.videoRetrieval], .atLeast(1), help: "videos per batch")
  public let rankings = RunOption<[RetrievalTask]>(
    "full_eval_tasks", .evaluation, RetrievalTask.allCases, in: [.momentRetrieval], help: "what to report")
  public let reportsQueryTypes = RunOption<Bool>(
    "eval_with_query_type", .evaluation, false, in: [.momentRetrieval],
    help: "report by query type (video, text, both) as well")
  public let spanScoreSharpness = RunOption<Double>(
    "q2c_alpha", .evaluation, 20, in: [.momentRetrieval], .notNegative,
    help: "a video's score s weighs its spans by exp(q2c_alpha·s)")
  public let maxVideosPerMomentQuery = RunOption<Int>(
    "max_vcmr_video", .evaluation, 100, in: [.momentRetrieval], .atLeast(1), help: "best videos to search in")
  public let maxVideosPerQuery = RunOption<Int>(
    "max_vr_video", .evaluation, 100, in: [.videoRetrieval], .atLeast(1), help: "best videos to keep")
  public let maxBeforeSuppression = RunOption<Int>(
    "max_before_nms", .evaluation, 200, in: [.momentRetrieval], .atLeast(1), help: "best moments to find")
  public let maxAfterSuppression = RunOption<Int>(
    "max_after_nms", .evaluation, 100, in: [.momentRetrieval], .atLeast(1), help: "best moments to keep")
  public let suppressionThreshold = RunOption<Double>(
    "nms_thd", .evaluation, 0.5, in: [.momentRetrieval], .thresholdOrMinusOne,
    help: "IoU above which the lower of two moments is dropped, -1 for never")
  public let minSpanLength = RunOption<Int>(
    "min_pred_l", .evaluation, 2, in: [.momentRetrieval], .atLeast(0), help: "least frames from start to end")
  public let maxSpanLength = RunOption<Int>(
    "max_pred_l", .evaluation, 16, in: [.momentRetrieval], .atLeast(1),
    help: "frames from start to end stay below this")
  public let maxGenerationSteps = RunOption<Int>(
    "max_gen_step", .evaluation, 30, in: [.captioning], .atLeast(1), help: "longest caption, in tokens")

  // MARK: Accepted without effect

  public let loadsPartially = RunOption<Bool>(
    "load_partial_pretrained", .ignored, false,
    help: "a RoBERTa is known by its names, and what fits of any checkpoint is taken")
  public let distributedEvaluation = RunOption<Bool>(
    "distributed_eval", .ignored, false, in: .retrieval,
    help: "processes that mpirun starts always share an evaluation")
  public let halfPrecision = RunOption<Bool>(
    "fp16", .ignored, false, help: "half precision is bf16 here, which --precision bf16 gives")
  public let workers = RunOption<Int>(
    "n_workers", .ignored, 4, .atLeast(0), help: "loading shares the program's own threads")
  public let pinsMemory = RunOption<Bool>("pin_mem", .ignored, false, help: "there is nothing to pin")
  public let noHalfPrecision = RunOption<Bool>(
    "no_fp16", .ignored, false, help: "half precision is bf16 here, which --precision bf16 gives")
  public let noPinnedMemory = RunOption<Bool>(
    "no_pin_mem", .ignored, false, help: "there is nothing to pin")
  public let rank = RunOption<Int>("rank", .ignored, 0, help: "mpirun numbers the processes")
  public let localRank = RunOption<Int>(
    "local_rank", .ignored, -1, help: "mpirun also says a process's place on its machine")
  public let nodes = RunOption<Int>("nodes", .ignored, 1, help: "mpirun --host names the machines")
  public let processes = RunOption<Int>(
    "n_gpu", .ignored, 1, help: "each process that mpirun -n starts takes a GPU of its own")

  public init() {}

  /// The one table.
  public static let shared = RunOptions()
  /// All options, in the table's order.
  public static let all: [any AnyRunOption] =
    Mirror(reflecting: shared).children.compactMap { $0.value as? any AnyRunOption }
  private static let byName: [String: any AnyRunOption] = Dictionary(
    all.flatMap { option in ([option.name] + option.aliases).map { ($0, option) } },
    uniquingKeysWith: { first, _ in first })

  /// The option with this key or alias.
  public static func named(_ name: String) -> (any AnyRunOption)? { byName[name] }

  /// The options that a family uses.
  public static func used(by family: TaskFamily) -> [any AnyRunOption] {
    all.filter { $0.families.contains(family) }
  }
}
