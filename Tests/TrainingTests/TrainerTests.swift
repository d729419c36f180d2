import CUDAEmulation
import Engine
import Formats
import Foundation
import Model
import Tasks
import TestSupport
import Testing

@testable import Training

/// The values that the weights are pulled towards.
private struct Target: TaskBatch, TaskInput {
  let values: [Float]
  var counts: [Counted: Int] { [.targets: 1] }

  func prepared(for model: ModelConfiguration, on backend: any Backend) -> Target { self }
}

/// Four weights that are pulled towards numbers drawn for every batch.
private final class Pull: Source {
  struct Loader: BatchLoader {
    let itemCount = 64
    let skips = SkipReport()

    func frames(of item: Int) -> Int { 1 }

    func batch(of items: [Int], random: RandomStream) throws -> Target? {
      var random = random
      return Target(values: (0..<4).map { _ in random.uniform() })
    }
  }

  let name = "pull"
  let loader = Loader()
  let store: ParameterStore
  let weights: Parameter
  /// The update with a NaN target, and the one with an infinite gradient of a finite loss.
  let poisoned: Int?
  let endless: Int?

  init(poisoned: Int? = nil, endless: Int? = nil, on backend: (any Backend)? = nil) throws {
    self.poisoned = poisoned
    self.endless = endless
    store = ParameterStore(backend: try backend ?? CPUBackend(threads: 1))
    weights = store.add("weights", [4], .constant(0))
    store.initialize(seed: 1)
  }

  var configuration: ModelConfiguration {
    let part = TransformerConfiguration(
      hiddenSize: 4, layers: 0, heads: 1, intermediateSize: 4, positions: 4, vocabulary: 4)
    return ModelConfiguration(cross: part, temporal: part, query: part, featureWidth: 4)
  }

  func loss(
    _ tape: Tape, _ input: Target?, among share: BatchShare, update: Int, random: inout RandomStream
  ) -> [LossTerm] {
    guard let input else { return [LossTerm("pull", nil)] }
    let place = tape.gatherSum([(weights.tensor, nil)])
    let target = tape.backend.makeTensor(input.values, rows: 1, columns: 4)
    if update == poisoned { tape.backend.run(Fill(target, with: .nan)) }
    let weight: Float = update == endless ? .infinity : 1
    return [LossTerm("pull", tape.sum([tape.distances(place, targets: target, weight: weight)], scale: 1))]
  }
}

struct TrainerTests {
  private struct Stopped: Error {}
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func run(
    _ name: String, task: RunTask = .tvr, resume: Bool = false, pull: Pull? = nil,
    _ validate: @escaping (Int) throws -> Void, configure: (inout RunConfiguration) -> Void = { _ in }
  ) throws -> [Float] {
    var configuration = RunConfiguration(task: task)
    configuration.trainSteps = 6
    configuration.validSteps = 2
    configuration.saveSteps = 5
    configuration.accumulationSteps = 1
    configuration.warmupSteps = 0
    configuration.learningRate = 0.1
    configure(&configuration)
    let output = RunFolder(path: folder.path(name))
    let log = RunLog(console: Console(isTerminal: false, width: { 80 }, write: { _ in }))
    try output.create(configuration: configuration, modelConfiguration: [:], resuming: resume)
    let task = try pull ?? Pull()
    try Trainer(Mixture(task), configuration: configuration, folder: output, log: log) { step in
      try validate(step)
      return Validation()
    }.run(resume: resume)
    return task.store.values(of: task.weights)
  }

  private func checkpoints(_ name: String) -> [String] {
    RunFolder(path: folder.path(name)).savedCheckpoints().map(\.name)
  }

  /// An interrupted validation comes first when the run resumes, and nothing learnt is lost.
  ///
  /// The result is bit for bit that of an uninterrupted run, in any precision of moments.
  @Test(arguments: MomentsPrecision.allCases)
  func aValidationThatDoesNotEndIsBegunAnew(moments: MomentsPrecision) throws {
    var steps: [Int] = []
    func run(_ name: String, resume: Bool = false, _ validate: @escaping (Int) throws -> Void) throws
      -> [Float]
    {
      try self.run(name, resume: resume, validate) { $0.momentsPrecision = moments }
    }
    let whole = try run("whole") { steps.append($0) }
    #expect(steps == [2, 4, 6])
    #expect(checkpoints("whole") == ["2", "4", "6"])
    for broken in [2, 4, 6] {
      steps = []
      let name = "broken \(broken)"
      #expect(throws: Stopped.self) { try run(name) { if $0 == broken { throw Stopped() } } }
      #expect(RunFolder(path: folder.path(name)).savedStates().last?.step == broken)
      #expect(checkpoints(name) == [2, 4, 6].filter { $0 < broken }.map(String.init))
      #expect(try run(name, resume: true) { steps.append($0) } == whole)
      #expect(steps == [2, 4, 6].filter { $0 >= broken })
      #expect(checkpoints(name) == ["2", "4", "6"])
    }
  }

