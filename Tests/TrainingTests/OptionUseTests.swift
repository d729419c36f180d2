import Engine
import Formats
import TestSupport
import Testing

@testable import Training

/// Every option of every family is read, refused or reported as without effect.
struct OptionUseTests {
  private static func task(_ name: String) -> RunTask { RunTask(rawValue: name) ?? .tvr }

  private static let tasks: [RunTask] = [
    .tvr, task("didemo_video_only"), task("msrvtt_video_sub"), task("msrvtt_video_only"), .tvqa, .violin,
    .tvc,
    .pretrain,
  ]

  /// Checks that training reads exactly the options of its task, except those reported as idle.
  private func check(_ task: RunTask, _ options: JSONObject, _ run: TinyRun, _ note: String) throws {
    let (configuration, said) = try run.train(task, options)
    let declared = Set(RunOptions.used(by: task.family).map(\.name)).subtracting(["task"])
    let idle = configuration.idleNames
    let read = configuration.use.read
    #expect(declared.subtracting(idle).subtracting(read) == [], "\(note): not read")
    // Each of several tasks reads options of its own dataset.
    let own =
      task.family == .multitask
      ? Set(RunOptions.all.filter { !$0.families.contains(task.family) }.map(\.name)) : []
    #expect(read.subtracting(declared.subtracting(idle)).subtracting(own) == [], "\(note): read all the same")
    #expect(!said.contains("options that had no effect"), "\(note): \(said)")
  }

  @Test(arguments: tasks + [.multitask]) func aTrainingReadsWhatItDeclares(task: RunTask) throws {
    let run = try TinyRun()
    var options = try run.options(task)
    options["checkpoint"] = .string(try weights(of: task, in: run))
    options["output_dir"] = .string(run.folder.path("from"))
    try check(task, options, run, task.rawValue)
  }

  /// Trains the weights to start from, and returns the run's folder.
  private func weights(of task: RunTask, in run: TinyRun) throws -> String {
    try run.train(task, run.options(task))
    return run.folder.path("run")
  }

  /// Options that make others idle, each with a task where they do.
  private static let idle: [(task: RunTask, changes: JSONObject)] = [
    (.tvr, ["lw_neg_q": 0, "lw_neg_ctx": 0]), (.tvr, ["ranking_loss_type": "lse"]),
    (.tvr, ["hard_negtiave_start_step": [-1]]), (.tvr, ["use_all_neg": false]), (.tvr, ["lw_st_ed": 0]),
    (.tvr, ["train_span_start_step": -1]), (.tvr, ["full_eval_tasks": ["VR"]]),
    (.tvr, ["val_query_txt_db": nil]), (.tvr, ["test_query_txt_db": nil]),
    (.tvr, ["val_query_txt_db": nil, "test_query_txt_db": nil]),
    (task("msrvtt_video_sub"), ["val_query_txt_db": nil, "test_query_txt_db": nil]),
    (.tvqa, ["val_query_txt_db": nil]), (.tvqa, ["val_query_txt_db": nil, "test_query_txt_db": nil]),
    (.violin, ["test_query_txt_db": nil]), (.tvc, ["val_db": nil]), (.tvc, ["val_db": nil, "test_db": nil]),
    (.pretrain, ["targets": ["mlm"]]), (.pretrain, ["targets": ["vsm"]]), (.pretrain, ["targets": ["mffr"]]),
    (.pretrain, ["targets": "interval"]), (.pretrain, ["lw_neg_q": 0, "lw_neg_ctx": 0]),
  ]

  @Test(arguments: idle.indices) func whatIsIdleIsNotRead(number: Int) throws {
    let (task, changes) = Self.idle[number]
    let run = try TinyRun()
    try check(task, try Self.options(task, changes, run), run, "\(task.rawValue) \(changes)")
  }

  private static func options(_ task: RunTask, _ changes: JSONObject, _ run: TinyRun) throws -> JSONObject {
    var options = try run.options(task)
    for (key, value) in changes { options[key] = value }
    if let objectives = changes["targets"] {
      options["targets"] = [
        objectives == "interval"
          ? run.target(["mlm"], interval: 1.5) : run.target(objectives.array?.compactMap(\.string) ?? [])
      ]
    }
    return options
  }

  /// The tests above try every rule, both where it holds and where it does not.
  @Test func everyRuleIsTried() throws {
    let run = try TinyRun()
    var started = try run.options(.tvr)
    started["checkpoint"] = "model.safetensors"
    let cases =
      try [(RunTask.tvr, started)]
      + (Self.tasks + [Self.task("qvhighlights")]).map { ($0, try run.options($0)) }
      + Self.idle.map { ($0.task, try Self.options($0.task, $0.changes, run)) }
    let configurations = try cases.map { task, options in
      var configuration = RunConfiguration(task: task)
      _ = try configuration.apply(options, file: "")
      return configuration
    }
    for rule in RunConfiguration.idleRules {
      #expect(configurations.contains { rule.holds($0) }, "\(rule.options): \(rule.reason)")
      #expect(configurations.contains { !rule.holds($0) }, "\(rule.options): \(rule.reason)")
    }
  }

