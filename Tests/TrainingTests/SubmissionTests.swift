import Engine
import Formats
import Foundation
import TestSupport
import Testing

@testable import Training

/// The files that VALUE's starter code wrote.
private enum SubmissionGolden {
  /// The folder with `submission.*`, or the fixtures where a small set has none.
  static let folder: String? = SharedData.valueGolden.map { url in
    let there = FileManager.default.fileExists(atPath: url.path + "/submission.tvr.json")
    return there ? url.path + "/submission." : Fixtures.path("golden/submissions/")
  }

  static func read(_ name: String) throws -> JSON {
    try JSON.read(path: try #require(folder) + name)
  }
}

/// VALUE's submission format, against the files that its starter code wrote.
@Suite("Submissions against VALUE", .enabled(if: SubmissionGolden.folder != nil))
struct SubmissionTests {
  /// Evaluates the reference's weights by a run that only validated.
  private func evaluate(
    _ task: RunTask, weights: String, store: String, _ arguments: [String] = [], submission: Submission
  ) throws -> (run: TinyRun, outcome: EvaluationRun.Outcome) {
    let run = try TinyRun()
    var options = try run.options(task)
    options["sub_ctx_len"] = 1
    options["num_train_steps"] = 0
    try run.train(task, options)
    // Nothing was learnt, and all was measured.
    let names = try FileManager.default.contentsOfDirectory(atPath: run.folder.path("run/results"))
    #expect(names.contains("val_results_0.json"))
    var place = submission
    place.path = run.folder.path(submission.path)
    let outcome = try EvaluationRun(
      path: run.folder.path("run"), task: nil, arguments: arguments, log: Said().log
    ).run(
      checkpoint: SharedData.golden.path + "/expected/\(weights).pt", split: "val",
      store: TinyRun.store(store), submission: place, backend: try CPUBackend())
    return (run, outcome)
  }

  @Test func momentsAndVideos() throws {
    let (run, outcome) = try evaluate(
      .tvr, weights: "tvr", store: "tvr_val", ["--max-vcmr-video", "3", "--eval-with-query-type"],
      submission: Submission("out/", form: .value))
    let folder = run.folder.path("out/results_tvr_val")
    let written = try JSON.read(path: "\(folder)/results_tvr_all.json")
    let wanted = try SubmissionGolden.read("tvr.json")
    let scored = try SubmissionGolden.read("tvr.with_scores.json")
    #expect(Set(written.object?.keys ?? []) == ["VCMR", "SVMR", "VR"])
    for task in ["VCMR", "SVMR", "VR"] {
      let (own, theirs) = (try #require(written[task]?.array), try #require(wanted[task]?.array))
      #expect(own.map { $0["desc_id"] } == theirs.map { $0["desc_id"] })
      for (query, (a, b)) in zip(own, theirs).enumerated() {
        #expect(Set(a.object?.keys ?? []) == ["desc_id", "predictions"])
        let scores = try #require(scored[task]?.array?[query]["predictions"]?.array).map {
          $0.array?.last?.double ?? 0
        }
        let (a, b) = (try #require(a["predictions"]?.array), try #require(b["predictions"]?.array))
        let counted = scores.count { $0 != 0 }
        #expect(a.count == counted)
        for place in 0..<min(a.count, counted) where !Self.same(a[place], b[place]) {
          // Predictions that differ by less than float32 tells may stand in either order.
          let other = (0..<counted).first { Self.same(a[place], b[$0]) }
          let tie = other.map { abs(scores[$0] - scores[place]) <= 1e-4 * abs(scores[place]) } ?? false
          #expect(tie, "\(task), query \(query), place \(place)")
        }
      }
    }
    let scores = try JSON.read(path: "\(folder)/scores_tvr.json")
    let figures = try #require(try SubmissionGolden.read("tvr.scores.json").object)
    var compared = 0
    // Ranks past the last answer are VALUE's padding, of which some hit.
    for (name, value) in figures where !name.hasSuffix("r100") {
      guard let own = scores[name]?.double else { continue }
      #expect(own == value.double, "\(name)")
      compared += 1
    }
    #expect(compared > 60 && outcome.report.scalars.count >= compared)
  }

  private static func same(_ a: JSON, _ b: JSON) -> Bool {
    if a.int != nil { return a == b }
    let (a, b) = (a.array?.compactMap(\.double) ?? [], b.array?.compactMap(\.double) ?? [])
    return a.count == b.count && zip(a, b).allSatisfy { abs($0 - $1) < 1e-3 }
  }

  @Test func videosAreAPlainList() throws {
    let task = try #require(RunTask(rawValue: "yc2r"))
    let (run, outcome) = try evaluate(
      task, weights: "tvr", store: "tvr_val", ["--max-vr-video", "3"],
      submission: Submission("yc2r.json", form: .value))
    #expect(try JSON.read(path: run.folder.path("yc2r.json")) == SubmissionGolden.read("yc2r.json"))
    let figures = try SubmissionGolden.read("yc2r.scores.json")
    let own = Dictionary(uniqueKeysWithValues: outcome.report.scalars.map { ($0.name, $0.value) })
    let wanted = try #require(figures.object)
    #expect(!wanted.isEmpty)
    for (name, value) in wanted { #expect(own[name] == value.double, "\(name)") }
  }

  @Test func answers() throws {
    let (run, _) = try evaluate(
      .tvqa, weights: "tvqa", store: "tvqa_val", submission: Submission("tvqa.json", form: .value))
    #expect(try JSON.read(path: run.folder.path("tvqa.json")) == SubmissionGolden.read("tvqa.json"))
  }

  @Test func statements() throws {
    let (run, _) = try evaluate(
      .violin, weights: "tvqa", store: "violin_val", submission: Submission("violin.json", form: .value))
    #expect(try JSON.read(path: run.folder.path("violin.json")) == SubmissionGolden.read("violin.json"))
  }
}

/// Files of weights for other programs, and folders of the reference.
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
  }
}
