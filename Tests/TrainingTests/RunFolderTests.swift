import Formats
import Foundation
import Testing

@testable import Training

struct RunFolderTests {
  private let temporary: TemporaryFolder
  private let folder: RunFolder

  init() throws {
    temporary = try TemporaryFolder()
    folder = RunFolder(path: temporary.path + "/run/")
  }

  private func touch(_ names: String...) throws {
    for name in names { _ = try temporary.file("run/ckpt/\(name)", "x") }
  }

  @Test func aRunIsNotOverwritten() throws {
    let run = RunConfiguration(task: .tvr)
    try folder.requireUnused()
    try folder.create(
      configuration: run, modelConfiguration: ["f_config": ["hidden_size": 8]], resuming: false)
    #expect(folder.holdsRun)
    let error = #expect(throws: DataError.self) {
      try folder.create(configuration: run, modelConfiguration: [:], resuming: false)
    }
    #expect(error?.cure?.contains("--resume") == true)
    #expect(try folder.configuration() == run)
    #expect(try JSON.read(path: folder.modelConfiguration) == ["f_config": ["hidden_size": 8]])
    try folder.create(configuration: run, modelConfiguration: ["a": 1], resuming: true)
    #expect(try JSON.read(path: folder.modelConfiguration) == ["a": 1])
  }

  @Test func otherFilesDoNotMakeARun() throws {
    _ = try temporary.file("run/notes.txt", "mine")
    try folder.requireUnused()
  }

  @Test func checkpointsAreFoundByStepNameAndFile() throws {
    try touch(
      "model_step_200.pt", "model_step_1000.pt", "model_step_1200_final.pt", "model_step_1000.safetensors",
      "restore.pt",
      "state_step_1000.safetensors", "model_step_x.pt")
    #expect(folder.savedCheckpoints().map(\.name) == ["200", "1000", "1000", "1200_final"])
    #expect(try folder.checkpoint(named: "1000").path.hasSuffix("/run/ckpt/model_step_1000.safetensors"))
    #expect(try folder.checkpoint(named: "200").path.hasSuffix("model_step_200.pt"))
    #expect(try folder.checkpoint(named: "1200").label == "1200_final")
    #expect(try folder.checkpoint(named: "1200_final").label == "1200_final")
    #expect(try folder.checkpoint(named: "latest").label == "1200_final")
    #expect(try folder.checkpoint(named: "best").label == "1200_final")
    let other = try temporary.file("elsewhere/hero-tv-ht100.pt", "x")
    #expect(try folder.checkpoint(named: other) == (other, "hero-tv-ht100"))
    let error = #expect(throws: DataError.self) { try folder.checkpoint(named: "7") }
    #expect(error?.cure?.contains("1200_final") == true)
  }

  @Test func theBestIsRemembered() throws {
    try folder.create(configuration: RunConfiguration(task: .tvr), modelConfiguration: [:], resuming: false)
    #expect(folder.best() == nil)
    try touch("model_step_1.safetensors", "model_step_2.safetensors", "model_step_3.safetensors")
    #expect(try folder.record(.init(step: 1, metric: "r1", value: 3)))
    #expect(try folder.record(.init(step: 2, metric: "r1", value: 4)))
    #expect(try !folder.record(.init(step: 3, metric: "r1", value: 4)))
    #expect(try !folder.record(.init(step: 3, metric: "loss", value: .nan)))
    #expect(folder.best() == .init(step: 2, metric: "r1", value: 4))
    #expect(try folder.checkpoint(named: "best").label == "2")
  }

  @Test func anEmptyFolderHoldsNoRun() {
    #expect(throws: DataError.self) { try folder.configuration() }
  }
}

struct TrainingStateTests {
  private let temporary: TemporaryFolder
  private let folder: RunFolder

  init() throws {
    temporary = try TemporaryFolder()
    folder = RunFolder(path: temporary.path)
    try folder.create(configuration: RunConfiguration(task: .tvr), modelConfiguration: [:], resuming: false)
  }

  private func state(_ step: Int) -> TrainingState {
    TrainingState(
      step: step, seed: 42, randomCounters: ["dropout": step * 7],
      positions: ["tvr": .init(epoch: 2, item: 96)],
      averages: ["loss/tvr": 1.25, "loss/none": 1e-300],
      tensors: [
        "model": [
          "a.weight": NDArray(floats: [1, -2, .infinity], shape: [3]), "b": NDArray(floats: [0.5], shape: []),
        ],
        "exp_avg": ["a.weight": NDArray(floats: [0, 0, 1e-30], shape: [3])],
      ])
  }

  @Test func aStateReadsBackAsItWas() throws {
    try folder.save(state(5))
    #expect(try folder.latestState { Issue.record("\($0)") } == state(5))
  }

  @Test func theLastTwoAreKept() throws {
    #expect(try folder.latestState { Issue.record("\($0)") } == nil)
    for step in [100, 200, 1000] { try folder.save(state(step)) }
    #expect(folder.savedStates().map(\.step) == [200, 1000])
    // A run that went on from 200 makes what came after it void.
    try folder.save(state(300))
    #expect(folder.savedStates().map(\.step) == [200, 300])
  }

  @Test func aDamagedStateLeavesTheOneBefore() throws {
    try folder.save(state(1))
    try folder.save(state(2))
    let path = folder.savedStates()[1].path
    let bytes = try Data(contentsOf: URL(fileURLWithPath: path))
    try bytes.prefix(bytes.count - 5).write(to: URL(fileURLWithPath: path))
    var warnings: [String] = []
    #expect(try folder.latestState { warnings.append($0) } == state(1))
    #expect(warnings.count == 1 && warnings[0].contains(path))
    try Data("{}".utf8).write(to: URL(fileURLWithPath: folder.savedStates()[0].path))
    #expect(throws: DataError.self) { try folder.latestState { _ in } }
  }

  @Test(arguments: [
    #"{"version": 2, "step": 1, "seed": 1}"#, #"{"version": 1, "step": -1, "seed": 1}"#, "[", "3",
    #"{"version": 1, "step": 1, "seed": 1, "random_counters": {"a": "b"}, "positions": {}, "averages": {}}"#,
    #"{"version": 1, "step": 1, "seed": 1, "random_counters": {}, "positions": {"a": {"epoch": 1}}, "averages": {}}"#,
  ])
  func strangeMetadataIsRefused(text: String) throws {
    let path = "\(temporary.path)/ckpt/state_step_1.safetensors"
    try Safetensors.write(path: path, tensors: [], metadata: ["hero_state": text])
    #expect(throws: DataError.self) { try TrainingState(path: path) }
  }
}
