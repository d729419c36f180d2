import Formats
import Foundation
import TestSupport
import Testing

@testable import Training

/// The checks that keep a run's folder to one run and one process.
struct RunFolderSafetyTests {
  private let temporary: TemporaryFolder
  private let folder: RunFolder

  init() throws {
    temporary = try TemporaryFolder()
    folder = RunFolder(path: temporary.root)
  }

  @Test func aFolderIsOneProcessesAtATime() throws {
    do {
      let lock = try RunLock(folder: folder)
      let error = try #require(throws: DataError.self) { try RunLock(folder: folder) }
      #expect(error.problem.contains("process \(getpid())"))
      #expect(error.problem.contains(ProcessInfo.processInfo.hostName))
      withExtendedLifetime(lock) {}
    }
    _ = try RunLock(folder: folder)
  }

  /// A dead process of this machine holds no lock, although the file names it.
  @Test func whatADeadProcessLeftIsTaken() throws {
    let file = "\(folder.path)/run.lock"
    try "host \(ProcessInfo.processInfo.hostName) process 1".write(
      toFile: file, atomically: false, encoding: .utf8)
    _ = try RunLock(folder: folder)
    try "host elsewhere.example process 7".write(toFile: file, atomically: false, encoding: .utf8)
    let error = try #require(throws: DataError.self) { try RunLock(folder: folder) }
    #expect(error.problem.contains("elsewhere.example process 7") && error.cure?.contains(file) == true)
  }

  @Test func optionsThatChangeWhatIsLearntAreNamed() throws {
    var before = RunConfiguration(task: .tvr)
    before.learningRate = 1e-4
    var now = before
    now.validSteps = 7
    now.outputDirectory = "elsewhere"
    now.maxVideosPerMomentQuery = 3
    try now.requireUnchanged(since: before, folder: folder)
    now.learningRate = 2e-4
    now.trainBatchSize += 1
    #expect(now.changes(since: before).map(\.name) == ["train_batch_size", "learning_rate"])
    let error = try #require(throws: DataError.self) {
      try now.requireUnchanged(since: before, folder: folder)
    }
    #expect(error.problem.contains("learning_rate was 0.0001, now 0.0002"))
  }

  /// A run resumes in its recorded precision, which is fp32 if it recorded none.
  @Test func anotherPrecisionIsAChange() throws {
    var before = RunConfiguration(task: .tvr)
    var now = before
    now.recordedPrecision = .fp32
    try now.requireUnchanged(since: before, folder: folder)
    before.recordedPrecision = .bf16
    try folder.create(configuration: before, modelConfiguration: [:], resuming: false)
    #expect(try folder.configuration().recordedPrecision == .bf16)
    let error = try #require(throws: DataError.self) {
      try now.requireUnchanged(since: before, folder: folder)
    }
    #expect(error.problem.contains(#"precision was "bf16", now "fp32""#))
    #expect(error.cure?.contains("--resume-changed") == true)
  }

  /// A run without a recorded precision of moments kept them in fp32.
  @Test func otherMomentsAreAChange() throws {
    let before = RunConfiguration(task: .tvr)
    try folder.create(configuration: before, modelConfiguration: [:], resuming: false)
    var object = try #require(before.json.object)
    object["moments_precision"] = nil
    try JSON.object(object).encoded(style: .pretty).write(
      toFile: folder.hyperparameters, atomically: true, encoding: .utf8)
    var now = before
    try now.requireUnchanged(since: try folder.configuration(), folder: folder)
    now.momentsPrecision = .bf16
    let error = try #require(throws: DataError.self) {
      try now.requireUnchanged(since: try folder.configuration(), folder: folder)
    }
    #expect(error.problem.contains(#"moments_precision was "fp32", now "bf16""#))
    #expect(error.cure?.contains("--resume-changed") == true)
  }

  @Test func theNewestAndTheBestCheckpointsAreKept() throws {
    try folder.create(configuration: RunConfiguration(task: .tvr), modelConfiguration: [:], resuming: false)
    for name in (1...5).map({ "\($0).safetensors" }) + ["1.pt"] {
      try Data().write(to: URL(fileURLWithPath: "\(folder.checkpoints)/model_step_\(name)"))
    }
    try folder.record(RunFolder.Best(step: 2, metric: "accuracy", value: 1))
    folder.prune(keeping: 2)
    #expect(folder.savedCheckpoints().map(\.step) == [1, 2, 4, 5])
  }
}
