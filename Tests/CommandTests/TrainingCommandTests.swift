import Formats
import Foundation
import TestSupport
import Testing

/// The program from annotations to metrics, as users run it.
@Suite(.ownThreads) struct TrainingCommandTests {
  private let corpus: SmallCorpus
  private var folder: TemporaryFolder { corpus.folder }

  init() throws { corpus = try SmallCorpus() }

  private func weights(_ run: String) throws -> Data {
    try Data(contentsOf: URL(fileURLWithPath: folder.path("\(run)/ckpt/model_step_60.safetensors")))
  }

  /// A run that is interrupted and resumed ends with the same weights as one that is not.
  @Test(.timeLimit(.minutes(30)), arguments: ["pretrain", "finetune"])
  func interruptionLeavesNoTrace(command: String) throws {
    let arguments = [command, "--config", "\(command).json", "--output-dir"]
    try corpus.run(arguments + ["whole"])
    let states = folder.path("broken/ckpt")
    var process: Process
    // Tries again if the run ended before the signal.
    repeat {
      try? FileManager.default.removeItem(atPath: folder.path("broken"))
      process = try corpus.start(arguments + ["broken"])
      while process.isRunning,
        (try? FileManager.default.contentsOfDirectory(atPath: states))?.contains(where: {
          $0.hasPrefix("state_step_")
        }) != true
      { usleep(2_000) }
      kill(process.processIdentifier, SIGINT)
      process.waitUntilExit()
    } while process.terminationStatus == 0
    #expect(process.terminationStatus == 130)
    #expect(!FileManager.default.fileExists(atPath: states + "/model_step_60.safetensors"))
    let rest = try corpus.run(arguments + ["broken", "--resume"])
    #expect(rest.errors.contains("going on after update"))
    #expect(try weights("broken") == weights("whole"))
  }

  /// A checkpoint of pre-training starts fine-tuning, which shows the loaded arrays and can be
  /// evaluated.
  @Test(.timeLimit(.minutes(30))) func pretrainingToMetrics() throws {
    let pretraining = try corpus.run(["pretrain", "--config", "pretrain.json", "--output-dir", "before"])
    for task in ["mlm", "mfm-nce", "mffr", "fom", "vsm"] {
      #expect(pretraining.errors.contains("│ \(task)_tv_all"))
    }
    for heading in ["a second", "acc", "l2", "cosine", "loss_st_ed", "loss_neg_ctx", "loss_neg_q"] {
      #expect(pretraining.errors.contains(" \(heading) │"))
    }
    let finetuning = try corpus.run([
      "finetune", "--config", "finetune.json", "--output-dir", "run", "--num-train-steps", "4",
      "--valid-steps", "4", "--checkpoint", "before", "--max-clip-len", "120",
    ])
    #expect(finetuning.errors.contains("before/ckpt/model_step_60.safetensors\n"))
    #expect(finetuning.errors.contains("│ loaded"))
    #expect(!finetuning.errors.contains("│ random"))
    // Clips are longer than before, which needs more frame positions and a wider FOM head.
    for (name, width) in [("f_encoder.img_embeddings.position_embeddings", 16), ("fom_output.linear_2", 32)] {
      #expect(finetuning.errors.contains("\(name).weight: 100 × \(width), not 120 × \(width)"))
    }
    let evaluation = try corpus.run([
      "eval", "--task", "tvr", "--split", "test", "--query-txt-db", "txt_db/test.db", "--output-dir", "run",
      "--checkpoint", "best", "--json", "--submission", "submission.json",
    ])
    // The server takes all three rankings, with videos by number.
    let submission = try JSON.read(path: folder.path("submission.json"))
    #expect(submission["video2idx"]?.object?.count == 6)
    for ranking in ["VCMR", "SVMR", "VR"] {
      let queries = try #require(submission[ranking]?.array)
      #expect(queries.count == 12)
      for query in queries {
        #expect(query["desc_id"]?.int != nil)
        #expect(query["predictions"]?.array?.first?.array?.count == 4)
      }
    }
    let metrics = try JSONSerialization.jsonObject(with: Data(evaluation.output.utf8)) as? [String: Any]
    let recall = try #require(metrics?["valid_test_VR/VR_r1"] as? Double)
    #expect(abs(recall - (try corpus.videoRecall(of: "submission.json", split: "test"))) <= 0.005)
  }

