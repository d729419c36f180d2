import Formats
import Foundation
import TestSupport
import Testing

/// Every task trained by two and four processes, against one process with the whole batch.
@Suite(.serialized, .ownThreads) struct MPITaskTests {
  private let corpus: SmallCorpus
  private var folder: TemporaryFolder { corpus.folder }

  init() throws { corpus = try SmallCorpus() }

  private static let updates = 20

  private func bytes(_ name: String) throws -> Data {
    try Data(contentsOf: URL(fileURLWithPath: folder.path(name)))
  }

  /// Returns the command that trains a task, and makes the stores that the task needs.
  private func command(_ task: String) throws -> [String] {
    let length = [
      "--num-train-steps", "\(Self.updates)", "--valid-steps", "\(Self.updates)", "--learning-rate", "1e-4",
    ]
    switch task {
    case "tvr": return ["finetune", "--config", "finetune.json"] + length
    case "multitask":
      for task in ["tvqa", "violin", "tvc"] { try makeStores(task) }
      let stores = "\"sub_txt_db\":\"txt_db/subtitles.db\",\"vfeat_db\":\"video_db/tv\""
      let datasets = [
        ("vcmr", "tvr", "\"query_txt_db\":\"txt_db/train.db\""),
        ("videoQA", "tvqa", "\"query_txt_db\":\"txt_db/tvqa_train.db\",\"ratio\":2"),
        ("violin", "violin", "\"query_txt_db\":\"txt_db/violin_train.db\""),
        ("videoCap", "tvc", "\"cap_txt_db\":[\"txt_db/tvc_train.db\"]"),
      ].map { kind, name, own in
        "{\"task\":\"\(kind)\",\"name\":\"\(name)_video_sub_train\",\(own),\(stores)}"
      }
      try AtomicFile.write(
        "{\"train_datasets\":[\(datasets.joined(separator: ","))],\"val_datasets\":[]}",
        to: folder.path("multitask.json"))
      return [
        "finetune", "--config", "multitask.json", "--model-config", "model.json", "--warmup-steps", "2",
        "--gradient-accumulation-steps", "2",
      ] + length
    case "tvqa", "violin", "tvc":
      try makeStores(task)
      let (train, val) =
        task == "tvc" ? ("--train-db", "--val-db") : ("--train-query-txt-db", "--val-query-txt-db")
      return [
        "finetune", "--task", task, "--model-config", "model.json", train, "txt_db/\(task)_train.db", val,
        "txt_db/\(task)_val.db", "--vfeat-db", "video_db/tv", "--sub-txt-db", "txt_db/subtitles.db",
        "--gradient-accumulation-steps", "1", "--warmup-steps", "2",
      ] + length
    default:
      // The corpus's own pre-training, with this objective only.
      var settings = try JSON.read(path: folder.path("pretrain.json")).encoded()
      for (name, value) in [("tasks", "\"\(task)\""), ("ratio", "1")] {
        let start = try #require(settings.range(of: "\"\(name)\":["))
        let end = try #require(settings[start.upperBound...].firstIndex(of: "]"))
        settings.replaceSubrange(start.upperBound..<end, with: value)
      }
      try AtomicFile.write(settings, to: folder.path("\(task).json"))
      return ["pretrain", "--config", "\(task).json"] + length
    }
  }

  private func makeStores(_ task: String) throws {
    for split in ["train", "val"] {
      let subtitles = task == "tvc" ? ["--subtitles", "corpus/ann/tv_subtitles.jsonl"] : []
      try corpus.run(
        [
          "create-txtdb", "--task", task, "--annotation", "corpus/ann/\(task)_\(split).jsonl", "--output",
          "txt_db/\(task)_\(split).db", "--tokenizer", "corpus/tokenizer",
        ] + subtitles)
    }
  }

  private func expectSame(_ run: String, as other: String) throws {
    let runs = try [run, other].map { try AdamRun(folder: folder.path($0), step: Self.updates) }
    #expect(runs[0].differences(from: runs[1], updates: Self.updates, learningRate: 1e-4) == [], "\(run)")
    let losses = try [run, other].map { run in
      try LoggedScalars(folder: folder.path("\(run)/log")).values.filter { $0.key.hasPrefix("loss/") }
    }
    #expect(losses[1].values.contains { $0.count == Self.updates })
    for (name, updates) in losses[1] {
      for (update, loss) in updates {
        let found = losses[0][name]?[update] ?? .nan
        #expect(abs(found - loss) <= 1e-5 * max(1, abs(loss)), "\(run): \(name) of update \(update)")
      }
    }
  }

