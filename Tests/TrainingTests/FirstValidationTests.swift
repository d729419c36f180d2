import Corpus
import Engine
import Formats
import Foundation
import Tasks
import TestSupport
import Testing

@testable import Training

/// A run checks the needs of its first validation before its first update.
///
/// A run that cannot begin leaves its folder as it was.
struct FirstValidationTests {
  private let run: TinyRun

  init() throws { run = try TinyRun() }

  private static func task(_ name: String) -> RunTask { RunTask(rawValue: name) ?? .tvr }

  private func refused(_ task: RunTask, _ options: JSONObject) throws -> String {
    let error = #expect(throws: DataError.self) { try run.train(task, options) }
    #expect(!FileManager.default.fileExists(atPath: run.folder.path("run")), "\(task.rawValue)")
    return error?.description ?? ""
  }

  /// Returns a copy of the golden features without a split's videos.
  private func features(without split: String) throws -> String {
    let (golden, copy) = (SharedData.golden.path + "/db/video_db/tv", run.folder.path("without_\(split)"))
    try FileManager.default.copyItem(atPath: golden, toPath: copy)
    let splits = try JSON.read(path: SharedData.golden.path + "/corpus/ann/vid2dur_idx.json")
    var counts = try #require(try JSON.read(path: copy + "/id2nframe.json").object)
    for name in try #require(splits[split]?.object).keys { counts[name] = nil }
    try FileManager.default.removeItem(atPath: copy + "/id2nframe.json")
    try AtomicFile.write(JSON.object(counts).encoded(), to: copy + "/id2nframe.json")
    return copy
  }

  @Test(arguments: ["tvqa", "violin", "tvc"], ["val", "test"])
  func aSplitWithoutItsVideos(task: String, split: String) throws {
    let task = Self.task(task)
    var options = try run.options(task)
    options["vfeat_db"] = .string(try features(without: split))
    let said = try refused(task, options)
    #expect(said.contains("cannot be used; the first: ") && !said.contains(".."), "\(said)")
  }

