import ArgumentParser
import Demo
import Engine
import Formats
import Foundation
import Training

/// `hero demo`: the whole way, from annotations to metrics, on a corpus made on the spot.
struct DemoCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "demo",
    abstract: "Make a small corpus, train on it and show what was learnt.",
    discussion: """
      Shows every command that it runs; each can be repeated by hand. The corpus is synthetic: people do things with \
      objects at places and talk, features are random codes of what a frame shows, and test videos combine what \
      training videos show apart.
      """)

  @Option(help: ArgumentHelp("Folder to make.", valueName: "folder"))
  var output = "demo"

  @Option(parsing: .upToNextOption, help: "What to train, in this order: tvr, tvc, tvqa, violin.")
  var tasks: [RunTask] = [.tvr, .tvc, .tvqa]

  func run() throws {
    let known: [RunTask] = [.tvr, .tvc, .tvqa, .violin]
    guard !tasks.isEmpty, tasks.allSatisfy(known.contains) else {
      throw UsageError("--tasks takes " + known.map(\.rawValue).joined(separator: ", "))
    }
    InterruptHandler.install()
    let console = Console.standardError
    let corpus = try makeDemoCorpus(at: "\(output)/corpus", say: console.print)
    try makeStores()
    try AtomicFile.write(
      try modelConfiguration().encoded(style: .pretty), to: "\(output)/model.json")
    var learnt = MetricsTable(
      title: "what was learnt, on test videos never trained on", headings: ["", "chance", "hero"])
    for task in tasks {
      try AtomicFile.write(
        configuration(of: task).encoded(style: .pretty), to: "\(output)/\(task.rawValue).json")
      try hero(["finetune", "--config", "\(output)/\(task.rawValue).json"] + start(of: task))
      try report(task, corpus, &learnt)
    }
    print(learnt.rendered())
  }

  /// Questions and statements begin from the captioner, if it was trained before: it knows what words look like.
  private func start(of task: RunTask) -> [String] {
    let captioner = "\(output)/runs/tvc/ckpt/model_step_\(Self.updates).safetensors"
    guard task.family == .questionAnswering || task.family == .inference,
      FileManager.default.fileExists(atPath: captioner)
    else { return [] }
    return ["--checkpoint", captioner]
  }

  /// Updates of every training.
  private static let updates = 500

  // MARK: Commands

  /// Shows and runs one command of this program.
  private func hero(_ arguments: [String]) throws {
    Console.standardError.print("\n$ hero \(arguments.joined(separator: " "))")
    let status = Program.run(arguments: arguments)
    guard status == 0 else { throw ExitCode(status) }
  }

  private func makeStores() throws {
    let annotations = "\(output)/corpus/ann"
    let tokenizer = "\(output)/corpus/tokenizer"
    let store = { (name: String) in ["--output", "\(output)/txt_db/\(name).db", "--tokenizer", tokenizer] }
    try hero(
      ["create-txtdb", "--task", "subtitles", "--annotation", "\(annotations)/tv_subtitles.jsonl"]
        + store("tv_subtitles")
        + ["--vid2nframe", "\(annotations)/tv_vid2nframe.json", "--frame-length", "1.5"]
        + ["--vid2dur-idx", "\(annotations)/vid2dur_idx.json"])
    for task in tasks {
      for split in ["train", "val", "test"] {
        let name = "\(task.rawValue)_\(split)"
        var arguments = [
          "create-txtdb", "--task", task.rawValue, "--annotation", "\(annotations)/\(name).jsonl",
        ]
        arguments += store(name)
        if task == .tvc { arguments += ["--subtitles", "\(annotations)/tv_subtitles.jsonl"] }
        try hero(arguments)
      }
    }
    try hero([
      "convert-videodb", "--feature-dir", "\(output)/corpus/features", "--output", "\(output)/video_db",
      "--dataset", "tv", "--frame-length", "1.5",
    ])
  }

  /// Measures the last checkpoint on the test videos.
  private func report(_ task: RunTask, _ corpus: DemoCorpus, _ learnt: inout MetricsTable) throws {
    let run = "\(output)/runs/\(task.rawValue)"
    guard task != .tvc else { return try reportCaptions(run, &learnt) }
    Console.standardError.print(
      "\n$ hero eval --split test --query-txt-db \(output)/txt_db/\(task.rawValue)_test.db --output-dir \(run)"
    )
    let outcome = try EvaluationRun(path: run, task: task, arguments: [], log: RunLog()).run(
      checkpoint: "latest", split: "test", queries: "\(output)/txt_db/\(task.rawValue)_test.db",
      backend: try CPUBackend())
    if let table = outcome.table { print(table.rendered()) }
    let chance = DemoTask(rawValue: task.rawValue).map { corpus.chance(of: $0) } ?? [:]
    let figures = Dictionary(outcome.scalars.map { ($0.name, $0.value) }) { first, _ in first }
    if task == .tvr {
      for (label, name) in [
        ("moment among all videos, R@1 at IoU 0.5, %", "VCMR_0.5-r1"),
        ("moment in its video, R@1 at IoU 0.5, %", "SVMR_0.5-r1"), ("video, R@1, %", "VR_r1"),
      ] {
        let key = "valid_test_\(name.prefix { $0 != "_" })/\(name)"
        learnt.add(label, [chance[name], figures[key]])
      }
    } else {
      let label = task == .tvqa ? "questions answered, %" : "statements judged, %"
      let accuracy = outcome.scalars.first { $0.name.hasSuffix("acc") }?.value
      learnt.add(label, [chance["acc"], accuracy.map { 100 * $0 }])
    }
  }

  private func reportCaptions(_ run: String, _ learnt: inout MetricsTable) throws {
    let (clips, captions) = ("\(output)/corpus/ann/tvc_test.jsonl", "\(output)/captions.jsonl")
    Console.standardError.print(
      "\n$ hero caption --model-dir \(run) --ckpt-step latest --target-clip \(clips) --output \(captions) --score"
    )
    let (written, rows) = try CaptionRun(path: run, arguments: [], log: RunLog()).caption(
      folder: run, checkpoint: "latest", clips: clips, output: captions, tokenizer: nil,
      CaptionRun.DecodingChoice(), backend: try CPUBackend())
    let scores = try CaptionRun.score(written, references: rows, meteor: nil)
    print(CaptionRun.table(scores, title: "captions of test clips").rendered())
    for (caption, clip) in zip(written, rows).prefix(3) {
      print("  \(caption.captions[0])\n    people wrote: \(clip.captions.first ?? "")")
    }
    for (name, value) in scores.corpus where name == "CIDEr" || name == "Bleu_4" {
      learnt.add("captions, \(name)", [nil, value])
    }
  }

  // MARK: Settings

  /// 128 wide, 2 + 2 layers.
  private func modelConfiguration() throws -> JSON {
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

  private func configuration(of task: RunTask) -> JSON {
    let stores = "\(output)/txt_db/\(task.rawValue)"
    let updates = Self.updates
    var object: JSONObject = [
      "task": .string(task.rawValue), "sub_txt_db": .string("\(output)/txt_db/tv_subtitles.db"),
      "vfeat_db": .string("\(output)/video_db/tv"), "model_config": .string("\(output)/model.json"),
      "output_dir": .string("\(output)/runs/\(task.rawValue)"), "gradient_accumulation_steps": 1,
      "learning_rate": 0.001, "warmup_steps": 40, "num_train_steps": .int(updates),
      "valid_steps": .int(updates),
      "save_steps": .int(updates), "optim": "adamw", "weight_decay": 0.01, "grad_norm": 1.0, "dropout": 0.1,
      "train_batch_size": .int(task == .tvqa ? 12 : 32), "val_batch_size": 40, "seed": 1,
    ]
    switch task {
    case .tvr:
      object["train_query_txt_db"] = .string(stores + "_train.db")
      object["val_query_txt_db"] = .string(stores + "_val.db")
      for (key, value): (String, JSON) in [
        ("lw_neg_ctx", 8), ("lw_neg_q", 8), ("lw_st_ed", 0.1), ("train_span_start_step", 0),
        ("hard_negtiave_start_step", [-1]), ("use_all_neg", true), ("nms_thd", -1),
      ] { object[key] = value }
    case .tvc:
      object["train_db"] = .string(stores + "_train.db")
      object["val_db"] = .string(stores + "_val.db")
      object["max_cap_per_vid"] = 4
      object["lsr"] = 0.1
    default:
      object["train_query_txt_db"] = .string(stores + "_train.db")
      object["val_query_txt_db"] = .string(stores + "_val.db")
      object["max_txt_len"] = 120
      if task == .tvqa { object["lw_st_ed"] = 0.4 }
    }
    return .object(object)
  }
}
