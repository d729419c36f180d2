import Formats
import Foundation
import TestSupport
import Testing

@testable import Training

struct RunFolderTests {
  private let temporary: TemporaryFolder
  private let folder: RunFolder

  init() throws {
    temporary = try TemporaryFolder()
    folder = RunFolder(path: temporary.root + "/run/")
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
    // A damaged record is an error: without one, the last checkpoint would count as best.
    try Data("{\"step\": 2,".utf8).write(to: URL(fileURLWithPath: folder.path + "/log/best.json"))
    let error = try #require(throws: DataError.self) { try folder.checkpoint(named: "best") }
    #expect("\(error)".contains("best.json: does not say which checkpoint is best"), "\(error)")
    #expect(try folder.checkpoint(named: "latest").label == "3")
  }

  @Test func anEmptyFolderHoldsNoRun() {
    #expect(throws: DataError.self) { try folder.configuration() }
  }
}