  /// Items in both the training and a validation split are reported, in every family.
  @Test(arguments: [
    ("tvr", "val_query_txt_db", "train_query_txt_db"), ("tvqa", "test_query_txt_db", "train_query_txt_db"),
    ("tvc", "val_db", "train_db"),
  ])
  func itemsOfTwoSplits(task: String, measured: String, trained: String) throws {
    var options = try run.options(Self.task(task))
    #expect(try shared(options).isEmpty)
    options[measured] = options[trained]
    let notes = try shared(options)
    #expect(
      notes.count == 1 && notes[0].contains("figures of what a run was trained on say little"), "\(notes)")
  }

  @Test func itemsOfTwoSplitsOfSeveralTasks() throws {
    var options = try run.options(.multitask)
    #expect(try shared(options).isEmpty)
    let trained = try #require(options["train_datasets"]?.array)
    options["val_datasets"] = .array(
      trained.map { entry in
        var entry = entry.object ?? [:]
        if entry["cap_txt_db"] != nil {
          entry["cap_txt_db"] = nil
          entry["gt_anno"] = .string(SharedData.golden.path + "/corpus/ann/tvc_train.jsonl")
        }
        return .object(entry)
      })
    let notes = try shared(options)
    #expect(notes.count == 4, "\(notes)")
    // The captions of a file are those of the store.
    options = try run.options(.tvc)
    options["val_db"] = nil
    options["val_ref"] = .string(SharedData.golden.path + "/corpus/ann/tvc_train.jsonl")
    #expect(try shared(options).count == 1)
  }

  @Test func videosOfTwoListsOfPretraining() throws {
    var options = try run.options(.pretrain)
    #expect(try shared(options, .pretrain).isEmpty)
    let list = SharedData.golden.path + "/db/txt_db/pretrain_splits/tv_train.json"
    let target = run.target(["mlm"])
    var split = try #require(target["splits"]?.array?.first)
    func put(_ path: String) {
      split["val_idx"] = .string(path)
      var changed = target
      changed["splits"] = [split]
      options["targets"] = [changed]
    }
    put(list)
    #expect(try shared(options, .pretrain).first?.contains("videos, such as") == true)
    put(try run.folder.file("none.json", "[]"))
    #expect(try shared(options, .pretrain).first?.contains("lists no videos") == true)
  }

  private func shared(_ options: JSONObject, _ task: RunTask? = nil) throws -> [String] {
    let file = try run.folder.file("shared.json", JSON.object(options).encoded())
    return SharedItems.notes(
      of: try RunConfiguration.load(task: task, file: file, arguments: []).0, OpenedStores())
  }

  /// A `query_data.jsonl` that belongs to another store is reported or refused.
  @Test func annotationsOfAnotherStore() throws {
    func opened(_ name: String, _ change: (String) -> String) throws -> (
      queries: KnownQueries, told: [String]
    ) {
      let store = run.folder.path(name)
      try FileManager.default.copyItem(atPath: TinyRun.store("tvr_val"), toPath: store)
      let text = try String(contentsOfFile: store + "/query_data.jsonl", encoding: .utf8)
      try AtomicFile.write(change(text), to: store + "/query_data.jsonl")
      _ = NoticeLog.shared
      let queries = try KnownQueries(QueryStore(path: store), for: .tvr, skips: SkipReport())
      return (queries, NoticeLog.shared.about(store))
    }
    #expect(try opened("same.db") { $0 }.told.isEmpty)
    let half = try opened("half.db") { $0.split(separator: "\n").prefix(7).joined(separator: "\n") }
    #expect(half.queries.truthCount == 7 && half.told.joined().contains("lacks 8 of the 15 queries"))
    let moved = try opened("moved.db") { $0.replacing("\"ts\": [", with: "\"ts\": [[0.5, 1.5]], \"old\": [") }
    #expect(
      moved.queries.truthCount == 15 && moved.told.count == 10
        && moved.told.allSatisfy { $0.contains("is found at 0.5-1.5 s, the store that it is at") },
      "\(moved.told)")
    // A command's end reports the count of the others.
    Notice.tellRest()
    let rest = NoticeLog.shared.about(run.folder.path("moved.db")).suffix(1)
    #expect(rest.first?.hasPrefix("… and 5 more: queries of ") == true, "\(rest)")
    let error = try #require(throws: DataError.self) {
      try opened("other.db") { $0.replacing("\"desc_id\": ", with: "\"desc_id\": 9") }
    }
    #expect("\(error)".contains("query_data.jsonl: has none of the 15 queries of its store"), "\(error)")
  }

  /// A name in another Unicode normalization is reported as such, although most queries are usable.
  @Test func aVideoUnderAnotherSpelling() throws {
    let queries = try QueryStore(path: TinyRun.store("tvr_val"))
    let other = try #require(queries.videos.first)
    let candidates = CandidateVideos(
      queries.videos.enumerated().map { place, name in
        (name.hasSameBytes(as: other) ? name + ".mp4" : name, place)
      })
    _ = NoticeLog.shared
    try AskableQueries.require(queries, in: candidates)
    let told = NoticeLog.shared.about("is perhaps")
    #expect(told.contains { $0.contains("\"\(other)\" is perhaps \"\(other).mp4\" there") }, "\(told)")
  }

  /// Candidate videos missing from every store are refused.
  ///
  /// The queries of a test split do not say which videos are theirs.
  @Test(arguments: ["tvr", "msrvtt_video_sub"]) func candidatesThatAreMissing(task: String) throws {
    let task = Self.task(task)
    var options = try run.options(task)
    let copy = run.folder.path("subtitles.db")
    try FileManager.default.copyItem(atPath: TinyRun.store("tv_subtitles"), toPath: copy)
    var splits = try JSON.read(path: copy + "/vid2dur_idx.json")
    var listed = try #require(splits["test"]?.object)
    for number in 0...listed.count { listed["nowhere\(number)"] = [12.5, .int(900 + number)] }
    splits["test"] = .object(listed)
    try FileManager.default.removeItem(atPath: copy + "/vid2dur_idx.json")
    try AtomicFile.write(splits.encoded(), to: copy + "/vid2dur_idx.json")
    options["sub_txt_db"] = .string(copy)
    let said = try refused(task, options)
    #expect(said.contains("candidate videos cannot be used; the first: "), "\(said)")
  }

  /// A store whose tokenizer has more tokens than the model is refused.
  @Test func aModelOfOtherWords() throws {
    var options = try run.options(.tvr)
    var model = try JSON.read(path: try #require(options["model_config"]?.string))
    for part in ["f_config", "q_config"] { model[part]?["vocab_size"] = 104 }
    options["model_config"] = .string(try run.folder.file("few-words.json", model.encoded()))
    let said = try refused(.tvr, options)
    #expect(said.contains("has 552 tokens at least, the model knows 104"), "\(said)")
  }

  @Test func aCaptionStoreThatIsNotThere() throws {
    var options = try run.options(.tvc)
    options["val_db"] = "/nowhere/val.db"
    #expect(try refused(.tvc, options).contains("/nowhere/val.db"))
  }

  @Test func referencesOfAnotherSplit() throws {
    var options = try run.options(.tvc)
    options["val_ref"] = .string(SharedData.golden.path + "/corpus/ann/tvc_test.jsonl")
    #expect(try refused(.tvc, options).contains("none of its 9 clips"))
  }

  /// An unreadable row of references is skipped by name.
  @Test func aReferenceThatCannotBeRead() throws {
    var options = try run.options(.tvc)
    let rows = try String(
      contentsOfFile: SharedData.golden.path + "/corpus/ann/tvc_val.jsonl", encoding: .utf8)
    options["val_ref"] = .string(
      try run.folder.file("references.jsonl", rows + #"{"vid_name": "a", "clip_id": 3, "ts": [2, 1]}"# + "\n")
    )
    let (_, said) = try run.train(.tvc, options)
    #expect(said.contains("left out: ") && said.contains("clip 3: \"ts\" is [2,1]"), "\(said)")
  }

  /// The command chooses the precision, and a different one in the file is reported.
  @Test(arguments: [("bf16", true), ("fp32", false)])
  func aPrecisionInTheFileIsTold(precision: String, isTold: Bool) throws {
    var options = try run.options(.violin)
    options["precision"] = .string(precision)
    let (_, said) = try run.train(.violin, options)
    #expect(said.contains(#""precision" is "bf16" in the file"#) == isTold, "\(said)")
  }

  // MARK: Going on

  @discardableResult
  private func resume(_ options: JSONObject, _ beginning: TrainingRun.Beginning) throws -> String {
    let file = try run.folder.file("again.json", JSON.object(options).encoded())
    let (configuration, _) = try RunConfiguration.load(file: file, arguments: [])
    let said = Said()
    try TrainingRun(configuration, log: said.log).run(beginning, backend: try CPUBackend())
    return said.text.replacing("\n", with: " ")
  }

  /// Returns everything in the run's folder but the log and the lock.
  private func content() throws -> [String: Data] {
    let folder = run.folder.path("run")
    let names = try FileManager.default.subpathsOfDirectory(atPath: folder)
    return Dictionary(
      uniqueKeysWithValues: names.filter { !$0.hasSuffix("log.txt") && !$0.hasSuffix("run.lock") }.map {
        ($0, (try? Data(contentsOf: URL(fileURLWithPath: "\(folder)/\($0)"))) ?? Data())
      })
  }

  @Test func aStateOfAnotherModelLeavesTheRunAsItWas() throws {
    var options = try run.options(.tvr)
    try run.train(.tvr, options)
    let before = try content()
    var model = try JSON.read(path: try #require(options["model_config"]?.string))
    for part in ["f_config", "c_config", "q_config", "d_config"] { model[part]?["hidden_size"] = 16 }
    options["model_config"] = .string(try run.folder.file("narrow.json", model.encoded()))
    options["num_train_steps"] = 4
    let error = #expect(throws: DataError.self) { try resume(options, .resumedWithChanges) }
    #expect(error?.problem.contains("in another shape") == true)
    #expect(try content() == before)
  }

  /// A state that another program changed, without hero's own hash, is refused.
  @Test(arguments: [
    ("exp_avg_sq", "has a mean of squares below 0"), ("model", "in another shape or type"),
    ("counters", "has moments of no update"),
  ])
  func aStateThatContradictsItselfLeavesTheRunAsItWas(what: String, problem: String) throws {
    var options = try run.options(.violin)
    try run.train(.violin, options)
    let state = try SafetensorsFile(path: run.folder.path("run/ckpt/state_step_2.safetensors"))
    let parameter = "v_encoder.f_encoder.embeddings.LayerNorm.bias"
    var tensors = try state.entries.map { ($0.name, try state.array($0)) }
    var metadata = state.metadata
    if what == "counters" {
      metadata["hero_state"] = metadata["hero_state"]?.replacing("\"updates.\(parameter)\":2,", with: "")
      #expect(metadata != state.metadata)
    } else {
      let place = try #require(tensors.firstIndex { $0.0 == "\(what).\(parameter)" })
      let (shape, count) = (tensors[place].1.shape, tensors[place].1.count)
      tensors[place].1 =
        what == "model"
        ? try NDArray(shape: shape, type: .int32, bytes: [UInt8](repeating: 0, count: 4 * count))
        : NDArray(floats: [Float](repeating: -1, count: count), shape: shape)
    }
    try Safetensors.write(path: state.path, tensors: tensors, metadata: metadata)
    let before = try content()
    options["num_train_steps"] = 4
    let error = #expect(throws: DataError.self) { try resume(options, .resumedWithChanges) }
    #expect(error?.problem.contains(problem) == true && error?.place?.contains(parameter) == true)
    #expect(try content() == before)
  }

  @Test func fewerUpdatesThanAreDoneAreRefused() throws {
    var options = try run.options(.violin)
    try run.train(.violin, options)
    let before = try content()
    options["num_train_steps"] = 1
    let error = #expect(throws: DataError.self) { try resume(options, .resumedWithChanges) }
    #expect(error?.problem == "the run has done 2 updates, the command asks for 1")
    #expect(try content() == before)
  }

  /// Parameters that the model lacks are reported.
  @Test func parametersWithoutAPlaceAreTold() throws {
    var options = try run.options(.violin)
    try run.train(.violin, options)
    let state = try SafetensorsFile(path: run.folder.path("run/ckpt/state_step_2.safetensors"))
    let extra = ("model.other_head.bias", NDArray(floats: [1], shape: [1]))
    try Safetensors.write(
      path: state.path, tensors: try state.entries.map { ($0.name, try state.array($0)) } + [extra],
      metadata: state.metadata)
    options["num_train_steps"] = 4
    let said = try resume(options, .resumedWithChanges)
    #expect(said.contains("no place for 1 of its parameters, such as \"other_head.bias\""), "\(said)")
  }

  @Test func aRunWhoseStatesAreGoneIsNotBegunAnew() throws {
    let options = try run.options(.tvr)
    try run.train(.tvr, options)
    let states = run.folder.path("run/ckpt/state_step_2.safetensors")
    try FileManager.default.removeItem(atPath: states)
    let before = try content()
    let error = #expect(throws: DataError.self) { try resume(options, .resumed) }
    #expect(error?.cure?.contains("--output-dir ANOTHER") == true)
    #expect(try content() == before)
  }

  // MARK: Elsewhere

  /// Stores that the run names by relative paths from another folder need a flag.
  @Test func storesThatAreElsewhereAreNamedByTheirFlag() throws {
    let options = try run.options(.tvr)
    try run.train(.tvr, options)
    let file = run.folder.path("run/log/hps.json")
    for name in ["vfeat_db", "sub_txt_db"] {
      var saved = try JSON.read(path: file)
      saved[name] = "db/elsewhere"
      try AtomicFile.write(saved.encoded(), to: file)
      let flag = "--\(name.replacing("_", with: "-"))"
      func open(_ arguments: [String]) throws {
        _ = try SavedRun(
          path: run.folder.path("run"), RunArguments(arguments), for: .evaluation, log: Said().log)
      }
      let error = #expect(throws: DataError.self) { try open([]) }
      #expect(error?.file == file && error?.cure == "Give \(flag)")
      try open([flag, SharedData.golden.path])
      saved[name] = options[name]
      try AtomicFile.write(saved.encoded(), to: file)
    }
  }
}