  /// Moments in bfloat16 depend on the run's seed, and states store them exactly.
  @Test func momentsFollowTheSeed() throws {
    func trained(_ name: String, _ moments: MomentsPrecision, seed: Int) throws -> [Float] {
      try run(name) { _ in
      } configure: {
        ($0.momentsPrecision, $0.seed) = (moments, seed)
      }
    }
    let found = try [
      trained("fp32", .fp32, seed: 1), trained("one", .bf16, seed: 1), trained("again", .bf16, seed: 1),
      trained("two", .bf16, seed: 2),
    ]
    #expect(found[0] != found[1] && found[1] == found[2] && found[1] != found[3])
    for name in ["fp32", "one"] {
      let saved = try #require(try RunFolder(path: folder.path(name)).latestState { Issue.record("\($0)") })
      for kind in ["exp_avg", "exp_avg_sq"] {
        let array = try #require(try saved.tensors.array(named: "\(kind).weights"))
        #expect(array.type == .float32)
        #expect(array.floats().allSatisfy { $0.bitPattern & 0xFFFF == 0 } == (name == "one"))
      }
    }
  }

  /// A finished run has nothing left to do.
  @Test func aFinishedRunIsNotValidatedAgain() throws {
    let whole = try run("run") { _ in }
    #expect(try run("run", resume: true) { _ in Issue.record("validated again") } == whole)
  }

  /// A NaN loss stops the run, leaves the weights as they were and saves nothing.
  @Test func notANumberStopsTheRun() throws {
    let pull = try Pull(poisoned: 3)
    var message = ""
    do {
      _ = try run("poisoned", pull: pull) { _ in }
    } catch let error as DataError {
      message = error.description
    }
    #expect(message.contains("loss of update 4 is not a finite number"))
    #expect(message.contains("model_step_2.safetensors"))
    #expect(!pull.store.values(of: pull.weights).contains { !$0.isFinite })
    #expect(checkpoints("poisoned") == ["2"])
    #expect(RunFolder(path: folder.path("poisoned")).savedStates().isEmpty)
  }

  /// A device whose results take a wait to read.
  private final class Apart: ForwardingBackend, @unchecked Sendable {
    override var stepsBetweenReads: Int { 8 }
  }

  /// Late reads change nothing: weights, losses, norms and rates of every update stay the same.
  @Test func readingLateChangesNothing() throws {
    let cpu = try CPUBackend(threads: 1)
    let runs = try [("at once", cpu), ("late", Apart(cpu))].map { (name: String, backend: any Backend) in
      let weights = try run(name, pull: try Pull(on: backend)) { _ in
      } configure: {
        $0.trainSteps = 7
        $0.validSteps = 4
        $0.accumulationSteps = 2
      }
      let logs = RunFolder(path: folder.path(name)).logs
      let files = try FileManager.default.contentsOfDirectory(atPath: logs)
      let file = try #require(files.first { $0.contains("tfevents") })
      let scalars = try EventReader(path: "\(logs)/\(file)").scalars.filter {
        $0.tag.hasPrefix("loss/") || ["lr", "grad_norm"].contains($0.tag)
      }
      return (weights: weights, scalars: scalars.map { "\($0.step) \($0.tag) \($0.value)" })
    }
    #expect(runs[0].weights == runs[1].weights)
    #expect(runs[0].scalars == runs[1].scalars && runs[0].scalars.count == 7 * 4)
  }

  /// The device computes the next update while the host reads one, with one wait an update.
  ///
  /// The device runs dry only where weights are saved.
  @Test(.enabled(if: TestGPU.isEmulated, "a GPU does not count its calls"))
  func theDeviceIsNeverOutOfWork() throws {
    let counts = try [4, 8].map { steps in
      let before = hero_cuda_emulation_count()
      _ = try run("\(steps)", pull: try Pull(on: try TestGPU.open())) { _ in
      } configure: {
        ($0.trainSteps, $0.validSteps, $0.saveSteps) = (steps, steps, steps)
      }
      let after = hero_cuda_emulation_count()
      return (waits: after.waits - before.waits, stalls: after.stalls - before.stalls)
    }
    #expect(counts[1].waits - counts[0].waits == 4)
    #expect(counts[1].stalls == counts[0].stalls)
  }

