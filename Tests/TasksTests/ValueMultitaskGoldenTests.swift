import Engine
import Formats
import Foundation
import Model
import TestSupport
import Testing

@testable import Tasks

/// VALUE's answers of one model for many tasks: TVR's weights with heads of questions and captions.
@Suite("One model of many tasks against VALUE", .enabled(if: SharedData.valueGolden != nil))
struct ValueMultitaskGoldenTests {
  /// The models of all families on one trunk.
  struct Models {
    let retrieval: RetrievalModel
    let questions: QuestionModel
    let statements: StatementModel
    let captions: CaptionModel
    var store: ParameterStore { retrieval.store }

    init(on device: TestDevice = .cpu) throws {
      let file = try Golden.checkpoint("tvr")
      let trunk = ModelTrunk(
        try Golden.configuration(file), backend: try device.open(), joinsAnswers: true)
      retrieval = RetrievalModel(sharing: trunk)
      questions = QuestionModel(sharing: trunk)
      statements = StatementModel(sharing: trunk)
      captions = CaptionModel(sharing: trunk)
      var missing = Set(try store.load(file).missing)
      for name in ["tvqa", "tvc"] {
        let file = try Golden.checkpoint(name)
        for name in file.names where missing.contains(name) {
          let parameter = try #require(store[name])
          store.set(parameter, to: try #require(try file.array(name)).floats())
          missing.remove(name)
        }
      }
      #expect(missing.isEmpty)
      // The small set of the reference's answers clears weights that TVR alone does not read. It
      // keeps the values of its heads in a file; the whole set needs no such file.
      let words = store.parameters.filter { $0.name.contains(".lm_head.") }
      try #require(!words.isEmpty)
      guard words.allSatisfy({ store.values(of: $0).allSatisfy { $0 == 0 } }) else { return }
      let heads = try Golden.tensors(ValueMultitaskGoldenTests.path("multitask.heads.safetensors"))
      for (name, array) in heads { store.set(try #require(store[name]), to: array.floats()) }
      #expect(words.contains { store.values(of: $0).contains { $0 != 0 } })
    }
  }

  private static func path(_ name: String) throws -> String {
    try #require(SharedData.valueGolden).path + "/" + name
  }

  private func expected(_ task: String) throws -> [String: NDArray] {
    try Golden.tensors(try Self.path("multitask.\(task).expected.safetensors"))
  }

  private func golden(_ task: String) throws -> Golden {
    try Golden("\(task).video_sub", in: try Self.path(""))
  }

  /// Expects the gradients that a task's batch leaves, and no others.
  private func expectNorms(_ models: Models, _ task: String) throws {
    let norms = try #require(try JSON.read(path: Self.path("multitask.grad_norms.json"))[task])
    try expectGradientNorms(models.store, norms)
    let listed = try #require(try JSON.read(path: Self.path("multitask.names.json")).object)
    for parameter in models.store.parameters where parameter.gradient != nil {
      let tasks = try #require(listed[parameter.name]?["tasks"]?.array).compactMap(\.string)
      #expect(tasks.contains(task), "\(parameter.name) has a gradient of \(task)")
    }
    models.store.clearGradients()
  }

  /// The parameters have exactly VALUE's names, shapes and values.
  @Test func names() throws {
    let models = try Models()
    let listed = try #require(try JSON.read(path: Self.path("multitask.names.json")).object)
    let wanted = listed.filter { $0.value["parameter"]?.bool == true }
    #expect(Set(models.store.parameters.map(\.name)) == Set(wanted.map(\.key)))
    for parameter in models.store.parameters {
      let row = try #require(listed[parameter.name])
      #expect(row["shape"]?.array?.compactMap(\.int) == parameter.shape, "\(parameter.name)")
      // The small set has zeros in arrays and rows that no task reads.
      guard row["tasks"]?.array?.isEmpty == false, !parameter.name.hasSuffix("position_embeddings.weight")
      else { continue }
      let values = models.store.values(of: parameter).map { Double($0) }
      let sum = try #require(row["sum"]?.double)
      #expect(
        abs(values.reduce(0, +) - sum) <= 1e-5 * values.reduce(1) { $0 + abs($1) }, "\(parameter.name)")
    }
  }

  /// A checkpoint of all tasks loads for each task alone, by the names that evaluation looks for.
  @Test func aCheckpointServesEveryTask() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("all.safetensors")
    let models = try Models()
    try models.store.save(to: path)
    let file = try Checkpoint(path: path)
    let (configuration, backend) = (try Golden.configuration(file), try CPUBackend())
    let alone: [any HeroModel] = [
      RetrievalModel(configuration, backend: backend), QuestionModel(configuration, backend: backend),
      StatementModel(configuration, backend: backend), CaptionModel(configuration, backend: backend),
    ]
    for model in alone {
      #expect(try model.store.load(file).missing.isEmpty, "\(type(of: model))")
    }
    // VALUE's file also has a buffer of the caption loss, which nothing needs.
    let together = try Models()
    #expect(try together.store.load(file).unused.isEmpty)
  }

