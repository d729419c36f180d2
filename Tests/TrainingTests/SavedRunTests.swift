import Engine
import Formats
import Foundation
import TestSupport
import Testing

@testable import Training

/// A saved run that another command uses.
@Suite("Saved runs")
struct SavedRunTests {
  private let run: TinyRun
  private var path: String { run.folder.path("run") }

  /// Makes a run that only validates.
  init() throws {
    run = try TinyRun()
    var options = try run.options(.tvqa)
    options["num_train_steps"] = 0
    options["task"] = "tvqa_sub_only"
    try run.train(.tvqa, options)
  }

  private func saved(
    task: String? = nil, checkpoint: String = "latest", _ flags: [String] = [], batchSize: Int? = nil
  ) throws -> SavedRun {
    try SavedRun(
      path: path, checkpoint: checkpoint, task: task.flatMap(RunTask.init(rawValue:)),
      try RunArguments(flags), batchSize: batchSize, for: .evaluation, log: Said().log)
  }

  /// Options come from the run, and flags override them.
  @Test func optionsAreTheRunsOwn() throws {
    let own = try saved()
    #expect(own.configuration.task.rawValue == "tvqa_sub_only" && own.checkpoint.label == "0")
    #expect(own.configuration.maxClipLength == 20 && own.configuration.valBatchSize == 7)
    let other = try saved(["--max-clip-len", "9"], batchSize: 3)
    #expect(other.configuration.maxClipLength == 9 && other.configuration.valBatchSize == 3)
    #expect(throws: UsageError.self) { try saved(["--val-batch-size", "4"], batchSize: 3) }
  }

  /// A task's name without channels means the run's own channels.
  @Test func channelsAreTheRunsOwn() throws {
    for task in [nil, "tvqa", "tvqa_sub_only"] {
      let run = try saved(task: task)
      #expect(run.configuration.videoChannels == .subtitles)
      try run.require(.subtitles)
      let error = try #require(throws: DataError.self) { try run.require(.video) }
      #expect(error.file == path && "\(error)".contains("subtitles alone"))
    }
    // Both names give the same figures bit for bit.
    let figures = try [nil, "tvqa"].map { task in
      try EvaluationRun([saved(task: task)]).run(
        split: "val", store: TinyRun.store("tvqa_val"), overwrites: true, backend: try CPUBackend()
      ).report.scalars.map(\.value)
    }
    #expect(figures[0] == figures[1] && !figures[0].isEmpty)
  }

  /// Anything missing is named before any work, with a cure.
  @Test func whatIsMissingIsNamed() throws {
    #expect(throws: DataError.self) { try saved(task: "tvr") }
    #expect(throws: DataError.self) { try saved(checkpoint: "7") }
    let file = path + "/log/hps.json"
    var options = try JSON.read(path: file)
    options["vfeat_db"] = "moved/video_db"
    try AtomicFile.write(options.encoded(), to: file)
    let error = try #require(throws: DataError.self) { try saved() }
    #expect(error.file == file && error.cure == "Give --vfeat-db" && error.problem.contains("moved/video_db"))
    let known = try saved(["--vfeat-db", SharedData.golden.path + "/db/video_db/tv"])
    #expect(known.configuration.videos?.hasSuffix("/tv") == true)
    try FileManager.default.removeItem(atPath: file)
    #expect(throws: DataError.self) { try saved() }
  }
}
