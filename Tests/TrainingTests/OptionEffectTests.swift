import Foundation
import Formats
import TestSupport
import Testing

@testable import Training

/// Another value of an option changes a run's weights, predictions, files or tables.
///
/// `OptionUseTests` shows that options are read; these tests show that they have an effect.
struct OptionEffectTests {
  /// The value that an option changes to in the first of `tasks` that has it, with options of both
  /// runs.
  private struct Change {
    var value: JSON
    var also: JSONObject = [:]
    /// Whether the run is refused, for example because a store is missing.
    var isRefused = false
    /// Whether only the division of the work changes, not its result.
    var isPass = false
  }

  private static let tasks: [RunTask] = [
    .tvr, RunTask(rawValue: "msrvtt_video_sub"), .tvqa, .tvc, .pretrain, .multitask,
  ].compactMap { $0 }

  private static let nowhere = Change(value: "/nowhere", isRefused: true)

  private static let changes: [String: Change] = [
    "task": Change(value: "tvqa", isRefused: true), "train_query_txt_db": nowhere,
    "val_query_txt_db": nowhere,
    "test_query_txt_db": nowhere, "train_db": nowhere, "val_db": nowhere, "val_ref": nowhere,
    "test_db": nowhere,
    "tokenizer": nowhere, "sub_txt_db": nowhere, "val_split": Change(value: "test", isRefused: true),
    "test_split": Change(value: "val", isRefused: true), "vfeat_db": nowhere,
    "channels": Change(value: "video"), "train_datasets": Change(value: [], isRefused: true),
    "val_datasets": Change(value: []), "txt_db": nowhere, "img_db": nowhere,
    "targets": Change(value: [], isRefused: true), "targets_ratio": Change(value: [0, 1]),
    "vfeat_version": Change(value: "x", isRefused: true), "vfeat_interval": Change(value: 2, isRefused: true),
    "compressed_db": Change(value: true, isPass: true), "sub_ctx_len": Change(value: 3),
    "max_clip_len": Change(value: 7), "max_txt_len": Change(value: 10), "max_cap_per_vid": Change(value: 1),
    "queries_per_video": Change(value: 2),
    "model_config": nowhere, "checkpoint": nowhere,
    // The tests of loading show its effect on a RoBERTa, OptionUseTests that it is read.
    "skip_layer_loading": Change(value: true, isPass: true), "output_dir": Change(value: "", isRefused: true),
    "train_batch_size": Change(value: 3), "val_batch_size": Change(value: 3, isPass: true),
    "gradient_accumulation_steps": Change(value: 2), "learning_rate": Change(value: 1e-3),
    "lr_mul": Change(value: 5), "valid_steps": Change(value: 1), "save_steps": Change(value: 1),
    "keep": Change(value: -1, also: ["valid_steps": 1, "num_train_steps": 4]),
    "num_train_steps": Change(value: 1),
    "optim": Change(value: "adamax"), "betas": Change(value: [0.5, 0.6]),
    "moments_precision": Change(value: "bf16"), "dropout": Change(value: 0.3),
    "weight_decay": Change(value: 0.5), "grad_norm": Change(value: 0.001), "warmup_steps": Change(value: 2),
    "seed": Change(value: 7), "mask_prob": Change(value: 0.4), "nce_temp": Change(value: 0.3),
    "lw_neg_q": Change(value: 3), "lw_neg_ctx": Change(value: 3), "lw_st_ed": Change(value: 2),
    "qa_lw_st_ed": Change(value: 2), "ranking_loss_type": Change(value: "lse"), "margin": Change(value: 0.5),
    "use_all_neg": Change(value: false), "hard_pool_size": Change(value: [1]),
    "hard_neg_weights": Change(value: [3]), "hard_negtiave_start_step": Change(value: [-1]),
    "train_span_start_step": Change(value: 1), "drop_svmr_prob": Change(value: 0.99),
    "lsr": Change(value: 0.4), "vcmr_eval_q_batch_size": Change(value: 2, isPass: true),
    "vcmr_eval_video_batch_size": Change(value: 2, isPass: true),
    "vr_eval_q_batch_size": Change(value: 2, isPass: true),
    "vr_eval_video_batch_size": Change(value: 2, isPass: true), "full_eval_tasks": Change(value: ["VR"]),
    "eval_with_query_type": Change(value: true), "q2c_alpha": Change(value: 3),
    "max_vcmr_video": Change(value: 1), "max_vr_video": Change(value: 1), "max_before_nms": Change(value: 3),
    "max_after_nms": Change(value: 2), "nms_thd": Change(value: 0.2), "min_pred_l": Change(value: 3),
    "max_pred_l": Change(value: 4), "max_gen_step": Change(value: 2),
  ]

  /// What a run leaves, apart from times and paths.
  ///
  /// These are its files, with the bytes of weights and predictions, and its tables.
  private struct Left: Equatable {
    var files: [String: Data] = [:]
    var tables: [Substring] = []
  }

  private func train(_ task: RunTask, _ options: JSONObject, in run: TinyRun) throws -> Left {
    try? FileManager.default.removeItem(atPath: run.folder.path("run"))
    let (_, said) = try run.train(task, options)
    var left = Left(tables: said.split(separator: "\n").filter { $0.hasPrefix("│") })
    for name in try FileManager.default.subpathsOfDirectory(atPath: run.folder.path("run")).sorted() {
      let isContent = name.contains("model_step") || name.hasPrefix("results/")
      let file = URL(fileURLWithPath: run.folder.path("run/\(name)"))
      if !name.contains("tfevents") {
        left.files[name] = isContent ? (try? Data(contentsOf: file)) ?? Data() : Data()
      }
    }
    return left
  }

  /// Returns a run's options, with two targets for pre-training, and those of `also`.
  private func options(_ task: RunTask, _ run: TinyRun, _ also: JSONObject) throws -> JSONObject {
    var options = try run.options(task)
    if task == .pretrain {
      var other = run.target(["mlm"])
      other["name"] = "other"
      options["targets"] = [run.target(["mlm", "mfm-nce", "mffr", "fom", "vsm"]), other]
      options["targets_ratio"] = [1, 1]
    }
    for (key, value) in also { options[key] = value }
    return options
  }

  @Test func everyOptionIsTried() {
    let names = RunOptions.all.filter { $0.group != .ignored }.map(\.name)
    #expect(Set(names) == Set(Self.changes.keys))
    for name in names { #expect(Self.tasks.contains { has($0, name) }, "\(name)") }
  }

  private func has(_ task: RunTask, _ name: String) -> Bool {
    RunOptions.named(name)?.families.contains(task.family) == true
  }

  @Test(arguments: tasks) func anotherValueChangesWhatIsLeft(task: RunTask) throws {
    let run = try TinyRun()
    var usual: Left?
    for option in RunOptions.used(by: task.family) where option.group != .ignored {
      guard Self.tasks.first(where: { has($0, option.name) }) == task else { continue }
      let change = try #require(Self.changes[option.name])
      var options = try options(task, run, change.also)
      if usual == nil, change.also.isEmpty { usual = try train(task, options, in: run) }
      let before = change.also.isEmpty ? usual : try train(task, options, in: run)
      options[option.name] = change.value
      if change.isRefused {
        #expect(throws: (any Error).self, "\(option.name)") { try train(task, options, in: run) }
      } else {
        let after = try train(task, options, in: run)
        if change.isPass {
          #expect(after.files.keys == before?.files.keys, "\(option.name)")
        } else {
          #expect(after != before, "\(option.name) changes nothing")
        }
      }
    }
  }
}