  @Test(
    .timeLimit(.minutes(30)),
    arguments: ["tvr", "tvqa", "tvc", "violin", "multitask", "mlm", "mfm-nce", "mffr", "fom", "vsm"])
  func training(task: String) throws {
    let command = try command(task)
    try corpus.run(command + ["--dropout", "0", "--train-batch-size", "4", "--output-dir", "alone"])
    for job in MPIJob.installed {
      for size in [2, 4] {
        let name = "\(job.launcher) \(size)"
        let together = try job.run(
          size, command + ["--dropout", "0", "--train-batch-size", "\(4 / size)", "--output-dir", name],
          folder: folder.root)
        try #require(together.status == 0, "\(together.errors)")
        try expectSame(name, as: "alone")
      }
      // With dropout, two runs give the same weights.
      let models = try ["once", "again"].map { run in
        let name = "\(job.launcher) \(run)"
        let process = try job.run(
          2, command + ["--train-batch-size", "2", "--output-dir", name], folder: folder.root)
        try #require(process.status == 0, "\(process.errors)")
        return try bytes("\(name)/ckpt/model_step_\(Self.updates).safetensors")
      }
      #expect(models[0] == models[1])
    }
    if task == "tvc" { try captions("alone") }
    if task == "tvqa" || task == "violin" { try answers(task, "alone") }
  }

  /// Any number of processes writes the same captions.
  private func captions(_ run: String) throws {
    let arguments = [
      "caption", "--model-dir", run, "--ckpt-step", "\(Self.updates)", "--target-clip",
      "corpus/ann/tvc_val.jsonl",
      "--max-gen-step", "12", "--batch-size", "2", "--no-fp16", "--output",
    ]
    for beams in ["1", "3"] {
      let arguments = Array(arguments.dropLast()) + ["--beam", beams, "--output"]
      try corpus.run(arguments + ["alone.jsonl", "--overwrite"])
      let expected = try bytes("alone.jsonl")
      for job in MPIJob.installed {
        for size in [2, 4] {
          let together = try job.run(
            size, arguments + ["together.jsonl", "--overwrite"], folder: folder.root)
          try #require(together.status == 0, "\(together.errors)")
          let found = try bytes("together.jsonl")
          #expect(found == expected)
        }
      }
    }
  }

  /// Any number of processes writes the same submission and prints the same figures.
  private func answers(_ task: String, _ run: String) throws {
    let arguments = [
      "eval", "--task", task, "--split", "val", "--query-txt-db", "txt_db/\(task)_val.db", "--output-dir",
      run, "--json",
      "--val-batch-size", "2", "--submission",
    ]
    let alone = try corpus.run(arguments + ["alone.txt"])
    let expected = try bytes("alone.txt")
    for job in MPIJob.installed {
      for size in [2, 4] {
        let together = try job.run(size, arguments + ["together.txt", "--overwrite"], folder: folder.root)
        try #require(together.status == 0, "\(together.errors)")
        #expect(together.output == alone.output)
        let found = try bytes("together.txt")
        #expect(found == expected)
      }
    }
  }

  /// Processes that read features together make the same store and side files as one process.
  @Test(.timeLimit(.minutes(30)), arguments: MPIJob.installed) func featureStore(job: MPIJob) throws {
    let features = folder.path("corpus/features/resnet_features")
    let files = try FileManager.default.subpathsOfDirectory(atPath: features).filter { $0.hasSuffix(".npz") }
    let first = try #require(files.sorted().first)
    try Data("no archive".utf8).write(to: URL(fileURLWithPath: "\(features)/\(first)"))
    let arguments = [
      "convert-videodb", "--feature-dir", "corpus/features", "--dataset", "tv", "--frame-length", "1.5",
      "--compress",
      "--output",
    ]
    let alone = try corpus.run(arguments + ["alone"])
    #expect(alone.output.contains("1 videos unreadable"))
    for size in [2, 3] {
      let together = try job.run(size, arguments + ["by \(size)"], folder: folder.root)
      try #require(together.status == 0, "\(together.errors)")
      #expect(together.output.replacing("by \(size)", with: "alone") == alone.output)
      #expect(together.errors.contains("is left out"))
      for file in ["resnet_slowfast_1.5_compressed/data.mdb", "id2nframe.json", "corrupted.json"] {
        let (found, expected) = (try bytes("by \(size)/tv/\(file)"), try bytes("alone/tv/\(file)"))
        #expect(found == expected, "\(file)")
      }
    }
    // Several processes refuse what one process refuses.
    let again = try job.run(2, arguments + ["alone"], folder: folder.root)
    #expect(again.status != 0 && again.errors.contains("alone/tv"))
  }
}
