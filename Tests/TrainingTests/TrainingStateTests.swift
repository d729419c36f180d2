import Formats
import Foundation
import TestSupport
import Testing

@testable import Training

struct TrainingStateTests {
  private let temporary: TemporaryFolder
  private let folder: RunFolder
  private let tensors = [
    ("model.a.weight", NDArray(floats: [1, -2, .infinity], shape: [3])),
    ("model.b", NDArray(floats: [0.5], shape: [])),
    ("exp_avg.a.weight", NDArray(floats: [0, 0, 1e-30], shape: [3])),
  ]

  init() throws {
    temporary = try TemporaryFolder()
    folder = RunFolder(path: temporary.root)
    try folder.create(configuration: RunConfiguration(task: .tvr), modelConfiguration: [:], resuming: false)
  }

  private func state(_ step: Int) -> TrainingState {
    TrainingState(step: step, seed: 42, counters: ["updates.a.weight": step])
  }

  private func save(_ step: Int) throws {
    try folder.save(state(step), tensors: tensors.map { ($0.0, $0.1.type, $0.1.shape) }) {
      tensors[$0].1.bytes
    }
  }

  @Test func aStateReadsBackAsItWas() throws {
    try save(5)
    let saved = try #require(try folder.latestState { Issue.record("\($0)") })
    #expect(saved.state == state(5))
    #expect(saved.tensors.entries.count == tensors.count)
    for (name, array) in tensors { #expect(try saved.tensors.array(named: name) == array) }
  }

  @Test func theLastTwoAreKept() throws {
    #expect(try folder.latestState { Issue.record("\($0)") } == nil)
    for step in [100, 200, 1000] { try save(step) }
    #expect(folder.savedStates().map(\.step) == [200, 1000])
    // A run that resumes from 200 makes the later states void.
    try save(300)
    #expect(folder.savedStates().map(\.step) == [200, 300])
  }

  @Test func aFailedSaveLeavesTheOneBefore() throws {
    try save(1)
    #expect(throws: DataError.self) {
      try folder.save(state(2), tensors: [("a", .float32, [3])]) { _ in [0] }
    }
    #expect(try folder.latestState { Issue.record("\($0)") }?.state == state(1))
    #expect(folder.savedStates().count == 1)
  }

  @Test func aDamagedStateLeavesTheOneBefore() throws {
    try save(1)
    try save(2)
    let path = folder.savedStates()[1].path
    let bytes = try Data(contentsOf: URL(fileURLWithPath: path))
    for length in stride(from: 0, to: bytes.count, by: 5) {
      try bytes.prefix(length).write(to: URL(fileURLWithPath: path))
      var warnings: [String] = []
      #expect(try folder.latestState { warnings.append($0) }?.state == state(1))
      #expect(warnings.count == 1 && warnings[0].contains(path))
    }
    // One flipped bit of a tensor is detected.
    var damaged = bytes
    damaged[bytes.count - 1] ^= 1
    try damaged.write(to: URL(fileURLWithPath: path))
    #expect(try folder.latestState { _ in }?.state == state(1))
    try Data("{}".utf8).write(to: URL(fileURLWithPath: folder.savedStates()[0].path))
    #expect(throws: DataError.self) { try folder.latestState { _ in } }
  }

  @Test(arguments: [
    #"{"version": 1, "step": 1, "seed": 1, "random_counters": {}}"#,
    #"{"version": 2, "step": 1, "seed": 1, "random_counters": {}}"#,
    #"{"version": 4, "step": 1, "seed": 1, "random_counters": {}}"#, "[",
    "3",
    #"{"version": 3, "step": -1, "seed": 1, "random_counters": {}}"#,
    #"{"version": 3, "step": 1, "seed": 1, "random_counters": {"a": "b"}}"#,
    #"{"version": 3, "step": 1, "seed": 1, "random_counters": {"updates.a": -1}}"#,
    #"{"version": 3, "step": 1, "seed": 1, "random_counters": {"updates.a": 2}}"#,
    #"{"version": 3, "step": 2, "seed": 1, "random_counters": {}}"#,
  ])
  func strangeMetadataIsRefused(text: String) throws {
    let path = "\(temporary.root)/ckpt/state_step_1.safetensors"
    try Safetensors.write(path: path, tensors: [], metadata: ["hero_state": text])
    let error = #expect(throws: DataError.self) { try SavedTrainingState(path: path, step: 1) }
    #expect(error?.file == path)
    // Versions 1 and 2 drew other numbers for dropout, and the error says so.
    let begunBefore = [1, 2].contains { text.contains(#""version": \#($0),"#) }
    #expect(error?.problem.contains("dropout") == begunBefore)
  }
}
