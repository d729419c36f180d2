import Engine
import Formats
import Model
import TestSupport
import Testing

@testable import Tasks

/// VALUE's answers for frames with subtitles, frames alone and subtitles alone.
@Suite("Channels against VALUE", .enabled(if: SharedData.valueGolden != nil))
struct ValueChannelGoldenTests {
  static let channels = ["video_sub", "video_only", "sub_only"]

  private func golden(_ task: String, _ channel: String) throws -> Golden {
    try Golden("\(task).\(channel)", in: try #require(SharedData.valueGolden).path)
  }

  /// Returns the rows of padded [videos, frames, width] that are frames.
  private func unpadded(_ array: NDArray, _ lengths: [Int]) -> [Float] {
    let (padded, width, values) = (array.shape[1], array.shape[2], array.floats())
    return lengths.enumerated().flatMap { video, length in
      values[video * padded * width..<(video * padded + length) * width]
    }
  }

  @Test(arguments: TestDevice.exact, channels) func retrieval(device: TestDevice, channel: String) throws {
    let golden = try golden("tvr", channel)
    let expected = try golden.expected()
    let model: RetrievalModel = try RetrievalGoldenTests.model("tvr", on: device)
    let (backend, batch) = (model.store.backend, try golden.retrieval())
    #expect(batch.videos.readsTextAlone == (channel == "sub_only"))
    let input = batch.prepared(for: model.configuration, on: backend)
    let frames = model.videoEncoder(.inference(backend), input.videos)
    expectClose(
      backend.values(of: frames),
      unpadded(try #require(expected["frame_embeddings"]), batch.videos.lengths), "frame_embeddings")
    let tape = Tape.training(backend, seed: 1, step: 0)
    var random = RandomStream(seed: 1, stream: 0)
    let loss = model.loss(tape, input, try RetrievalGoldenTests.options(), random: &random)
      .weighted(on: backend)
    for name in ["neg_ctx", "neg_q", "st_ed"] {
      expectClose([try #require(loss[name])], try #require(expected[name]).floats(), name)
    }
  }

  @Test(arguments: TestDevice.exact, channels) func questions(device: TestDevice, channel: String) throws {
    let golden = try golden("tvqa", channel)
    let expected = try golden.expected()
    let model = try QuestionGoldenTests.questionModel(on: device)
    let backend = model.store.backend
    let input = try golden.questions().prepared(for: model.configuration, on: backend)
    let output = model(.inference(backend), input)
    expectClose(backend.values(of: output.answers), try #require(expected["logits"]).floats(), "logits")
    let tape = Tape.training(backend, seed: 1, step: 0)
    let loss = model.loss(tape, input, spanWeight: try QuestionGoldenTests.spanWeight()).read(on: backend)
    expectClose([loss[0].value], try #require(expected["qa"]).floats(), "qa")
    expectClose([loss[1].value], try #require(expected["st_ed"]).floats(), "st_ed")
  }

  /// VLEP has two events to choose from and no question.
  @Test(arguments: TestDevice.exact) func events(device: TestDevice) throws {
    let golden = try golden("vlep", "video_sub")
    let expected = try golden.expected()
    let model = try QuestionGoldenTests.questionModel(on: device)
    let backend = model.store.backend
    let batch = try golden.questions()
    #expect(batch.pairsPerQuestion.allSatisfy { $0 == 2 })
    let input = batch.prepared(for: model.configuration, on: backend)
    expectClose(
      backend.values(of: model(.inference(backend), input).answers),
      try #require(expected["logits"]).floats(), "logits")
    let tape = Tape.training(backend, seed: 1, step: 0)
    let loss = model.loss(tape, input, spanWeight: try QuestionGoldenTests.spanWeight()).read(on: backend)
    expectClose([loss[0].value], try #require(expected["qa"]).floats(), "qa")
  }

  /// VALUE judges statements with TVQA's head of questions.
  @Test(arguments: TestDevice.exact, channels) func statements(device: TestDevice, channel: String) throws {
    let golden = try golden("violin", channel)
    let expected = try golden.expected()
    let model = try Self.statementModel("tvqa", on: device)
    let backend = model.store.backend
    let input = try golden.statements().prepared(for: model.configuration, on: backend)
    let logits = model(.inference(backend), input)
    expectClose(backend.values(of: logits), try #require(expected["logits"]).floats(), "logits")
    let tape = Tape.training(backend, seed: 1, step: 0)
    let loss = model.loss(tape, input).read(on: backend)
    expectClose([loss.total], try #require(expected["loss"]).floats(), "loss")
  }

  static func statementModel(_ checkpoint: String, on device: TestDevice = .cpu) throws
    -> StatementModel
  {
    try statementModel(try Golden.checkpoint(checkpoint), on: device)
  }

  private static func statementModel(
    _ checkpoint: Checkpoint, on device: TestDevice = .cpu
  ) throws -> StatementModel {
    let model = StatementModel(try Golden.configuration(checkpoint), backend: try device.open())
    #expect(try model.store.load(checkpoint).missing.isEmpty)
    return model
  }

  /// Expects VALUE's judgements of a whole split.
  private func expectJudgement(_ model: StatementModel, _ name: String) throws {
    let path = try #require(SharedData.valueGolden).path + "/violin_val.\(name).json"
    let wanted = try JSON.read(path: path)
    let evaluator = QuestionEvaluator(
      [(model, try GoldenStores.statements("val", .evaluation))], batchSize: 7)
    let evaluation = try evaluator.run()
    let answers = try #require(wanted["answers"]?.object)
    #expect(evaluation.results.rows.count == answers.count)
    for row in evaluation.results.rows { #expect(answers[row.id.text]?.int == row.answer) }
    for (name, value) in evaluator.metrics(evaluation, split: "val") {
      expectClose([Float(value)], [Float(try #require(wanted["metrics"]?[name]?.double))], name)
    }
  }

  @Test func judgementsByTheHeadOfQuestions() throws {
    try expectJudgement(try Self.statementModel("tvqa"), "tvqa_weights")
  }

  /// HERO's head of statements works under VALUE's name for it.
  @Test func judgementsByARenamedHead() throws {
    let folder = try TemporaryFolder()
    let file = try Golden.checkpoint("violin")
    let names = file.names
    let renamed = names.map { name in
      name.hasPrefix("violin_") ? "qa_" + name.dropFirst("violin_".count) : name
    }
    #expect(renamed != names)
    let arrays = try names.map { try #require(try file.array($0)) }
    let path = folder.path("renamed.safetensors")
    try Safetensors.write(
      path: path, list: paired(renamed, arrays).map { (name: $0, type: .float32, shape: $1.shape) },
      metadata: [:]
    ) { NDArray(floats: arrays[$0].floats(), shape: arrays[$0].shape).bytes }
    try expectJudgement(try Self.statementModel(try Checkpoint(path: path)), "violin_renamed")
    try expectJudgement(try Self.statementModel("violin"), "violin_renamed")
  }

  @Test(arguments: TestDevice.exact, channels) func captions(device: TestDevice, channel: String) throws {
    try expectCaptions(try golden("tvc", channel), on: device)
  }

  /// The rows of a retrieval store serve as captions of whole videos.
  @Test(arguments: TestDevice.exact) func captionsOfWholeVideos(device: TestDevice) throws {
    try expectCaptions(try golden("cap_whole_video", "video_sub"), on: device)
  }

  private func expectCaptions(_ golden: Golden, on device: TestDevice) throws {
    let expected = try golden.expected()
    let model = try CaptionGoldenTests.model(on: device)
    let (backend, batch) = (model.store.backend, try golden.captions())
    let input = batch.prepared(for: model.configuration, on: backend)
    let scores = model.scores(.inference(backend), input)
    let values = backend.values(of: scores)
    let best = try #require(expected["best_id"])
    let (ids, padded) = (try best.int64s(), best.shape[1])
    let wanted = batch.inputs.enumerated().flatMap { number, words in
      ids[number * padded..<number * padded + words.count]
    }
    let found = (0..<scores.rows).map { row in
      let own = values[row * scores.columns..<row * scores.columns + model.vocabulary]
      return Int64((own.indices.max { own[$0] < own[$1] } ?? own.startIndex) - own.startIndex)
    }
    #expect(found == wanted)
    let tape = Tape.training(backend, seed: 1, step: 0)
    let smoothing = Float(try #require(try Golden.options()["tvc_label_smoothing"]?.double))
    let losses = try #require(model.wordLosses(tape, input, smoothing: smoothing))
    expectClose(backend.values(of: losses), try #require(expected["loss"]).floats(), "loss of each word")
  }
}