  /// Values without effect are reported once, with the reason.
  @Test func whatIsIdleIsTold() throws {
    let run = try TinyRun()
    var options = try run.options(.tvr)
    for (key, value) in ["lsr": 0.2, "lr_mul": 10, "n_gpu": 8, "margin": 0.3] as JSONObject {
      options[key] = value
    }
    options["ranking_loss_type"] = "lse"
    let (_, said) = try run.train(.tvr, options)
    let lines = said.split(separator: "\n").filter { $0.contains("options without effect here") }
    try #require(lines.count == 1)
    for reason in [
      "lsr (only captioning reads it)", "lr_mul (only question answering, VIOLIN, captioning reads it)",
      "margin (ranking_loss_type is lse)", "n_gpu (each process",
    ] { #expect(lines[0].contains(reason), "\(lines[0])") }
    #expect(!lines[0].contains("fp16"))
  }

  // MARK: Runs that were made before

  @Test(arguments: tasks.dropLast()) func anEvaluationReadsWhatItDeclares(task: RunTask) throws {
    let run = try TinyRun()
    let options = try run.options(task)
    try run.train(task, options)
    let saved = try SavedRun(
      path: run.folder.path("run"), RunArguments(["--fp16"]), batchSize: 3, for: .evaluation, log: Said().log)
    let store = options["val_query_txt_db"]?.string ?? options["val_db"]?.string
    _ = try EvaluationRun([saved]).run(
      split: "train", store: try #require(store).replacing("_val", with: "_train"), backend: try CPUBackend())
    let configuration = saved.configuration
    #expect(configuration.use.read == Set(RunOptions.read(by: .evaluation, task).map(\.name)))
    for option in task.passOptions { #expect(configuration[dynamicMember: option] == 3) }
  }

  @Test(arguments: [RunTask.tvr, task("msrvtt_video_only")])
  func encodingAndSearchingReadWhatTheyDeclare(task: RunTask) throws {
    let run = try TinyRun()
    let options = try run.options(task)
    try run.train(task, options)
    let backend = try CPUBackend()
    func opened(_ work: RunWork) throws -> OpenedRetrieval {
      try OpenedRetrieval(
        SavedRun(path: run.folder.path("run"), for: work, log: Said().log), backend: backend)
    }
    let encoding = try opened(.encoding)
    _ = try encoding.reader(
      features: try #require(options["vfeat_db"]?.string), subtitles: options["sub_txt_db"]?.string, cls: 0)
    #expect(encoding.configuration.use.read == Set(RunOptions.read(by: .encoding, task).map(\.name)))
    let search = try opened(.search)
    _ = search.options
    let ranking = Set(RunOptions.read(by: .search, task).filter { $0.group == .evaluation }.map(\.name))
    #expect(!ranking.isEmpty && ranking.isSubset(of: search.configuration.use.read))
  }

  /// A flag that a command's work does not read is refused, and every other is accepted.
  @Test(arguments: RunWork.allCases, tasks + [.multitask]) func flagsOfOtherWorkAreRefused(
    work: RunWork, task: RunTask
  )
    throws
  {
    let read = Set(RunOptions.read(by: work, task).map(\.name))
    for option in RunOptions.all where option.name != "task" {
      let flags = try RunArguments(["--\(option.name)"] + Self.words(option, task.family))
      var configuration = RunConfiguration(task: task)
      if read.contains(option.name) || (option.group == .ignored && option.families.contains(task.family)) {
        try configuration.apply(flags, for: work)
      } else {
        let error = #expect(throws: UsageError.self, "\(option.name)") {
          try configuration.apply(flags, for: work)
        }
        #expect(error?.description.contains(option.name.replacing("_", with: "-")) == true)
      }
    }
  }

  /// Returns words for a value that the option accepts.
  private static func words(_ option: any AnyRunOption, _ family: TaskFamily) -> [String] {
    func word(_ value: JSON) -> String { value.string ?? value.encoded() }
    switch option.defaultJSON(for: family) {
    case .null: return [["channels": "both", "qa_lw_st_ed": "1"][option.name] ?? "x"]
    case .array(let values):
      return values.isEmpty ? (option.isStructured ? ["[]"] : ["1"]) : values.map(word)
    case let value: return option.isBoolean ? [] : [word(value)]
    }
  }

  @Test func aTaskOfAnotherFamilyIsRefused() throws {
    let run = try TinyRun()
    try run.train(.tvr, run.options(.tvr))
    let error = #expect(throws: DataError.self) {
      try SavedRun(path: run.folder.path("run"), task: .tvqa, for: .evaluation, log: Said().log)
    }
    #expect(error?.description.contains("was trained for tvr") == true)
  }
}

extension AnyRunOption {
  /// Whether its values are lists of objects.
  fileprivate var isStructured: Bool { self is RunOption<JSON> }
}
