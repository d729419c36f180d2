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

  /// Every task is drawn, measured and evaluated under its own name, and the mean selects the best.
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
      // Results of the tasks on one split lie in separate folders.
      #expect(outcome.path.contains("/results_\(saved.configuration.task.rawValue)_val/results_8_all."))
    }
    // An evaluation must name one of the run's tasks.
    for task in [nil, RunTask(rawValue: "yc2r")] {
      let error = try #require(throws: DataError.self) {
        try SavedRun(path: folder.path, task: task, for: .evaluation, log: Said().log)
      }
      #expect("\(error)".contains("tvr_video_sub, tvqa_video_sub, violin_video_sub, tvc_video_sub"))
    }
  }

  /// An interrupted run of several tasks resumes to the same weights.
  @Test func aResumedRunIsTheSame() throws {
    let run = try TinyRun()
    let configuration = try multitask(run, ["save_steps": 4])
    _ = try train(configuration)
    // As if the run had been stopped after update 4.
    let folder = RunFolder(path: run.folder.path("run"))
    let weights = try Data(contentsOf: URL(fileURLWithPath: folder.checkpointPath(step: 8)))
    for file in ["model_step_8.safetensors", "state_step_8.safetensors"] {
      try FileManager.default.removeItem(atPath: "\(folder.checkpoints)/\(file)")
    }
    #expect(try train(configuration, .resumed).contains("going on after update 4"))
    #expect(try Data(contentsOf: URL(fileURLWithPath: folder.checkpointPath(step: 8))) == weights)
  }

  /// A task of ratio 0 is measured, and needs no store to train on.
  @Test func aTaskOfRatioZeroIsMeasuredOnly() throws {
    let run = try TinyRun()
    var entries = try #require(try run.options(.multitask)["train_datasets"]?.array)
    entries[1]["ratio"] = 0
    entries[1]["query_txt_db"] = "gone.db"
    for place in [2, 3] {
      entries[place]["ratio"] = 0
      for key in ["query_txt_db", "cap_txt_db"] { entries[place][key] = nil }
    }
    let changes: JSONObject = ["train_datasets": .array(entries), "num_train_steps": 2, "valid_steps": 2]
    let said = try train(try multitask(run, changes))
    #expect(
      said.contains("since their ratio is 0: tvqa_video_sub, violin_video_sub, tvc_video_sub; "), "\(said)")
    #expect(said.contains("meta-average") && !said.contains("(0 %"))
    let results = RunFolder(path: run.folder.path("run")).results
    for file in ["tvqa_video_sub/val_results_2.json", "tvc_video_sub/val_captions_2.jsonl"] {
      #expect(FileManager.default.fileExists(atPath: "\(results)/\(file)"))
    }
    // A task that is neither trained nor measured is reported, and still needs its key.
    let store: JSON = .string(TinyRun.store("tvqa_train"))
    entries[1]["query_txt_db"] = store
    var options = try run.options(.multitask)
    options["train_datasets"] = .array(Array(entries.prefix(2)))
    options["val_datasets"] = []
    let file = try run.folder.file("other.json", JSON.object(options).encoded())
    let warnings = try RunConfiguration.load(file: file, arguments: []).warnings.joined(separator: "\n")
    #expect(warnings.contains("tvqa_video_sub is neither trained nor measured"))
    entries[1]["query_txt_db"] = nil
    let error = try #require(throws: DataError.self) {
      try multitask(
        run, ["train_datasets": .array(Array(entries.prefix(2))), "val_datasets": []])
    }
    #expect("\(error)".contains("train_datasets[1].query_txt_db"))
  }

  /// A run without updates measures, and reads no training store.
  @Test(arguments: ["tvr", "tvr_video_only", "tvqa", "violin", "tvc", "tvc_video_only", "multitask"])
  func aRunWithoutUpdatesMeasures(name: String) throws {
    let run = try TinyRun()
    let task = try #require(RunTask(rawValue: name))
    var options = try run.options(task)
    (options["num_train_steps"], options["warmup_steps"]) = (0, 0)
    options["train_query_txt_db"] = "gone.db"
    if task.family == .captioning {
      options["train_query_txt_db"] = nil
      options["train_db"] = "gone.db"
      // Clips of a file alone need a tokenizer that knows [CLS].
      (options["val_db"], options["test_db"]) = (nil, nil)
      options["tokenizer"] = .string("\(SharedData.golden.path)/corpus/tokenizer")
    }
    if task == .multitask {
      options["train_query_txt_db"] = nil
      var entries = try #require(options["train_datasets"]?.array)
      for place in entries.indices {
        if entries[place]["query_txt_db"] != nil { entries[place]["query_txt_db"] = "gone.db" }
        if entries[place]["cap_txt_db"] != nil { entries[place]["cap_txt_db"] = nil }
      }
      options["train_datasets"] = .array(entries)
    }
    let (_, said) = try run.train(task, options)
    #expect(said.contains("nothing is trained") && said.contains("validation after update 0"), "\(said)")
  }

  /// Pre-training objectives of ratio 0 need no training list.
  @Test func objectivesOfRatioZeroAreMeasuredOnly() throws {
    let run = try TinyRun()
    var options = try run.options(.pretrain)
    var target = run.target(["mlm", "fom"])
    var splits = try #require(target["splits"]?.array)
    splits[0]["ratio"] = [1, 0]
    splits.append(splits[0])
    splits[1]["name"] = "other"
    splits[1]["ratio"] = [0, 0]
    splits[1]["train_idx"] = ["gone.json"]
    target["splits"] = .array(splits)
    options["targets"] = [target]
    (options["num_train_steps"], options["valid_steps"]) = (2, 2)
    let (_, said) = try run.train(.pretrain, options)
    #expect(said.contains("ratio is 0: fom_tv_all, mlm_tv_other, fom_tv_other; "), "\(said)")
    #expect(said.contains("mlm_tv_other") && said.contains("validation after update 2"))
  }

  /// A file of one dataset equals the task's own configuration under other keys.
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

  /// The dataset's name gives the channels, and a flag may name only that task, without them.
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

  /// Keys of an entry that nothing reads are reported.
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

  /// A resumed run may change its validation datasets, but not its training datasets.
  @Test func otherValidationsMayFollow() throws {
    let run = try TinyRun()
    let begun = try multitask(run)
    #expect(try multitask(run, ["val_datasets": []]).changes(since: begun).isEmpty)
    let entries = try #require(try run.options(.multitask)["train_datasets"]?.array)
    let fewer = try multitask(
      run, ["train_datasets": .array(Array(entries.prefix(2))), "val_datasets": []])
    #expect(fewer.changes(since: begun).map(\.name) == ["train_datasets"])
    // The message names the place.
    var other = entries
    other[1]["ratio"] = 9
    let error = try #require(throws: DataError.self) {
      try multitask(run, ["train_datasets": .array(other)])
        .requireUnchanged(since: begun, folder: RunFolder(path: "run"))
    }
    #expect("\(error)".contains("train_datasets[1].ratio was 2, now 9"), "\(error)")
  }

  /// Entries that do not fit together are refused before any work.
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
      ([changed("ratio", 1_000_000_001)], "at most 1000000000"),
      ([changed("batch_size", 0)], "batch_size"), ([changed("batch_size", .int(.max))], "batch_size"),
      ([good, good], "twice"), ([good, changed("name", "tvr_train")], "as tvr_video_sub and tvr"),
      ([changed("sub_txt_db", .null)], "sub_txt_db"),
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
    // Errors in entries of several tasks name the file.
    let other = run.dataset("tvqa", "train", ["query_txt_db": .string(TinyRun.store("tvqa_train"))])
    for (bad, word) in [
      ([changed("sub_txt_db", nil), other], "train_datasets[0].sub_txt_db"),
      ([changed("batch_size", .int(1 << 40)), other], "train_datasets[0].batch_size"),
    ] as [([JSON], String)] {
      let error = try #require(throws: DataError.self) {
        try multitask(run, ["train_datasets": .array(bad), "val_datasets": []])
      }
      #expect(error.file?.hasSuffix("run.json") == true && "\(error)".contains(word), "\(error)")
    }
    let elsewhere = try #require(throws: DataError.self) {
      try multitask(
        run, ["train_datasets": [good], "val_datasets": [changed("vfeat_db", "elsewhere")]])
    }
    #expect("\(elsewhere)".contains("\"elsewhere\", and ") && "\(elsewhere)".contains("train_datasets[0]"))
  }

  /// `"sub_txt_db": null` is allowed, as in VALUE's configurations of frames alone.
  @Test func noStoreMayBeNull() throws {
    let run = try TinyRun()
    var entry = run.dataset("tvc", "train", ["cap_txt_db": [.string("train.db")], "ratio": .null])
    entry["name"] = "tvc_video_only_train"
    entry["sub_txt_db"] = .null
    let configuration = try multitask(run, ["train_datasets": [entry], "val_datasets": []])
    #expect(configuration.subtitles == nil && configuration.videoChannels == .video)
  }

  /// A split may have several words, and a name with the other split's label is reported.
  @Test func namesSayTheSplit() throws {
    let run = try TinyRun()
    var options = try run.options(.multitask)
    let store: JSONObject = ["query_txt_db": .string(TinyRun.store("tvr_train"))]
    func told(_ train: String, _ val: String) throws -> (RunTask, String) {
      var entries = [run.dataset("tvr", "train", store), run.dataset("tvr", "val", store)]
      (entries[0]["name"], entries[1]["name"]) = (.string(train), .string(val))
      options["train_datasets"] = [entries[0]]
      options["val_datasets"] = [entries[1]]
      let file = try run.folder.file("run.json", JSON.object(options).encoded())
      let (configuration, warnings) = try RunConfiguration.load(file: file, arguments: [])
      return (configuration.task, warnings.filter { $0.contains("label") }.joined(separator: "\n"))
    }
    let usual = try told("how2r_video_sub_train", "how2r_video_sub_val_1k")
    #expect(usual.0.rawValue == "how2r_video_sub" && usual.1.isEmpty)
    let swapped = try told("tvr_video_sub_val", "tvr_video_sub_train").1
    #expect(swapped.contains("train_datasets[0].name ends in \"_val\""))
    #expect(swapped.contains("val_datasets[0].name ends in \"_train\""))
  }

  /// A task's name with channels never means a dataset of other channels.
  @Test func aTaskIsFoundByItsChannels() throws {
    let run = try TinyRun()
    func entry(_ name: String) -> JSON {
      var entry = run.dataset("tvr", "train", ["query_txt_db": .string(TinyRun.store("tvr_train"))])
      entry["name"] = .string(name + "_train")
      entry["task"] = nil
      return entry
    }
    func opened(_ names: [String], _ asked: String) throws -> String {
      var options = try run.options(.multitask)
      options["train_datasets"] = .array(names.map(entry))
      options["val_datasets"] = []
      options["task"] = "multitask"
      let file = try run.folder.file("hps.json", JSON.object(options).encoded())
      return try RunConfiguration.read(hyperparameters: file, task: RunTask(rawValue: asked)).task.rawValue
    }
    #expect(try opened(["tvr", "tvr_video_only"], "tvr_video_only") == "tvr_video_only")
    #expect(try opened(["tvr_video_only", "tvr_video_sub"], "tvr") == "tvr_video_sub")
    #expect(try opened(["tvr_sub_only", "tvqa"], "tvr") == "tvr_sub_only")
    // A run of one task, and one whose task has no channels in its name.
    #expect(try opened(["tvr_sub_only"], "tvr") == "tvr_sub_only")
    var options = try run.options(.tvr)
    for (own, asked, found) in [
      ("tvr_sub_only", "tvr", "tvr_sub_only"), ("tvr_video_sub", "tvr", "tvr"), ("tvr", "how2r", "how2r"),
      ("tvr", "tvr_video_only", "tvr_video_only"),
    ] {
      options["task"] = .string(own)
      let file = try run.folder.file("hps.json", JSON.object(options).encoded())
      let configuration = try RunConfiguration.read(hyperparameters: file, task: RunTask(rawValue: asked))
      #expect(configuration.task.rawValue == found)
    }
    #expect(throws: DataError.self) { try opened(["tvr", "tvqa"], "tvr_video_only") }
    #expect(throws: DataError.self) { try opened(["tvr_sub_only", "tvr_video_only"], "tvr") }
    #expect(throws: UsageError.self) {
      try multitask(
        run, ["train_datasets": [entry("tvr")], "val_datasets": []],
        arguments: ["--task", "tvr_video_only"])
    }
  }

  /// Idle options of several tasks give the missing dataset as the reason.
  @Test func idleOptionsOfSeveralTasksHaveTheirOwnReasons() throws {
    let run = try TinyRun()
    let reasons = try multitask(run, ["val_datasets": [], "max_vcmr_video": 5]).idleOptions
    for name in ["tokenizer", "max_vcmr_video"] {
      let idle = try #require(reasons.first { $0.name == name })
      #expect(idle.reason.hasPrefix("there is nothing to"), "\(name): \(idle.reason)")
    }
  }
}
