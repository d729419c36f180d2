import Formats
import TestSupport
import Testing

@testable import Training

struct RunConfigurationTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  @Test func everyOptionHasItsOwnNameAndAnAcceptableDefault() throws {
    let names = RunOptions.all.flatMap { [$0.name] + $0.aliases }
    #expect(names.count == Set(names).count)
    #expect(RunOptions.all.count == Mirror(reflecting: RunOptions.shared).children.count)
    for option in RunOptions.all {
      #expect(!option.families.isEmpty)
      #expect(!option.help.isEmpty)
      for family in option.families {
        let value = option.defaultJSON(for: family)
        #expect(option.accepted(value) == value, "\(option.name)")
      }
    }
  }

  @Test func defaultsAreTheScripts() {
    let tvr = RunConfiguration(task: .tvr)
    #expect(tvr.learningRate == 3e-5)
    #expect(tvr.optimizer == .adam)
    #expect(tvr.gradientNorm == 0.25)
    #expect(tvr.hardNegativeStarts == [10_000])
    let tvc = RunConfiguration(task: .tvc)
    #expect(tvc.optimizer == .adamw)
    #expect(tvc.gradientNorm == 2)
    #expect(tvc.subtitleContext == 1)
    #expect(tvc.json["lw_neg_q"] == nil)
    #expect(RunConfiguration(task: .pretrain).json["train_query_txt_db"] == nil)
  }

  /// Options under a key of their own, beside other values, are found.
  @Test(arguments: ["args", "hps"]) func optionsUnderAnotherKey(_ key: String) throws {
    let file = try folder.file(
      "a.json", "{\"epoch\": 3, \"\(key)\": {\"task\": \"tvr\", \"learning_rate\": 0.002, \"seed\": 5}}")
    let (run, warnings) = try RunConfiguration.load(file: file, arguments: [])
    #expect(run.task == .tvr && run.learningRate == 0.002 && run.seed == 5)
    #expect(warnings.count == 1 && warnings[0].contains("under \"\(key)\""), "\(warnings)")
    #expect(try RunConfiguration.read(hyperparameters: file).learningRate == 0.002)
  }

  @Test func optionsUnderSeveralKeys() throws {
    let options = #"{"task": "tvr", "seed": 5}"#
    let file = try folder.file("a.json", "{\"one\": \(options), \"two\": \(options)}")
    #expect(throws: DataError.self) { try RunConfiguration.load(file: file, arguments: []) }
  }

  @Test(arguments: [
    ("Namespace(task='tvr', seed=5)", "json.dump(vars(args)"),
    ("# a comment\ntask: tvr\nseed: 5\n", "yaml"), ("{\"task\": tvr}", "line 1"),
  ])
  func optionsThatAreNoJSON(_ text: String, _ told: String) throws {
    let file = try folder.file("a.json", text)
    let error = #expect(throws: DataError.self) { try RunConfiguration.load(file: file, arguments: []) }
    #expect(error?.description.contains(told) == true, "\(error.map(\.description) ?? "")")
  }

  @Test func optionsOfAnotherTaskAreTheFilesFault() throws {
    let file = try folder.file("a.json", #"{"task": "tvc", "seed": 5}"#)
    let error = #expect(throws: DataError.self) {
      try RunConfiguration.load(task: .pretrain, file: file, arguments: [])
    }
    #expect(error?.description.contains("options of tvc") == true)
  }

  /// Identifying a file takes no longer than reading it, whatever it repeats.
  @Test(.timeLimit(.minutes(30)), arguments: ["# ", "#\n", "---\t", "a_"])
  func repetitionsTakeNoTime(_ part: String) throws {
    let file = try folder.file("a.json", String(repeating: part, count: 2000))
    #expect(throws: DataError.self) { try RunConfiguration.load(file: file, arguments: []) }
  }

  @Test func flagsOverrideTheFile() throws {
    let file = try folder.file(
      "tvr.json",
      """
      {"task": "tvr", "learning_rate": 1e-4, "betas": [0.9, 0.98], "vfeat_interval": 2, "compressed_db": true,
       "test_query_txt_db": null, "hard_negtiave_start_step": [2000], "vcmr_eval_batch_size": 60,
       "full_eval_tasks": ["VCMR", "VR"], "num_train_steps": 5000.0, "hard_pool_size": 20, "use_all_neg": true}
      """)
    let (run, warnings) = try RunConfiguration.load(
      file: file,
      arguments: [
        "--learning-rate=5e-4", "--betas", "0.8", "0.99", "--no-compressed-db", "--nms_thd", "-1",
        "--use-all-neg",
        "false", "--pin-mem", "--sub-txt-db", "a b.db", "--full_eval_tasks", "SVMR",
      ])
    #expect(warnings == [])
    #expect(run.task == .tvr)
    #expect(run.learningRate == 5e-4)
    #expect(run.betas == [0.8, 0.99])
    #expect(run.compressed == false)
    #expect(run.suppressionThreshold == -1)
    #expect(run.usesAllNegatives == false)
    #expect(run.pinsMemory)
    #expect(run.subtitles == "a b.db")
    #expect(run.rankings == [.singleVideoMoment])
    #expect(run.trainSteps == 5000)
    #expect(run.hardPoolSizes == [20])
    #expect(run.hardNegativeStarts == [2000])
    #expect(run.evaluationQueryBatchSize == 60)
    #expect(run.testQueries == nil)
    #expect(run.frameInterval == 2)
  }

  @Test(arguments: [
    (["--learning-rat", "1"], "--learning-rate"), (["--learning-rate"], "needs a value"),
    (["--learning-rate", "fast"], "a number"), (["--betas", "0.9"], "two numbers"),
    (["--lsr", "0.1"], "tvr"),
    (["tvr"], "unexpected"), (["--no-learning-rate"], "unknown option"),
    (["--optim", "sgd"], "adam, adamax, adamw"),
    (["--train-batch-size", "0"], "1 or more"), (["--no-compressed-db=true"], "no value"),
    (["--"], "unexpected"),
    (["--task", "pretrain"], "hero pretrain"), (["--learning-rate", "nan"], "a number"),
  ])
  func wrongFlagsAreUsageErrors(flags: [String], hint: String) throws {
    let error = #expect(throws: UsageError.self) {
      try RunConfiguration.load(file: nil, arguments: ["--task", "tvr"] + flags)
    }
    #expect(error?.description.contains(hint) == true)
  }

  /// Words that belong to no flag are passed on where a command takes a sentence.
  @Test func wordsThatAreNoFlagsAreHandedOn() throws {
    var others: [String] = []
    let words = ["a", "--nms-thd", "0.5", "man", "--full-eval-tasks=VCMR", "--eval-with-query-type", "walks"]
    var arguments = try RunArguments(words, others: &others)
    #expect(others == ["a", "man", "walks"])
    #expect(arguments.flags == "--nms-thd --full-eval-tasks --eval-with-query-type")
    try arguments.set(\.suppressionThreshold, 0.7)
    #expect(arguments.value(of: RunOptions.shared.suppressionThreshold) == 0.7)
    let error = #expect(throws: UsageError.self) { try arguments.set(\.maxGenerationSteps, 0) }
    #expect(error?.description.contains("--max-gen-step must be a whole number, 1 or more") == true)
  }

  @Test func aTaskIsNeeded() {
    #expect(throws: UsageError.self) { try RunConfiguration.load(file: nil, arguments: []) }
  }

  @Test(arguments: [
    (#"{"task": "tvr", "learning_rate": "1e-4"}"#, "learning_rate"),
    (#"{"task": "tvr", "betas": [0.9]}"#, "betas"),
    (#"{"task": "tvr", "compressed_db": 1}"#, "compressed_db"), (#"{"task": "tvq"}"#, "task"),
    (#"{"task": "tvr", "train_batch_size": 2.5}"#, "train_batch_size"),
    (#"{"task": "tvr", "vfeat_db": 3}"#, "vfeat_db"),
    (#"{"task": "tvr", "optim": null}"#, "optim"), (#"{"task": "tvr", "grad_norm": 0}"#, "grad_norm"),
  ])
  func wrongTypesNameFileAndKey(text: String, key: String) throws {
    let file = try folder.file("config.json", text)
    let error = #expect(throws: DataError.self) { try RunConfiguration.load(file: file, arguments: []) }
    #expect(error?.file == file)
    #expect(error?.place == "key \"\(key)\"")
  }

  @Test func unknownKeysWarnAndStay() throws {
    let file = try folder.file("config.json", #"{"task": "tvqa", "lerning_rate": 1, "lab_book": "p. 7"}"#)
    let (run, warnings) = try RunConfiguration.load(file: file, arguments: [])
    #expect(warnings.count == 2)
    #expect(warnings[0].contains("\"learning_rate\""))
    #expect(!warnings[1].contains("did you mean"))
    #expect(run.json["lab_book"] == "p. 7")
  }

  /// Numbers as Python writes them are accepted, such as 5e3 for a whole number.
  @Test func numbersOfManySpellings() throws {
    let file = try folder.file(
      "c.json",
      #"{"task": "tvr", "num_train_steps": 5e3, "train_batch_size": 16.0, "learning_rate": 1, "nms_thd": -1}"#
    )
    let (run, _) = try RunConfiguration.load(
      file: file, arguments: ["--warmup-steps", "1e2", "--valid_steps=50.0", "--nms-thd", "-1"])
    #expect((run.trainSteps, run.trainBatchSize, run.warmupSteps, run.validSteps) == (5000, 16, 100, 50))
    #expect(run.learningRate == 1 && run.suppressionThreshold == -1)
  }

  @Test(arguments: [
    (#""learning_rate": "1e-4""#, "without quotation marks"),
    (#""learning_rate": null"#, "Leave the key out"),
    (#""learning_rate": NaN"#, "not NaN"), (#""learning_rate": -Infinity"#, "not -Infinity"),
    (#""num_train_steps": NaN"#, "not NaN"), (#""betas": [0.9, NaN]"#, "not [0.9,NaN]"),
    (#""vfeat_db": NaN"#, "not NaN"), (#""learning_rate": Infinity"#, "0 or more"),
    (#""learning_rate": 1e39"#, "0 or more"), (#""learning_rate": -1"#, "0 or more"),
    (#""use_all_neg": 1"#, "Write true"), (#""use_all_neg": "false""#, "without quotation marks"),
    (#""dropout": 1"#, "below 1"), (#""dropout": true"#, "below 1"), (#""train_batch_size": 16.5"#, "whole"),
    (#""num_train_steps": 1e18"#, "at most"), (#""num_train_steps": -1"#, "0 or more"),
    (#""hard_neg_weights": [-1]"#, "each 0 or more"), (#""betas": [0.9, 1]"#, "below 1"),
    (#""vfeat_interval": 1e-60"#, "0.001"), (#""max_clip_len": []"#, "whole"), (#""seed": -1"#, "0 or more"),
    (#""full_eval_tasks": ["VCMRR"]"#, "VCMR, SVMR, VR"), (#""nce_temp": 0"#, "above 0"),
  ])
  func valuesOutOfRangeAreRefused(member: String, hint: String) throws {
    let file = try folder.file("c.json", "{\"task\": \"tvr\", \(member)}")
    let error = #expect(throws: DataError.self) { try RunConfiguration.load(file: file, arguments: []) }
    #expect(error?.description.contains(hint) == true, "\(error?.description ?? "")")
  }

  @Test func keysThatAreGivenTwiceAreTold() throws {
    let notices = NoticeLog.shared
    let file = try folder.file(
      "c.json",
      """
      {"task": "tvr", "seed": 1, "seed": 2, "keep": 3, "keep": 3, "hard_neg_weight": 5, "hard_neg_weights": [7],
       "vcmr_eval_batch_size": 60, "vcmr_eval_q_batch_size": 60}
      """)
    let (run, warnings) = try RunConfiguration.load(file: file, arguments: [])
    #expect((run.seed, run.hardNegativeWeights, run.evaluationQueryBatchSize) == (2, [7], 60))
    let told = notices.about(file)
    #expect(
      told.count == 1 && told.first?.hasSuffix(#"line 1: "seed" is given twice; 2 counts, not 1"#) == true)
    try #require(warnings.count == 1)
    #expect(warnings[0].contains(#""hard_neg_weight" has no effect beside "hard_neg_weights""#))
  }

  @Test func optionsMustGoTogether() throws {
    for flags in [["--hard-pool-size", "20", "30"], ["--min-pred-l", "16"], ["--full-eval-tasks", "[]"]] {
      let (run, _) = try RunConfiguration.load(task: .tvr, file: nil, arguments: flags)
      #expect(throws: DataError.self) { try TrainingRun(run, log: Said().log) }
    }
  }

  @Test func savedOptionsReadBackAsTheyWere() throws {
    let (run, _) = try RunConfiguration.load(
      task: RunTask(rawValue: "didemo_video_sub"), file: nil,
      arguments: ["--learning-rate", "7e-5", "--output-dir", "x", "--seed", "3"])
    let file = try folder.file("hps.json", run.json.encoded(style: .pretty))
    #expect(try RunConfiguration.read(hyperparameters: file) == run)
  }

  @Test func theReferencesCaptioningRunsAreKnownByTheirKeys() throws {
    let file = try folder.file("hps.json", #"{"train_db": "a", "val_db": "b", "lsr": 0.2, "n_gpu": 8}"#)
    let run = try RunConfiguration.read(hyperparameters: file)
    #expect(run.task == .tvc)
    #expect(run.labelSmoothing == 0.2)
    let silent = try folder.file("silent.json", "{}")
    #expect(throws: DataError.self) { try RunConfiguration.read(hyperparameters: silent) }
    #expect(try RunConfiguration.read(hyperparameters: silent, task: .violin).task == .violin)
  }

  @Test func helpListsEveryOptionOnce() {
    let help = RunOptions.help(for: .finetuning)
    for option in RunOptions.all where !option.families.isDisjoint(with: Set<TaskFamily>.finetuning) {
      let flag = "  --" + option.name.replacing("_", with: "-")
      let lines = help.split(separator: "\n").filter { $0 == flag || $0.hasPrefix(flag + " ") }
      #expect(lines.count == 1, "\(flag)")
    }
    #expect(help.split(separator: "\n").allSatisfy { $0.count <= RunOptions.width })
    let text = help.split(whereSeparator: \.isWhitespace).joined(separator: " ")
    #expect(text.contains("default: adam; captioning: adamw"))
    #expect(!help.contains("--img-db"))
  }
}

struct PretrainingTargetTests {
  private static let split =
    #"{"name": "all", "tasks": ["mlm", "fom"], "train_idx": "t.json", "val_idx": "v.json", "ratio": [2, 1]}"#

  private func load(
    _ targets: String, _ more: String = "", warn: (String) -> Void = { _ in }
  ) throws -> [PretrainingTarget] {
    let folder = try TemporaryFolder()
    let file = try folder.file(
      "c.json", #"{"txt_db": "/txt", "img_db": "/video/", "targets": \#(targets)\#(more)}"#)
    return try RunConfiguration.load(task: .pretrain, file: file, arguments: []).configuration
      .pretrainingTargets(warn: warn)
  }

  @Test func pathsAreJoined() throws {
    let targets = try load(
      """
      [{"name": "tv", "sub_txt_db": "tv_subtitles.db", "vfeat_db": "tv", "vfeat_interval": 1.5, "splits": [\(Self.split)]}]
      """, #", "targets_ratio": [3]"#)
    let target = try #require(targets.first)
    #expect(target.subtitles == "/txt/tv_subtitles.db")
    #expect(target.videos == ["/video/tv"])
    #expect(target.ratio == 3)
    #expect(target.splits[0].trainIDs == ["/txt/t.json"])
    #expect(target.splits[0].ratio == [2, 1])
  }

  @Test func shardsHaveTheirOwnIDs() throws {
    let split = Self.split.replacing(#""t.json""#, with: #"["a.json", "b.json"]"#)
    let targets = try load(
      """
      [{"name": "h", "sub_txt_db": "s", "vfeat_db": "ht", "vfeat_interval": 2, "vfeat_shards": ["0", "1"],
        "splits": [\(split)]}]
      """)
    #expect(targets[0].videos == ["/video/ht/0", "/video/ht/1"])
    #expect(targets[0].frameInterval == 2)
    #expect(targets[0].splits[0].trainIDs == ["/txt/a.json", "/txt/b.json"])
  }

  @Test func keysThatNothingReadsAreNamed() throws {
    var warnings: [String] = []
    let split = Self.split.replacing("ratio", with: "ratios")
    _ = try load(
      """
      [{"name": "tv", "sub_txt_db": "s", "vfeat_db": "v", "vfeatdb": 1, "splits": [\(split)]}]
      """, warn: { warnings.append($0) })
    #expect(
      warnings == [
        #"targets[0]: unknown key "vfeatdb" has no effect; did you mean "vfeat_db"?"#,
        #"targets[0].splits[0]: unknown key "ratios" has no effect; did you mean "ratio"?"#,
      ])
  }

  @Test(arguments: [
    ("[]", "targets"), (#"[{"name": "tv"}]"#, "targets[0].vfeat_db"),
    (#"[{"name": "tv", "sub_txt_db": "s", "vfeat_db": "v", "splits": []}]"#, "targets[0].splits"),
    (
      #"[{"name": "tv", "sub_txt_db": "s", "vfeat_db": "v", "splits": [{"name": "a", "tasks": ["mlmm"]}]}]"#,
      "targets[0].splits[0].tasks"
    ),
    (
      #"[{"name": "tv", "sub_txt_db": "s", "vfeat_db": "v", "vfeat_shards": [], "splits": []}]"#,
      "targets[0].vfeat_shards"
    ),
    (
      #"[{"name": "tv", "sub_txt_db": "s", "vfeat_db": "v", "vfeat_shards": ["a", "b", "a/"], "splits": []}]"#,
      "targets[0].vfeat_shards"
    ),
  ])
  func wrongEntriesAreNamed(targets: String, place: String) {
    let error = #expect(throws: DataError.self) { try load(targets) }
    #expect(error?.place == "key \"\(place)\"")
  }
}
