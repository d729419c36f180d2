import Engine
import Formats
import Foundation
import TestSupport
import Testing

@testable import Training

/// The files that VALUE's starter code wrote.
private enum SubmissionGolden {
  /// The path of the files up to `submission.`, among the fixtures if a small set has none.
  static let folder: String? = SharedData.valueGolden.map { url in
    let there = FileManager.default.fileExists(atPath: url.path + "/submission.tvr.json")
    return there ? url.path + "/submission." : Fixtures.path("golden/submissions/submission.")
  }

  static func read(_ name: String) throws -> JSON {
    try JSON.read(path: try #require(folder) + name)
  }
}

/// VALUE's submission format, against the files that its starter code wrote.
@Suite("Submissions against VALUE", .enabled(if: SubmissionGolden.folder != nil))
struct SubmissionTests {
  /// The device, or the two ranks, that evaluate a split.
  enum Place: CaseIterable {
    case cpu, gpu, twoRanks

    static let all = allCases.filter { $0 != .gpu || TestDevice.exact.contains(.gpu) }
  }

  private static func options() throws -> JSON {
    try JSON.read(path: SharedData.golden.path + "/expected/options.json")
  }

  private static func evaluationOptions(queryTypes: Bool) throws -> JSONObject {
    var options = try #require(try options()["eval"]?.object)
    options["eval_with_query_type"] = .bool(queryTypes)
    return options
  }

  /// The results of one evaluation, or of the first of two ranks.
  private struct Evaluated: Sendable {
    let folder: TemporaryFolder
    let figures: [String: Double]
  }

  /// Evaluates the reference's weights in a run that only validated.
  private func evaluate(
    _ task: RunTask, weights: String, store: String, _ options: JSONObject = [:], submission: Submission,
    on place: Place
  ) throws -> Evaluated {
    let run = try TinyRun()
    var settings = try run.options(task)
    let golden = try Self.options()
    settings["sub_ctx_len"] = golden["sub_ctx_len"]
    settings["max_clip_len"] = golden["max_clip_len"]
    settings["num_train_steps"] = 0
    for (name, value) in options { settings[name] = value }
    try run.train(task, settings)
    // The run has trained nothing and measured everything.
    let names = try FileManager.default.contentsOfDirectory(atPath: run.folder.path("run/results"))
    #expect(names.contains("val_results_0.json"))
    let path = run.folder.path(submission.path)
    let form = submission.form
    let folder = run.folder
    @Sendable func evaluate(_ backend: any Backend, _ ranks: any Communicator) throws -> [String: Double] {
      let saved = try SavedRun(
        path: folder.path("run"), checkpoint: SharedData.golden.path + "/expected/\(weights).pt",
        for: .evaluation, log: Said().log, communicator: ranks)
      let outcome = try EvaluationRun([saved]).run(
        split: "val", store: TinyRun.store(store), submission: Submission(path, form: form), backend: backend)
      return Dictionary(uniqueKeysWithValues: outcome.report.scalars.map { ($0.name, $0.value) })
    }
    let figures =
      switch place {
      case .cpu: try evaluate(try CPUBackend(), SoleCommunicator.shared)
      case .gpu: try evaluate(try TestDevice.gpu.open(), SoleCommunicator.shared)
      case .twoRanks: try ThreadRanks.run(2) { try evaluate(try CPUBackend(), $0) }[0]
      }
    return Evaluated(folder: folder, figures: figures)
  }