  /// Stores of another task, and changed options on resuming, are refused at the start.
  @Test(.timeLimit(.minutes(30))) func whatDoesNotFitIsRefusedAtTheStart() throws {
    let arguments = ["finetune", "--config", "finetune.json", "--num-train-steps", "2", "--valid-steps", "2"]
    let other = try HeroProcess(
      arguments: arguments + ["--task", "tvqa", "--output-dir", "other"], folder: folder.root)
    #expect(other.status == 1 && other.errors.contains("was made for the task \"tvr\""))
    try corpus.run(arguments + ["--output-dir", "run"])
    let changed = arguments + ["--output-dir", "run", "--resume", "--margin", "0.3"]
    let refused = try HeroProcess(arguments: changed, folder: folder.root)
    #expect(refused.status == 1 && refused.errors.contains("margin was 0.1, now 0.3"))
    try corpus.run(changed + ["--resume-changed"])
  }

  /// A folder of weights holds a run, or a model under Hugging Face's file names.
  @Test(.timeLimit(.minutes(30))) func foldersOfWeights() throws {
    let shape = ["--num-train-steps", "1", "--config", "pretrain.json"]
    try corpus.run(["pretrain", "--output-dir", "before"] + shape)
    let model = folder.path("roberta/model.safetensors")
    try FileManager.default.createDirectory(
      atPath: folder.path("roberta"), withIntermediateDirectories: true)
    try FileManager.default.copyItem(
      atPath: folder.path("before/ckpt/model_step_1.safetensors"), toPath: model)
    let started = try corpus.run(["pretrain", "--output-dir", "after", "--checkpoint", "roberta/"] + shape)
    #expect(started.errors.contains("roberta/\n"))
    let refused = try HeroProcess(
      arguments: ["pretrain", "--output-dir", "none", "--checkpoint", "corpus"] + shape, folder: folder.root)
    #expect(refused.status == 1)
    #expect(refused.errors.contains("corpus: holds neither a run nor model.safetensors"))
  }

  /// A profiled run trains the same weights, and leaves a trace and a table.
  @Test(.timeLimit(.minutes(30))) func aProfileChangesNothing() throws {
    let arguments = [
      "finetune", "--config", "finetune.json", "--num-train-steps", "6", "--valid-steps", "6", "--output-dir",
    ]
    try corpus.run(arguments + ["plain"])
    let run = try corpus.run(arguments + ["profiled", "--profile", "trace.json"])
    func weights(_ run: String) throws -> Data {
      try Data(contentsOf: URL(fileURLWithPath: folder.path("\(run)/ckpt/model_step_6.safetensors")))
    }
    #expect(try weights("profiled") == weights("plain"))
    for text in [
      "profile: ", "GFLOP/s and", "│ column sums", "│ optimizer step", "outside of operations",
    ] {
      #expect(run.errors.contains(text), "\(text)")
    }
    let events = try #require(try JSON.read(path: folder.path("trace.json"))["traceEvents"]?.array)
    let calls = events.filter { $0["ph"] == "X" }
    let names = Set(calls.compactMap { $0["name"]?.string })
    let expected: Set = [
      "product", "slope", "column sums", "attention", "attention backward", "layer norm", "ranking loss",
      "optimizer step", "upload",
    ]
    #expect(expected.isSubset(of: names), "\(names)")
    #expect(calls.count { $0["name"] == "optimizer step" } == 6)
    for call in calls {
      let (start, time) = (try #require(call["ts"]?.double), try #require(call["dur"]?.double))
      #expect(start >= 0 && time >= 0 && start + time < 1e9)
    }
    let evaluation = try corpus.run([
      "eval", "--task", "tvr", "--split", "val", "--query-txt-db", "txt_db/val.db", "--output-dir", "plain",
      "--profile", "eval.json",
    ])
    #expect(evaluation.errors.contains("│ pair dot") && evaluation.errors.contains("│ top k"))
  }
}