  /// With late reads, the error names the update of the NaN, and nothing of that update is kept.
  @Test func notANumberStopsTheRunLate() throws {
    let pull = try Pull(poisoned: 2, on: Apart(try CPUBackend(threads: 1)))
    let error = #expect(throws: DataError.self) { try run("late", pull: pull) { _ in } }
    #expect(error?.description.contains("loss of update 3 is not a finite number") == true)
    #expect(checkpoints("late") == ["2"])
    #expect(RunFolder(path: folder.path("late")).savedStates().isEmpty)
  }

  /// An infinite gradient stops the run too, before it reaches the weights.
  @Test func anEndlessGradientStopsTheRun() throws {
    let pull = try Pull(endless: 3)
    let error = #expect(throws: DataError.self) { try run("endless", pull: pull) { _ in } }
    #expect(error?.description.contains("gradient of update 4 is not a finite number") == true)
    #expect(pull.store.values(of: pull.weights).allSatisfy { $0.isFinite })
    #expect(checkpoints("endless") == ["2"])
  }

  /// Gradients of an update's batches are summed, and the sum is clipped to `grad_norm` unless −1.
  ///
  /// At weights of 0, the distance's gradient is −t/‖t‖ for a target t. After one update, Adam's
  /// first moment is (1 − β₁) times the gradient.
  @Test(arguments: [(1, 0.25), (1, 4), (1, -1), (3, 0.25), (3, 100), (3, -1)])
  func gradientsAreSummedAndClipped(parts: Int, limit: Double) throws {
    let name = "run \(parts) \(limit)"
    _ = try run(name) { _ in
    } configure: {
      ($0.trainSteps, $0.validSteps, $0.saveSteps) = (1, 1, 1)
      ($0.accumulationSteps, $0.gradientNorm, $0.optimizer) = (parts, limit, .adamw)
    }
    var expected = [Double](repeating: 0, count: 4)
    let plan = BatchPlan(
      batchSize: RunConfiguration(task: .tvr).trainBatchSize, batchesPerUpdate: parts,
      seed: UInt64(RunConfiguration(task: .tvr).seed))
    for part in 0..<parts {
      let target = try #require(try Pull.Loader().batch(part, of: plan)).values.map { Double($0) }
      let length = target.reduce(0) { $0 + $1 * $1 }.squareRoot()
      for place in 0..<4 { expected[place] -= target[place] / length }
    }
    let norm = expected.reduce(0) { $0 + $1 * $1 }.squareRoot()
    #expect(parts == 1 ? abs(norm - 1) < 1e-9 : norm > 1)
    let factor = limit > 0 && norm > limit ? limit / norm : 1
    let saved = try #require(try RunFolder(path: folder.path(name)).latestState { Issue.record("\($0)") })
    let moment = try #require(try saved.tensors.array(named: "exp_avg.weights")).floats()
    let share = 1 - Double(Float(RunConfiguration(task: .tvr).betas[0]))
    for (found, gradient) in paired(moment, expected) {
      #expect(abs(Double(found) - share * factor * gradient) <= 1e-5 * norm * factor * share)
    }
  }

  /// `lr_mul` raises the learning rate outside the video encoder, in families whose scripts have
  /// it.
  @Test(arguments: [(RunTask.tvqa, Float(10)), (.violin, 10), (.tvc, 10), (.tvr, 1)])
  func headsLearnFaster(task: RunTask, times: Float) throws {
    let settings = { (configuration: inout RunConfiguration) in
      configuration.trainSteps = 2
      configuration.learningRate = 1e-4
      configuration.optimizer = .adamw
      configuration.weightDecay = 0
      configuration.gradientNorm = -1
    }
    let plain = try run("\(task.rawValue) 1", task: task) { _ in
    } configure: {
      settings(&$0)
      $0.topLearningRateFactor = 1
    }
    let fast = try run("\(task.rawValue) 10", task: task) { _ in
    } configure: {
      settings(&$0)
      $0.topLearningRateFactor = 10
    }
    for (a, b) in paired(plain, fast) { #expect(abs(b - times * a) <= 0.01 * abs(times * a)) }
  }
}