  @Test(arguments: Place.all, ["tvr", "how2r"]) func momentsAndVideos(place: Place, task: String) throws {
    let found = try evaluate(
      try #require(RunTask(rawValue: task)), weights: "tvr", store: "\(task)_val",
      try Self.evaluationOptions(queryTypes: task == "tvr"), submission: Submission("out/", form: .value),
      on: place)
    let folder = found.folder.path("out/results_\(task)_val")
    let written = try JSON.read(path: "\(folder)/results_tvr_all.json")
    let wanted = try SubmissionGolden.read("\(task).json")
    let scored = try SubmissionGolden.read("\(task).with_scores.json")
    #expect(Set(written.object?.keys ?? []) == ["VCMR", "SVMR", "VR"])
    for task in ["VCMR", "SVMR", "VR"] {
      let (own, theirs) = (try #require(written[task]?.array), try #require(wanted[task]?.array))
      #expect(own.map { $0["desc_id"] } == theirs.map { $0["desc_id"] })
      for (query, (a, b)) in paired(own, theirs).enumerated() {
        #expect(Set(a.object?.keys ?? []) == ["desc_id", "predictions"])
        let scores = try #require(scored[task]?.array?[query]["predictions"]?.array).map {
          $0.array?.last?.double ?? 0
        }
        let (a, b) = (try #require(a["predictions"]?.array), try #require(b["predictions"]?.array))
        let counted = scores.count { $0 != 0 }
        #expect(a.count == counted)
        for place in 0..<min(a.count, counted) where !Self.same(a[place], b[place]) {
          // Predictions whose scores differ by less than float32 resolves may swap.
          let other = (0..<counted).first { Self.same(a[place], b[$0]) }
          let tie = other.map { abs(scores[$0] - scores[place]) <= 1e-4 * abs(scores[place]) } ?? false
          #expect(tie, "\(task), query \(query), place \(place)")
        }
      }
    }
    let scores = try JSON.read(path: "\(folder)/scores_tvr.json")
    let figures = try #require(try SubmissionGolden.read("\(task).scores.json").object)
    var (compared, left) = (0, Set<String>())
    // Ranks beyond the last answer are VALUE's padding, and some of it hits.
    for (name, value) in figures where !name.hasSuffix("r100") {
      guard let own = scores[name]?.double else {
        left.insert(name)
        continue
      }
      #expect(own == value.double, "\(name)")
      compared += 1
    }
    #expect(left == [], "\(left)")
    #expect(found.figures.count >= compared && compared > 0)
  }

  private static func same(_ a: JSON, _ b: JSON) -> Bool {
    if a.int != nil { return a == b }
    let (a, b) = (a.array?.compactMap(\.double) ?? [], b.array?.compactMap(\.double) ?? [])
    return a.count == b.count && paired(a, b).allSatisfy { abs($0 - $1) < 1e-3 }
  }

  @Test(arguments: Place.all) func videosAreAPlainList(place: Place) throws {
    let task = try #require(RunTask(rawValue: "yc2r"))
    let found = try evaluate(
      task, weights: "tvr", store: "tvr_val",
      ["max_vr_video": try #require(try Self.options()["eval"]?["max_vcmr_video"])],
      submission: Submission("yc2r.json", form: .value), on: place)
    #expect(try JSON.read(path: found.folder.path("yc2r.json")) == SubmissionGolden.read("yc2r.json"))
    let wanted = try #require(try SubmissionGolden.read("yc2r.scores.json").object)
    #expect(!wanted.isEmpty)
    for (name, value) in wanted { #expect(found.figures[name] == value.double, "\(name)") }
  }

  /// VALUE answers questions and statements with one head, TVQA's.
  @Test(arguments: Place.all, ["tvqa", "violin"]) func answers(place: Place, task: String) throws {
    let found = try evaluate(
      try #require(RunTask(rawValue: task)), weights: "tvqa", store: "\(task)_val",
      submission: Submission("answers.json", form: .value), on: place)
    #expect(try JSON.read(path: found.folder.path("answers.json")) == SubmissionGolden.read("\(task).json"))
  }
}

/// Exports of weights for other programs, and run folders of the reference.
struct ExportTests {
  @Test func aRunInPyTorchsForm() throws {
    let run = try TinyRun()
    try run.train(.tvr, run.options(.tvr))
    let folder = run.folder.path("run")
    let file = try RunExport(path: folder).run(checkpoint: "best", format: .pt)
    #expect(file == folder + "/ckpt/model_step_2.pt")
    let (torch, own) = (
      try TorchCheckpoint(path: file), try SafetensorsFile(path: folder + "/ckpt/model_step_2.safetensors")
    )
    #expect(torch.arrays.map(\.name) == own.entries.map(\.name))
    for (name, _) in torch.arrays { #expect(try torch.array(named: name) == own.array(named: name)) }
    #expect(torch.root.entries?.last?.key.string == "vocab_padded")
    #expect(throws: DataError.self) { try RunExport(path: folder).run(checkpoint: "best", format: .pt) }
    let back = try RunExport(path: folder).run(
      checkpoint: file, format: .safetensors, output: run.folder.path("back.safetensors"))
    let copy = try SafetensorsFile(path: back)
    for entry in own.entries { #expect(try copy.array(named: entry.name) == own.array(named: entry.name)) }
  }

  /// A file's extension gives its format, and an option may not contradict it.
  @Test func aNameOfAnotherFormatIsRefused() throws {
    let run = try TinyRun()
    try run.train(.tvr, run.options(.tvr))
    let export = RunExport(path: run.folder.path("run"))
    let named = try export.run(checkpoint: "best", output: run.folder.path("x.safetensors"))
    #expect(try !SafetensorsFile(path: named).entries.isEmpty)
    #expect(
      try TorchCheckpoint(path: export.run(checkpoint: "best", output: run.folder.path("x.v2"))).arrays
        .isEmpty == false)
    for (format, name) in [
      (RunExport.Format.pt, "y.safetensors"), (.safetensors, "y.PT"), (.hub, "y.bin"), (nil, "y.npz"),
    ] {
      let error = #expect(throws: UsageError.self) {
        try export.run(checkpoint: "best", format: format, output: run.folder.path(name))
      }
      #expect(error.map { "\($0)" }?.contains("is named as a .") == true)
      #expect(!FileManager.default.fileExists(atPath: run.folder.path(name)))
    }
  }

  @Test func aRunOfTheReferenceIsNotResumed() throws {
    let run = try TinyRun()
    let options = try run.options(.tvr)
    try FileManager.default.createDirectory(
      atPath: run.folder.path("run/log"), withIntermediateDirectories: true)
    try AtomicFile.write(JSON.object(options).encoded(), to: run.folder.path("run/log/hps.json"))
    try FileManager.default.copyItem(
      atPath: SharedData.golden.path + "/expected/tvr.pt", toPath: run.folder.path("run/restore.pt"))
    let file = try run.folder.file("run.json", JSON.object(options).encoded())
    let (configuration, _) = try RunConfiguration.load(task: nil, file: file, arguments: [])
    let error = try #require(throws: DataError.self) {
      try TrainingRun(configuration, log: Said().log).run(.resumed, backend: try CPUBackend())
    }
    #expect(error.file?.hasSuffix("restore.pt") == true && error.cure?.contains("--checkpoint") == true)
    // A folder without its log is refused too.
    try FileManager.default.removeItem(atPath: run.folder.path("run/log"))
    let alone = try #require(throws: DataError.self) {
      try TrainingRun(configuration, log: Said().log).run(.resumed, backend: try CPUBackend())
    }
    #expect(alone.file?.hasSuffix("restore.pt") == true)
  }
}
