import Engine
import Formats
import Foundation
import TestSupport
import Testing

@testable import Training

@Suite("Several tasks in one run")
struct MultitaskTests {
  private func multitask(
    _ run: TinyRun, _ changes: JSONObject = [:], arguments: [String] = []
  ) throws -> RunConfiguration {
    var options = try run.options(.multitask)
    for (key, value) in changes { options[key] = value }
    let file = try run.folder.file("run.json", JSON.object(options).encoded())
    return try RunConfiguration.load(file: file, arguments: arguments).configuration
  }

  private func train(
    _ configuration: RunConfiguration, _ beginning: TrainingRun.Beginning = .anew
  ) throws -> String {
    let said = Said()
    try TrainingRun(configuration, log: said.log).run(beginning, backend: try CPUBackend())
    return said.text
  }

  /// Every task is drawn, measured and evaluated by its own name; the best checkpoint is that of
  /// the mean.
  @Test func tasksShareATrunk() throws {
    let run = try TinyRun()
    let said = try train(try multitask(run))
    #expect(said.contains("tvqa_video_sub") && said.contains("meta-average"))
    let folder = RunFolder(path: run.folder.path("run"))
    #expect(folder.best()?.metric == "meta_average")
    for (task, file) in [
      ("tvr", "val_results_8.json"), ("tvqa", "val_results_8.json"), ("violin", "val_results_8.json"),
      ("tvc", "val_captions_8.jsonl"),
    ] {
      let path = "\(folder.results)/\(task)_video_sub/\(file)"
      #expect(FileManager.default.fileExists(atPath: path), "\(path)")
    }
    let golden = SharedData.golden.path
    for (task, store) in [
      ("tvr", TinyRun.store("tvr_val")), ("tvqa", TinyRun.store("tvqa_val")),
      ("violin_video_sub", TinyRun.store("violin_val")), ("tvc", "\(golden)/corpus/ann/tvc_val.jsonl"),
    ] {
      let saved = try SavedRun(
        path: folder.path, task: RunTask(rawValue: task), for: .evaluation, log: Said().log)
      let outcome = try EvaluationRun([saved]).run(split: "val", store: store, backend: try CPUBackend())
      #expect(!outcome.report.scalars.isEmpty, "\(task)")
    }
    // Of several tasks one must be named, and it must be one of them.
    for task in [nil, RunTask(rawValue: "yc2r")] {
      let error = try #require(throws: DataError.self) {
        try SavedRun(path: folder.path, task: task, for: .evaluation, log: Said().log)
      }
      #expect("\(error)".contains("tvr_video_sub, tvqa_video_sub, violin_video_sub, tvc_video_sub"))
    }
  }

  /// An interrupted run of several tasks goes on to the same weights.
  @Test func aResumedRunIsTheSame() throws {
    let run = try TinyRun()
    let configuration = try multitask(run, ["save_steps": 4])
    _ = try train(configuration)
    // As if it had been stopped after the update 4.
    let folder = RunFolder(path: run.folder.path("run"))
    let weights = try Data(contentsOf: URL(fileURLWithPath: folder.checkpointPath(step: 8)))
    for file in ["model_step_8.safetensors", "state_step_8.safetensors"] {
      try FileManager.default.removeItem(atPath: "\(folder.checkpoints)/\(file)")
    }
    #expect(try train(configuration, .resumed).contains("going on after update 4"))
    #expect(try Data(contentsOf: URL(fileURLWithPath: folder.checkpointPath(step: 8))) == weights)
  }

  /// A file of one dataset is the task's own file under other keys.
  @Test(arguments: ["tvr", "tvqa", "violin"]) func oneDatasetIsOneTask(task: String) throws {
    let run = try TinyRun()
    let stores = ["train", "val"].map {
      ["query_txt_db": .string(TinyRun.store("\(task)_\($0)"))] as JSONObject
    }
    let configuration = try multitask(
      run,
      [
        "train_datasets": [run.dataset(task, "train", stores[0])],
        "val_datasets": [run.dataset(task, "val", stores[1])],
      ])
    #expect(configuration.task.rawValue == "\(task)_video_sub")
    let own = try run.options(try #require(RunTask(rawValue: task)))
    for key in ["vfeat_db", "sub_txt_db", "train_query_txt_db", "val_query_txt_db"] {
      let option = try #require(RunOptions.named(key))
      #expect(configuration.value(of: option) == own[key])
    }
  }

  /// The dataset's name says what is read; a flag may name the task without, and no other.
  @Test func aFlagNamesTheFilesTask() throws {
    let run = try TinyRun()
    var entry = run.dataset("tvr", "train", ["query_txt_db": .string(TinyRun.store("tvr_train"))])
    entry["name"] = "tvr_sub_only_train"
    let changes: JSONObject = ["train_datasets": [entry], "val_datasets": []]
    let configuration = try multitask(run, changes, arguments: ["--task", "tvr"])
    #expect(configuration.task.rawValue == "tvr_sub_only" && configuration.videoChannels == .subtitles)
    let error = #expect(throws: UsageError.self) {
      try multitask(run, changes, arguments: ["--task", "tvqa"])
    }
    #expect(error?.description.contains("tvr_sub_only") == true)
  }

  /// Keys of an entry that its task or its use does not read are told.
  @Test func keysThatNothingReadsAreTold() throws {
    let run = try TinyRun()
    var options = try run.options(.multitask)
    let store: JSON = .string(TinyRun.store("tvr_train"))
    options["train_datasets"] = [run.dataset("tvr", "train", ["query_txt_db": store, "cap_txt_db": "x"])]
    options["val_datasets"] = [run.dataset("tvr", "val", ["query_txt_db": store, "ratio": 2])]
    let file = try run.folder.file("run.json", JSON.object(options).encoded())
    let told = try RunConfiguration.load(file: file, arguments: []).warnings.joined(separator: "\n")
    #expect(told.contains("train_datasets[0]: unknown key \"cap_txt_db\""))
    #expect(told.contains("val_datasets[0]: unknown key \"ratio\""))
  }

  /// What is measured may change when a run goes on, what is learnt may not.
  @Test func otherValidationsMayFollow() throws {
    let run = try TinyRun()
    let begun = try multitask(run)
    #expect(try multitask(run, ["val_datasets": []]).changes(since: begun).isEmpty)
    let entries = try #require(try run.options(.multitask)["train_datasets"]?.array)
    let fewer = try multitask(
      run, ["train_datasets": .array(Array(entries.prefix(2))), "val_datasets": []])
    #expect(fewer.changes(since: begun).map(\.name) == ["train_datasets"])
  }

  /// What does not go together is refused before any work.
  @Test func entriesThatDoNotFitAreRefused() throws {
    let run = try TinyRun()
    let store: JSONObject = ["query_txt_db": .string(TinyRun.store("tvr_train"))]
    let good = run.dataset("tvr", "train", store)
    func changed(_ key: String, _ value: JSON?) -> JSON {
      var entry = good
      entry[key] = value
      return entry
    }
    for (bad, word) in [
      ([], "at least one"), ([changed("task", "videoQA")], "vcmr"),
      ([changed("name", "tvr")], "a task and a split"),
      ([changed("name", "tvx_train")], "a task and a split"), ([changed("vfeat_db", nil)], "vfeat_db"),
      ([changed("ratio", -1)], "ratio"), ([changed("ratio", 0)], "above 0"),
      ([changed("batch_size", 0)], "batch_size"), ([good, good], "twice"),
      ([changed("query_txt_db", nil)], "query_txt_db"), ([7], "name"),
    ] as [([JSON], String)] {
      let error = try #require(throws: DataError.self) {
        try multitask(run, ["train_datasets": .array(bad), "val_datasets": []])
      }
      #expect("\(error)".contains(word), "\(error)")
    }
    let error = try #require(throws: DataError.self) {
      try multitask(
        run, ["train_datasets": [good], "val_datasets": [run.dataset("tvqa", "val", store)]])
    }
    #expect("\(error)".contains("tvqa_video_sub"))
  }
}