  @Test(arguments: TestDevice.exact, ["vcmr", "vr"]) func retrieval(device: TestDevice, task: String) throws {
    let (models, expected) = (try Models(on: device), try expected(task))
    let (model, backend) = (models.retrieval, models.store.backend)
    let input = try golden("tvr").retrieval().prepared(for: model.configuration, on: backend)
    var options = try RetrievalGoldenTests.options()
    if task == "vr" { options.spanWeight = 0 }
    let tape = Tape.training(backend, seed: 1, step: 0)
    var random = RandomStream(seed: 1, stream: 0)
    let loss = model.loss(tape, input, options, random: &random).weighted(on: backend)
    tape.backward()
    for name in ["neg_ctx", "neg_q", "st_ed"] {
      expectClose([try #require(loss[name])], try #require(expected[name]).floats(), name)
    }
    try expectNorms(models, task)
  }

  @Test(arguments: TestDevice.exact) func questions(device: TestDevice) throws {
    let (models, expected) = (try Models(on: device), try expected("videoQA"))
    let (model, backend) = (models.questions, models.store.backend)
    let input = try golden("tvqa").questions().prepared(for: model.configuration, on: backend)
    expectClose(
      backend.values(of: model(.inference(backend), input).answers),
      try #require(expected["logits"]).floats(), "logits")
    let tape = Tape.training(backend, seed: 1, step: 0)
    let loss = model.loss(tape, input, spanWeight: try QuestionGoldenTests.spanWeight()).read(on: backend)
    tape.backward()
    expectClose([loss[0].value], try #require(expected["qa"]).floats(), "qa")
    expectClose([loss[1].value], try #require(expected["st_ed"]).floats(), "st_ed")
    try expectNorms(models, "videoQA")
  }

  @Test(arguments: TestDevice.exact) func statements(device: TestDevice) throws {
    let (models, expected) = (try Models(on: device), try expected("violin"))
    let (model, backend) = (models.statements, models.store.backend)
    let input = try golden("violin").statements().prepared(for: model.configuration, on: backend)
    let logits = model(.inference(backend), input)
    expectClose(backend.values(of: logits), try #require(expected["logits"]).floats(), "logits")
    let tape = Tape.training(backend, seed: 1, step: 0)
    let loss = model.loss(tape, input).read(on: backend)
    tape.backward()
    expectClose([loss.total], try #require(expected["loss"]).floats(), "loss")
    try expectNorms(models, "violin")
  }

  @Test(arguments: TestDevice.exact) func captions(device: TestDevice) throws {
    let (models, expected) = (try Models(on: device), try expected("videoCap"))
    let (model, backend) = (models.captions, models.store.backend)
    let input = try golden("tvc").captions().prepared(for: model.configuration, on: backend)
    let tape = Tape.training(backend, seed: 1, step: 0)
    let smoothing = Float(try #require(try Golden.options()["tvc_label_smoothing"]?.double))
    let losses = try #require(model.wordLosses(tape, input, smoothing: smoothing))
    tape.backward()
    expectClose(backend.values(of: losses), try #require(expected["loss"]).floats(), "loss of each word")
    try expectNorms(models, "videoCap")
  }

  /// Successive tasks in a step add up their gradients, as accumulation does.
  @Test func gradientsOfSeveralTasksAddUp() throws {
    let models = try Models()
    let (backend, weight) = (models.store.backend, try QuestionGoldenTests.spanWeight())
    let questions = try golden("tvqa").questions().prepared(for: models.questions.configuration, on: backend)
    let statements = try golden("violin").statements().prepared(
      for: models.statements.configuration, on: backend)
    func gradients(_ losses: [(Tape) -> Void]) throws -> [Float] {
      for loss in losses {
        let tape = Tape.training(backend, seed: 1, step: 0)
        loss(tape)
        tape.backward()
      }
      defer { models.store.clearGradients() }
      let parameter = try #require(models.store["qa_pool.weight"]?.gradient)
      return backend.values(of: parameter)
    }
    let one = { (tape: Tape) in _ = models.questions.loss(tape, questions, spanWeight: weight) }
    let other = { (tape: Tape) in _ = models.statements.loss(tape, statements) }
    let (first, second) = (try gradients([one]), try gradients([other]))
    #expect(first != second)
    expectClose(try gradients([one, other]), paired(first, second).map { $0 + $1 }, "both")
  }
}
