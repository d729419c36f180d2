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

  /// `task`: a name of ``RunTask``; nil asks the command for one.
  public let task = RunOption<RunTask?>(
    "task", .data, nil, in: .finetuning,
    help: "what to train for: " + RunTask.finetuning.map(\.rawValue).joined(separator: ", "))
  /// `train_query_txt_db`: a store that `hero create-txtdb` makes from the training annotation.
  public let trainQueries = RunOption<String?>(
    "train_query_txt_db", .data, nil, in: .querying, isOfOneTask: true, help: "query store to train on")
  /// `val_query_txt_db`: its figures decide which checkpoint is best.
  public let valQueries = RunOption<String?>(
    "val_query_txt_db", .data, nil, in: .querying, isOfOneTask: true, help: "query store to validate on")
  /// `test_query_txt_db`: reported, but never used to choose a checkpoint.
  public let testQueries = RunOption<String?>(
    "test_query_txt_db", .data, nil, in: .querying, isOfOneTask: true,
    help: "query store to report on at every validation")
  /// `train_db`: the reference's one path, or several stores that are read as one.
  public let trainCaptions = RunOption<PathList>(
    "train_db", .data, PathList(), in: [.captioning], isOfOneTask: true,
    help: "caption store to train on, or several as one")
  /// `val_db`: the clips or videos to caption at every validation.
  public let valCaptions = RunOption<String?>(
    "val_db", .data, nil, in: [.captioning], isOfOneTask: true, help: "caption store to validate on")
  /// `val_ref`: the reference captions that BLEU@4, METEOR, ROUGE-L and CIDEr-D compare with.
  public let valReferences = RunOption<String?>(
    "val_ref", .data, nil, in: [.captioning], isOfOneTask: true,
    help: "TVC's JSON lines with the reference captions of val_db")
  /// `test_db`: captioned and reported like `val_db`, but never used to choose a checkpoint.
  public let testCaptions = RunOption<String?>(
    "test_db", .data, nil, in: [.captioning], isOfOneTask: true,
    help: "caption store to report on at every validation")
  /// `tokenizer`: turns generated tokens into text.
  public let tokenizer = RunOption<String?>(
    "tokenizer", .data, nil, in: [.captioning],
    help:
      "folder of the tokenizer that writes captions; by default the one that the caption store's meta.json names"
  )
  /// `sub_txt_db`: the subtitles of every video of the task.
  public let subtitles = RunOption<String?>(
    "sub_txt_db", .data, nil, in: .finetuning, isOfOneTask: true, help: "subtitle store")
  /// `val_split`: the candidates of retrieval are this split's videos.
  public let valSplit = RunOption<String?>(
    "val_split", .data, nil, in: .retrieval, isOfOneTask: true,
    help: "split of vid2dur_idx.json that val_query_txt_db is about; by default the one with its videos")
  /// `test_split`: as `val_split`, for `test_query_txt_db`.
  public let testSplit = RunOption<String?>(
    "test_split", .data, nil, in: .retrieval, isOfOneTask: true,
    help: "split of vid2dur_idx.json that test_query_txt_db is about; by default the one with its videos")
  /// `vfeat_db`: holds a store per feature version and interval.
  public let videos = RunOption<String?>(
    "vfeat_db", .data, nil, in: .finetuning, isOfOneTask: true, help: "folder of the feature stores")
  /// `channels`: contradicting a channel in the task's name is an error.
  public let channels = RunOption<VideoChannels?>(
    "channels", .data, nil, in: .finetuning, isOfOneTask: true,
    help: "what is read of a video: both, video or subtitles; by default what the task's name says, else both"
  )
  /// `train_datasets`: VALUE's key, with one entry per task of a multitask run.
  public let trainDatasets = RunOption<JSON>(
    "train_datasets", .data, .array([]), in: [.multitask],
    help:
      "the tasks: [{task, name, sub_txt_db, vfeat_db, query_txt_db or cap_txt_db, batch_size, ratio}], as VALUE has them"
  )
  /// `val_datasets`: VALUE's key, with one entry per store to measure on.
  public let valDatasets = RunOption<JSON>(
    "val_datasets", .data, .array([]), in: [.multitask],
    help: "what is measured of them: [{task, name, query_txt_db or gt_anno, batch_size}]")
  /// `txt_db`: a prefix for relative paths of `targets`.
  public let textRoot = RunOption<String?>(
    "txt_db", .data, nil, in: [.pretraining], help: "folder that the targets' text paths start from")
  /// `img_db`: a prefix for relative feature paths of `targets`.
  public let videoRoot = RunOption<String?>(
    "img_db", .data, nil, in: [.pretraining], help: "folder that the targets' feature paths start from")
  /// `targets`: parsed by ``RunConfiguration/pretrainingTargets(warn:)``.
  public let targets = RunOption<JSON>(
    "targets", .data, .array([]), in: [.pretraining],
    help:
      "the corpora: [{name, sub_txt_db, vfeat_db, vfeat_interval, splits: [{name, tasks, ratio, train_idx, val_idx}]}]"
  )
  /// `targets_ratio`: one whole number per target, in the order of `targets`.
  public let targetsRatio = RunOption<[Int]>(
    "targets_ratio", .data, [], in: [.pretraining], .each(atLeast: 0), help: "how often each corpus is drawn")
  /// `vfeat_version`: forms the store's name with `vfeat_interval`, such as `resnet_slowfast_1.5`.
  public let featureVersion = RunOption<String>(
    "vfeat_version", .data, "resnet_slowfast", help: "first part of a feature store's name")
  /// `vfeat_interval`: must equal the interval that the features were computed with.
  public let frameInterval = RunOption<Double>(
    "vfeat_interval", .data, 1.5, .seconds, help: "seconds per frame, second part of a feature store's name")
  /// `compressed_db`: appends `_compressed` to the store's name.
  public let compressed = RunOption<Bool>(
    "compressed_db", .data, false, help: "read the feature store whose name ends in _compressed")
  /// `sub_ctx_len`: each subtitle's sentence follows this many earlier ones.
  public let subtitleContext = RunOption<Int>(
    "sub_ctx_len", .data, 0, except: [.captioning: 1], .atLeast(0),
    help: "earlier subtitles joined to each subtitle")
  /// `max_clip_len`: a longer video is cut to its first frames.
  public let maxClipLength = RunOption<Int>(
    "max_clip_len", .data, 100, .atLeast(1), help: "frames kept of a video")
  /// `max_txt_len`: pre-training and captioning cut texts to it; validation leaves none out.
  ///
  /// -1 means no limit.
  public let maxTextLength = RunOption<Int>(
    "max_txt_len", .data, 60, .atLeast(1, or: -1),
    help: "tokens of a query; longer ones are left out of training")
  /// `queries_per_video`: this program's own key; 1 does what the reference does.
  public let queriesPerVideo = RunOption<Int>(
    "queries_per_video", .data, 1, in: .retrieval, .atLeast(1),
    help: "queries that share one encoding of their video; train_batch_size then counts videos")
  /// `max_cap_per_vid`: a video with more captions draws new ones in each epoch.
  public let maxCaptionsPerVideo = RunOption<Int>(
    "max_cap_per_vid", .data, -1, in: [.captioning], .atLeast(1, or: -1),
    help: "captions of a video per epoch, -1 for all")

  // MARK: Model

  /// `model_config`: the shape of the model; nil takes that of a checkpoint folder in the Hub's
  /// layout.
  public let modelConfiguration = RunOption<String?>(
    "model_config", .model, nil, help: "JSON file with f_config, c_config, q_config or d_config")
  /// `checkpoint`: the log lists what the run takes from it.
  public let checkpoint = RunOption<String?>(
    "checkpoint", .model, nil,
    help: "weights to start from: .pt, .bin, .safetensors or a folder with them; none: random"
  )
  /// `skip_layer_loading`: has no effect on a HERO checkpoint, whose layers are all taken.
  public let skipsLayers = RunOption<Bool>(
    "skip_layer_loading", .model, false,
    help: "where checkpoint is a RoBERTa: of its 12 layers take every second"
  )

  // MARK: Training

  /// `output_dir`: the path of a ``RunFolder``.
  public let outputDirectory = RunOption<String?>(
    "output_dir", .training, nil, help: "folder of the run; must not hold another run")
  /// `train_batch_size`: per process, never divided among processes.
  public let trainBatchSize = RunOption<Int>(
    "train_batch_size", .training, 16, .atLeast(1), help: "items per batch, of each process")
  /// `val_batch_size`: affects only the loss in retrieval, whose ranking has sizes of its own.
  public let valBatchSize = RunOption<Int>(
    "val_batch_size", .training, 20, .atLeast(1), help: "items per batch in validation")
  /// `gradient_accumulation_steps`: gradients are summed, not averaged, as in the reference.
  public let accumulationSteps = RunOption<Int>(
    "gradient_accumulation_steps", .training, 16, .atLeast(1),
    help: "batches per update; their gradients are summed")
  /// `learning_rate`: reached at the end of warm-up.
  public let learningRate = RunOption<Double>(
    "learning_rate", .training, 3e-5, .notNegative, help: "peak learning rate")
  /// `lr_mul`: multiplies the rate of the parameters outside the pre-trained encoder.
  public let topLearningRateFactor = RunOption<Double>(
    "lr_mul", .training, 1, in: [.questionAnswering, .inference, .captioning], isOfOneTask: true,
    .notNegative,
    help: "factor for parameters outside v_encoder")
  /// `valid_steps`: counted in updates, not batches.
  public let validSteps = RunOption<Int>(
    "valid_steps", .training, 1000, .atLeast(1), help: "updates between validations, each with a checkpoint")
  /// `save_steps`: the two newest states are kept.
  public let saveSteps = RunOption<Int>(
    "save_steps", .training, 500, .atLeast(1), help: "updates between states that --resume goes on from")
  /// `keep`: this program's own key; prunes only `.safetensors` checkpoints.
  public let keptCheckpoints = RunOption<Int>(
    "keep", .training, -1, .atLeast(1, or: -1),
    help: "checkpoints to keep, the newest, and the best always; -1 for all")
  /// `num_train_steps`: the end of the learning rate's linear decay.
  public let trainSteps = RunOption<Int>(
    "num_train_steps", .training, 100_000, .atLeast(0), help: "updates in all; 0 only validates")
  /// `optim`: `adamw` follows Docs/Computation.md §4; `adam` and `adamax` follow PyTorch.
  public let optimizer = RunOption<OptimizerKind>(
    "optim", .training, .adam, except: [.captioning: .adamw], help: "optimiser: adam, adamax or adamw")
  /// `betas`: β₁ of the first moment and β₂ of the second.
  public let betas = RunOption<[Double]>(
    "betas", .training, [0.9, 0.98], .pairBelowOne, help: "decay of the two moments")
  /// `moments_precision`: this program's own key; weights and gradients stay float32.
  public let momentsPrecision = RunOption<MomentsPrecision>(
    "moments_precision", .training, .fp32,
    help: "what the optimiser keeps its two moments in: fp32, or bf16 in half the memory")
  /// `dropout`: overrides every dropout probability of the model configuration.
  public let dropout = RunOption<Double>(
    "dropout", .training, 0.1, .probabilityBelowOne,
    help: "probability, in place of the model configuration's")
  /// `weight_decay`: decays the weights with `adamw`; joins the gradient with `adam` and `adamax`.
  public let weightDecay = RunOption<Double>(
    "weight_decay", .training, 0, except: [.captioning: 0.01], .notNegative,
    help: "decay, but of biases and layer norms")
  /// `grad_norm`: the limit of the Euclidean norm over all parameters.
  public let gradientNorm = RunOption<Double>(
    "grad_norm", .training, 0.25, except: [.captioning: 2], .positiveOrMinusOne,
    help: "norm that gradients are clipped to, -1 for no clipping")
  /// `warmup_steps`: the rate grows from 0 to `learning_rate` during these updates.
  public let warmupSteps = RunOption<Int>(
    "warmup_steps", .training, 4000, .atLeast(0), help: "updates of linear warm-up")
  /// `seed`: the seed and the update's number determine every random number.
  public let seed = RunOption<Int>(
    "seed", .training, 42, .atLeast(0), help: "of weights, shuffling, dropout and masks")

  // MARK: Losses

  /// `mask_prob`: the share of words masked, of frames masked and of frames moved.
  public let maskProbability = RunOption<Double>(
    "mask_prob", .losses, 0.15, in: [.pretraining], .probability, help: "share of tokens and frames to mask")
  /// `nce_temp`: divides the products of features in MFM-NCE.
  public let nceTemperature = RunOption<Double>(
    "nce_temp", .losses, 1, in: [.pretraining], .positive, help: "temperature of mfm-nce")
  /// `lw_neg_q`: λ of the ranking term that compares a video with other queries.
  public let negativeQueryWeight = RunOption<Double>(
    "lw_neg_q", .losses, 0, in: .ranking, .notNegative, help: "weight of the loss over negative queries")
  /// `lw_neg_ctx`: λ of the ranking term that compares a query with other videos.
  public let negativeVideoWeight = RunOption<Double>(
    "lw_neg_ctx", .losses, 0, in: .ranking, .notNegative, help: "weight of the loss over negative videos")
  /// `lw_st_ed`: λ of the cross-entropy of start and end frames.
  public let spanWeight = RunOption<Double>(
    "lw_st_ed", .losses, 1, in: [.momentRetrieval, .pretraining, .questionAnswering], .notNegative,
    help: "weight of the start and end loss")
  /// `qa_lw_st_ed`: nil takes `lw_st_ed`.
  public let questionSpanWeight = RunOption<Double?>(
    "qa_lw_st_ed", .losses, nil, in: [.multitask],
    help: "lw_st_ed of question answering, where that of retrieval is another")
  /// `ranking_loss_type`: hinge is max(0, m + n − p), lse is log(1 + exp(n − p)), for a negative's
  /// score n and the positive's score p.
  public let rankingLoss = RunOption<RankingKind>(
    "ranking_loss_type", .losses, .hinge, in: .ranking, help: "hinge, or lse, its smooth form")
  /// `margin`: m of the hinge loss.
  public let margin = RunOption<Double>(
    "margin", .losses, 0.1, in: .ranking, .notNegative, help: "of the hinge")
  /// `use_all_neg`: the loss covers every negative of the batch, not one that is drawn.
  public let usesAllNegatives = RunOption<Bool>(
    "use_all_neg", .losses, false, in: .ranking, help: "rank against all negatives, not one at random")
  /// `hard_pool_size`: this many of the batch's highest-scored negatives are hard.
  public let hardPoolSizes = RunOption<[Int]>(
    "hard_pool_size", .losses, [20], in: .ranking, .each(atLeast: 1),
    help: "how many negatives are hard, per stage")
  /// `hard_neg_weights`: read only with `use_all_neg`; otherwise hard negatives are drawn, not
  /// weighed.
  public let hardNegativeWeights = RunOption<[Double]>(
    "hard_neg_weights", .losses, [10], in: .ranking, .eachNotNegative, aliases: ["hard_neg_weight"],
    help: "weight of hard negatives, per stage")
  /// `hard_negtiave_start_step`: the reference's spelling; the correct one is an alias.
  public let hardNegativeStarts = RunOption<[Int]>(
    "hard_negtiave_start_step", .losses, [10_000], in: .ranking, .each(atLeast: -1),
    aliases: ["hard_negative_start_step"],
    help: "update from which each stage of hard negatives holds, -1 for never")
  /// `train_span_start_step`: before it, the span loss has weight 0.
  public let spanStart = RunOption<Int>(
    "train_span_start_step", .losses, -1, in: .spanning, .atLeast(-1),
    help: "update from which spans are learnt, -1 for never")
  /// `drop_svmr_prob`: drawn once a batch.
  public let spanDropProbability = RunOption<Double>(
    "drop_svmr_prob", .losses, 0, in: .spanning, .probability,
    help: "how often a batch goes without the span loss")
  /// `lsr`: ε of the label smoothing over the vocabulary.
  public let labelSmoothing = RunOption<Double>(
    "lsr", .losses, 0.1, in: [.captioning], .probabilityBelowOne, help: "label smoothing")

  // MARK: Validation and evaluation

  /// `vcmr_eval_q_batch_size`: affects memory, but no figure.
  public let evaluationQueryBatchSize = RunOption<Int>(
    "vcmr_eval_q_batch_size", .evaluation, 80, in: [.momentRetrieval], .atLeast(1),
    aliases: ["vcmr_eval_batch_size"], help: "queries per batch")
  /// `vcmr_eval_video_batch_size`: affects memory, but no figure.
  public let evaluationVideoBatchSize = RunOption<Int>(
    "vcmr_eval_video_batch_size", .evaluation, 40, in: [.momentRetrieval], .atLeast(1),
    help: "videos per batch")
  /// `vr_eval_q_batch_size`: affects memory, but no figure.
  public let retrievalQueryBatchSize = RunOption<Int>(
    "vr_eval_q_batch_size", .evaluation, 80, in: [.videoRetrieval], .atLeast(1), help: "queries per batch")
  /// `vr_eval_video_batch_size`: affects memory, but no figure.
  public let retrievalVideoBatchSize = RunOption<Int>(
    "vr_eval_video_batch_size", .evaluation, 40, in: [.videoRetrieval], .atLeast(1), help: "videos per batch")
  /// `full_eval_tasks`: any selection of VCMR, SVMR and VR.
  public let rankings = RunOption<[Ranking]>(
    "full_eval_tasks", .evaluation, Ranking.allCases, in: [.momentRetrieval], help: "what to report")
  /// `eval_with_query_type`: reports figures for each type of query beside those of all queries.
  public let reportsQueryTypes = RunOption<Bool>(
    "eval_with_query_type", .evaluation, false, in: [.momentRetrieval],
    help: "report by query type (video, text, both) as well")
  /// `q2c_alpha`: α of a video's weight exp(α·s).
  public let spanScoreSharpness = RunOption<Double>(
    "q2c_alpha", .evaluation, 20, in: [.momentRetrieval], .notNegative,
    help: "a video's score s weighs its spans by exp(q2c_alpha·s)")
  /// `max_vcmr_video`: moments come only from the query's best videos.
  public let maxVideosPerMomentQuery = RunOption<Int>(
    "max_vcmr_video", .evaluation, 100, in: [.momentRetrieval], .atLeast(1), help: "best videos to search in")
  /// `max_vr_video`: the length of a ranking in the predictions.
  public let maxVideosPerQuery = RunOption<Int>(
    "max_vr_video", .evaluation, 100, in: [.videoRetrieval], .atLeast(1), help: "best videos to keep")
  /// `max_before_nms`: the length of a ranking of moments before non-maximum suppression.
  public let maxBeforeSuppression = RunOption<Int>(
    "max_before_nms", .evaluation, 200, in: [.momentRetrieval], .atLeast(1), help: "best moments to find")
  /// `max_after_nms`: the length of a ranking of moments in the predictions, suppressed or not.
  public let maxAfterSuppression = RunOption<Int>(
    "max_after_nms", .evaluation, 100, in: [.momentRetrieval], .atLeast(1), help: "best moments to keep")
  /// `nms_thd`: non-maximum suppression runs within each video.
  public let suppressionThreshold = RunOption<Double>(
    "nms_thd", .evaluation, 0.5, in: [.momentRetrieval], .thresholdOrMinusOne,
    help: "IoU above which the lower of two moments is dropped, -1 for never")
  /// `min_pred_l`: in frames of `vfeat_interval`, end − start ≥ this.
  public let minSpanLength = RunOption<Int>(
    "min_pred_l", .evaluation, 2, in: [.momentRetrieval], .atLeast(0), help: "least frames from start to end")
  /// `max_pred_l`: in frames of `vfeat_interval`, end − start < this.
  public let maxSpanLength = RunOption<Int>(
    "max_pred_l", .evaluation, 16, in: [.momentRetrieval], .atLeast(1),
    help: "frames from start to end stay below this")
  /// `max_gen_step`: generation stops here or at the end token.
  public let maxGenerationSteps = RunOption<Int>(
    "max_gen_step", .evaluation, 30, in: [.captioning], .atLeast(1), help: "longest caption, in tokens")

  // MARK: Accepted without effect

  /// `load_partial_pretrained`: every checkpoint is matched by the names of its parameters.
  public let loadsPartially = RunOption<Bool>(
    "load_partial_pretrained", .ignored, false,
    help: "a RoBERTa is known by its names, and what fits of any checkpoint is taken")
  /// `distributed_eval`: evaluation is always distributed.
  public let distributedEvaluation = RunOption<Bool>(
    "distributed_eval", .ignored, false, in: .retrieval,
    help: "processes that mpirun starts always share an evaluation")
  /// `fp16`: the precision belongs to the device, not to the run.
  public let halfPrecision = RunOption<Bool>(
    "fp16", .ignored, false, help: "half precision is bf16 here, which --precision bf16 gives")
  /// `n_workers`: batches are prepared ahead in threads, not in processes.
  public let workers = RunOption<Int>(
    "n_workers", .ignored, 4, .atLeast(0), help: "loading shares the program's own threads")
  /// `pin_mem`: a setting of PyTorch's loader.
  public let pinsMemory = RunOption<Bool>("pin_mem", .ignored, false, help: "there is nothing to pin")
  /// `no_fp16`: the negation, which a reference's file may hold.
  public let noHalfPrecision = RunOption<Bool>(
    "no_fp16", .ignored, false, help: "half precision is bf16 here, which --precision bf16 gives")
  /// `no_pin_mem`: the negation, which a reference's file may hold.
  public let noPinnedMemory = RunOption<Bool>(
    "no_pin_mem", .ignored, false, help: "there is nothing to pin")
  /// `rank`: accepted because a reference's `hps.json` may hold it.
  public let rank = RunOption<Int>("rank", .ignored, 0, help: "mpirun numbers the processes")
  /// `local_rank`: accepted because a reference's `hps.json` may hold it.
  public let localRank = RunOption<Int>(
    "local_rank", .ignored, -1, help: "mpirun also says a process's place on its machine")
  /// `nodes`: accepted because a reference's `hps.json` may hold it.
  public let nodes = RunOption<Int>("nodes", .ignored, 1, help: "mpirun --host names the machines")
  /// `n_gpu`: accepted because a reference's `hps.json` may hold it.
  public let processes = RunOption<Int>(
    "n_gpu", .ignored, 1, help: "each process that mpirun -n starts takes a GPU of its own")

  /// Makes every option; use ``shared``.
  public init() {}

  /// The table of all options.
  public static let shared = RunOptions()
  /// All options, in the table's order.
  public static let all: [any AnyRunOption] =
    Mirror(reflecting: shared).children.compactMap { $0.value as? any AnyRunOption }
  private static let byName: [String: any AnyRunOption] = Dictionary(
    all.flatMap { option in ([option.name] + option.aliases).map { ($0, option) } },
    uniquingKeysWith: { first, _ in first })

  /// Returns the option with this key or alias.
  public static func named(_ name: String) -> (any AnyRunOption)? { byName[name] }

  /// Returns the options that a family uses.
  public static func used(by family: TaskFamily) -> [any AnyRunOption] {
    all.filter { $0.families.contains(family) }
  }
}
