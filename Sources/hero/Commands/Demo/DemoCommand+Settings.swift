import Formats
import Training

extension DemoCommand {
  /// Returns the model's configuration: 128 wide, with 2 + 2 layers.
  func modelConfiguration() throws -> JSON {
    let vocabulary = try JSON.read(path: "\(output)/corpus/tokenizer/vocab.json").object?.count ?? 0
    let part: JSONObject = [
      "attention_probs_dropout_prob": 0.1, "hidden_act": "gelu", "hidden_dropout_prob": 0.1,
      "hidden_size": 128,
      "initializer_range": 0.02, "intermediate_size": 512, "num_attention_heads": 4,
      "max_position_embeddings": 514, "num_hidden_layers": 2, "type_vocab_size": 2,
    ]
    var (cross, query) = (part, part)
    cross["vocab_size"] = .int(vocabulary)
    query["num_hidden_layers"] = 0
    return [
      "f_config": .object(cross), "c_config": .object(part), "q_config": .object(query),
      "d_config": .object(part),
    ]
  }

  func configuration(of training: DemoTraining) -> JSON {
    let task = training.task
    let stores = "\(output)/txt_db/\(task.demo.rawValue)"
    var object = common(training)
    object["task"] = .string(task.rawValue)
    object["sub_txt_db"] = task.channels == .video ? .null : .string("\(output)/txt_db/tv_subtitles.db")
    object["vfeat_db"] = .string("\(output)/video_db/tv")
    let isCaptioning = task.family == .captioning
    object[isCaptioning ? "train_db" : "train_query_txt_db"] = .string(
      "\(output)/txt_db/\(training.training).db")
    object[isCaptioning ? "val_db" : "val_query_txt_db"] = .string(stores + "_val.db")
    switch task.family {
    case .momentRetrieval:
      for (key, value) in ranking { object[key] = value }
      object["nms_thd"] = -1
    case .videoRetrieval:
      for (key, value) in ranking { object[key] = value }
      for key in ["lw_st_ed", "train_span_start_step"] { object[key] = nil }
    case .captioning:
      object["max_cap_per_vid"] = 4
      object["lsr"] = 0.1
    default:
      object["max_txt_len"] = 120
      if task.family == .questionAnswering { object["lw_st_ed"] = 0.4 }
    }
    return .object(object)
  }

  func pretrainingConfiguration(_ training: DemoTraining) -> JSON {
    var object = common(training)
    for (key, value) in ranking { object[key] = value }
    object["targets"] = [
      [
        "name": "tv", "sub_txt_db": .string("\(output)/txt_db/tv_subtitles.db"),
        "vfeat_db": .string("\(output)/video_db/tv"), "vfeat_interval": 1.5,
        "splits": [
          [
            "name": "all", "tasks": ["mlm", "mfm-nce", "mffr", "fom", "vsm"], "ratio": [1, 1, 1, 1, 4],
            "train_idx": [.string("\(output)/corpus/pretrain_splits/tv_train.json")],
            "val_idx": .string("\(output)/corpus/pretrain_splits/tv_val.json"),
          ]
        ],
      ]
    ]
    return .object(object)
  }

  private func common(_ training: DemoTraining) -> JSONObject {
    let updates = JSON.int(training.updates)
    let batch =
      switch training.task.family {
      case .pretraining: 16
      case .questionAnswering: 12
      default: 32
      }
    return [
      "model_config": .string("\(output)/model.json"),
      "output_dir": .string("\(output)/runs/\(training.name)"),
      "gradient_accumulation_steps": 1, "learning_rate": .double(training.learningRate),
      "warmup_steps": .int(training.warmup), "num_train_steps": updates, "valid_steps": updates,
      "save_steps": updates, "optim": "adamw", "weight_decay": 0.01, "grad_norm": 1.0, "dropout": 0.1,
      "train_batch_size": .int(batch), "val_batch_size": 40, "seed": .int(seed),
    ]
  }

  private var ranking: JSONObject {
    [
      "lw_neg_ctx": 8, "lw_neg_q": 8, "lw_st_ed": 0.1, "train_span_start_step": 0,
      "hard_negtiave_start_step": [-1],
      "use_all_neg": true,
    ]
  }
}
