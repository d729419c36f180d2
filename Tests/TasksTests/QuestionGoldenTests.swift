import Engine
import Formats
import Metrics
import Model
import TestSupport
import Testing

@testable import Tasks

@Suite(
  "Questions and statements against the reference")
struct QuestionGoldenTests {
  static func questionModel(on device: TestDevice = .cpu) throws -> QuestionModel {
    let file = try Golden.checkpoint("tvqa")
    let model = QuestionModel(try Golden.configuration(file), backend: try device.open())
    let report = try model.store.load(file)
    #expect(report.missing.isEmpty && report.unused.isEmpty)
    return model
  }

  static func statementModel(on device: TestDevice = .cpu) throws -> StatementModel {
    let file = try Golden.checkpoint("violin")
    let model = StatementModel(try Golden.configuration(file), backend: try device.open())
    let report = try model.store.load(file)
    #expect(report.missing.isEmpty && report.unused.isEmpty)
    return model
  }

  static func spanWeight() throws -> Float {
    Float(try #require(try Golden.options()["tvqa_lw_st_ed"]?.double))
  }

  @Test(arguments: TestDevice.exact) func tvqa(device: TestDevice) throws {
    let golden = try Golden("tvqa")
    let (expected, batch) = (try golden.expected(), try golden.questions())
    let model = try Self.questionModel(on: device)
    let input = batch.prepared(for: model.configuration, on: model.store.backend)
    let output = model(.inference(model.store.backend), input)
    expectClose(
      model.store.backend.values(of: output.answers), try #require(expected["logits"]).floats(), "logits")

    let tape = Tape.training(model.store.backend, seed: 1, step: 0)
    let loss = model.loss(tape, input, spanWeight: try Self.spanWeight()).read(on: model.store.backend)
    tape.backward()
    expectClose([loss[0].value], try #require(expected["qa"]).floats(), "qa")
    expectClose([loss[1].value], try #require(expected["st_ed"]).floats(), "st_ed")
    expectGradients(model.store, try golden.gradients())
  }

  @Test(arguments: TestDevice.exact) func violin(device: TestDevice) throws {
    let golden = try Golden("violin")
    let (expected, batch) = (try golden.expected(), try golden.statements())
    let model = try Self.statementModel(on: device)
    let input = batch.prepared(for: model.configuration, on: model.store.backend)
    let logits = model(.inference(model.store.backend), input)
    expectClose(model.store.backend.values(of: logits), try #require(expected["logits"]).floats(), "logits")

    let tape = Tape.training(model.store.backend, seed: 1, step: 0)
    let loss = model.loss(tape, input).read(on: model.store.backend)
    tape.backward()
    expectClose([loss.total], try #require(expected["loss"]).floats(), "loss")
    expectGradients(model.store, try golden.gradients())
  }

  /// The loader makes exactly the reference's batch from its stores.
  @Test func questionBatch() throws {
    let (wanted, loader) = (try Golden("tvqa").questions(), try GoldenStores.questions("train"))
    let passes = Pass.all(of: wanted.videos)
    let segments = Segments(lengths: wanted.pairsPerQuestion)
    let items = try wanted.targets.indices.map { question in
      try item(of: loader) { batch in
        batch.texts == Array(wanted.texts[segments[question]])
          && Pass.all(of: batch.videos) == Array(passes[segments[question]])
      }
    }
    let batch = try #require(try loader.batch(of: items, random: RandomStream(seed: 0, stream: 0)))
    #expect(batch.texts == wanted.texts)
    #expect(batch.pairsPerQuestion == wanted.pairsPerQuestion)
    #expect(batch.targets == wanted.targets)
    #expect(batch.spans.elementsEqual(wanted.spans) { $0 == $1 })
    #expect(Pass.all(of: batch.videos) == passes)
    #expect(batch.videos.allFeatures.count < wanted.videos.allFeatures.count, "answers share feature rows")
  }

  @Test func statementBatch() throws {
    let wanted = try Golden("violin").statements()
    let loader = try GoldenStores.statements("train", .training(maxTextLength: -1))
    let passes = Pass.all(of: wanted.videos)
    let items = try stride(from: 0, to: wanted.texts.count, by: 2).map { first in
      try item(of: loader) { batch in
        batch.texts == Array(wanted.texts[first..<first + 2])
          && Pass.all(of: batch.videos) == Array(passes[first..<first + 2])
      }
    }
    let batch = try #require(try loader.batch(of: items, random: RandomStream(seed: 0, stream: 0)))
    #expect(batch.texts == wanted.texts)
    #expect(batch.targets == wanted.targets)
    #expect(Pass.all(of: batch.videos) == passes)
  }

  @Test(arguments: ["val", "test"]) func answers(_ split: String) throws {
    let evaluator = QuestionEvaluator(
      [(try Self.questionModel(), try GoldenStores.questions(split, .evaluation))], batchSize: 4)
    var done: [Int] = []
    let evaluation = try evaluator.run { done.append($0) }
    #expect(done.last == evaluation.results.rows.count)
    try expectResults(
      evaluation, "tvqa_\(split)", loss: "valid/loss", accuracy: "valid/acc",
      evaluator.metrics(evaluation, split: split))
  }

  @Test(arguments: ["val", "test"]) func judgements(_ split: String) throws {
    let evaluator = QuestionEvaluator(
      [(try Self.statementModel(), try GoldenStores.statements(split, .evaluation))], batchSize: 7)
    let evaluation = try evaluator.run()
    try expectResults(
      evaluation, "violin_\(split)", loss: "valid/\(split)_loss", accuracy: "valid/\(split)_acc",
      evaluator.metrics(evaluation, split: split))
  }

  private func expectResults(
    _ evaluation: AnswerEvaluation, _ name: String, loss: String, accuracy: String,
    _ metrics: [(name: String, value: Double)]
  ) throws {
    let folder = try GoldenStores.path("expected/eval/")
    let wanted = try #require(JSON.read(path: "\(folder)\(name).results.json").object)
    #expect(evaluation.results.rows.count == wanted.count)
    for row in evaluation.results.rows { #expect(wanted[row.id.text]?.int == row.answer) }
    let values = try JSON.read(path: "\(folder)\(name).metrics.json")
    // A hidden split has no loss and no accuracy.
    #expect(metrics.map(\.name) == [loss, accuracy].filter { values[$0] != nil })
    for (name, value) in metrics {
      expectClose([Float(value)], [Float(try #require(values[name]?.double))], name)
    }
  }
}

extension Golden {
  /// Returns the padded passes of a question batch, packed.
  func questions() throws -> QuestionBatch {
    let texts = try rows("qa_input_ids", mask: "qa_attn_masks").map { $0.map { Int32($0) } }
    let targets = try #require(batch["targets"]).int64s().map { Int($0) }
    let spans = try #require(batch["ts_targets"]).int64s().map { Int($0) }
    return QuestionBatch(
      videos: try videos(), texts: texts,
      pairsPerQuestion: targets.map { _ in texts.count / targets.count }, targets: targets,
      spans: targets.indices.map { FrameSpan(start: spans[2 * $0], end: spans[2 * $0 + 1]) })
  }

  func statements() throws -> QuestionBatch {
    // VALUE names the texts of statements as those of questions.
    let name = batch["q_input_ids"] == nil ? "qa" : "q"
    let texts = try rows("\(name)_input_ids", mask: "\(name)_attn_masks").map { $0.map { Int32($0) } }
    return QuestionBatch(
      videos: try videos(), texts: texts, pairsPerQuestion: texts.map { _ in 1 },
      targets: try #require(batch["targets"]).int64s().map { Int($0) })
  }
}
