import Engine
import Formats
import Foundation
import Model
import TestSupport
import Testing

@testable import Tasks

@Suite("Retrieval against the reference")
struct RetrievalGoldenTests {
  static func model<Model: HeroModel>(
    _ checkpoint: String, _: Model.Type = RetrievalModel.self, on device: TestDevice = .cpu
  ) throws -> Model {
    try model(checkpoint, backend: try device.open())
  }

  static func model<Model: HeroModel>(_ checkpoint: String, backend: any Backend) throws -> Model {
    let file = try Golden.checkpoint(checkpoint)
    let model = Model(try Golden.configuration(file), backend: backend)
    let report = try model.store.load(file)
    #expect(report.missing.isEmpty && report.unused.isEmpty)
    return model
  }

  static func options() throws -> RetrievalLossOptions {
    let ranking = try Golden.options()["ranking"]
    var options = RetrievalLossOptions()
    options.ranking.margin = Float(try #require(ranking?["margin"]?.double))
    options.contextWeight = Float(try #require(ranking?["lw_neg_ctx"]?.double))
    options.queryWeight = Float(try #require(ranking?["lw_neg_q"]?.double))
    options.spanWeight = Float(try #require(ranking?["lw_st_ed"]?.double))
    return options
  }

  /// Checks the losses and gradients of one batch.
  func check(
    _ name: String, _ checkpoint: String, queriesPerSlot: Int = 1, _ options: RetrievalLossOptions,
    on device: TestDevice = .cpu
  ) throws {
    let golden = try Golden(name)
    let model = try Self.model(checkpoint, on: device)
    let tape = Tape.training(model.store.backend, seed: 1, step: 0)
    var random = RandomStream(seed: 1, stream: 0)
    let input = try golden.retrieval(queriesPerSlot: queriesPerSlot)
      .prepared(for: model.configuration, on: model.store.backend)
    let loss = model.loss(tape, input, options, random: &random).weighted(on: model.store.backend)
    tape.backward()
    let expected = try golden.expected()
    for name in ["neg_ctx", "neg_q", "st_ed"] where name != "st_ed" || expected[name] != nil {
      expectClose([try #require(loss[name])], try #require(expected[name]).floats(), name)
    }
    expectGradients(model.store, try golden.gradients())
  }

  @Test(arguments: TestDevice.exact)
  func tvr(device: TestDevice) throws { try check("tvr", "tvr", try Self.options(), on: device) }

  /// Two ranks, each with half of the videos and their queries, have the reference's losses and
  /// gradients.
  @Test func tvrOfTwoRanks() throws {
    let golden = try Golden("tvr")
    let expected = try golden.expected()
    let ranks = try RankUpdate.retrieval(try golden.retrieval(), try Self.options()) { try Self.model("tvr") }
    for rank in ranks {
      #expect(rank.losses.count == 3)
      for (name, loss) in rank.losses {
        expectClose([Float(loss)], try #require(expected[name]).floats(), name)
      }
      expectGradients(rank.store, try golden.gradients())
    }
  }

  @Test(arguments: TestDevice.exact) func outputs(device: TestDevice) throws {
    let golden = try Golden("tvr")
    let (expected, batch) = (try golden.expected(), try golden.retrieval())
    let model = try Self.model("tvr", on: device)
    let (backend, tape) = (model.store.backend, Tape.inference(model.store.backend))
    let videos = Segments(lengths: batch.videos.lengths, on: backend)
    let frames = model.videoEncoder(tape, batch.videos.prepared(for: model.configuration, on: backend))
    let wanted = try #require(expected["frame_embeddings"])
    expectClose(
      backend.values(of: frames), unpadded(wanted, videos.lengths, width: wanted.shape[2]), "frame embeddings"
    )
    let queries = model.encodeQueries(
      tape, TextInput(batch.queries, for: model.configuration, on: backend))
    let scores = model.videoScores(tape, queries: queries, frames: frames, videos: videos)
    expectClose(
      batch.slots.indices.flatMap { row in
        batch.slots.map { backend.values(of: scores)[row * videos.count + $0] }
      }, try #require(expected["q2video"]).floats(), "video scores")
    let lengths = batch.slots.map { videos[$0].count }
    let spans = model.spanLogits(
      tape, queries: queries, frames: frames, pairs: RowRanges(batch.slots.map { videos[$0] }, on: backend),
      places: Segments(lengths: lengths, on: backend))
    for (name, logits) in [("st_logits", spans.start), ("ed_logits", spans.end)] {
      expectClose(backend.values(of: logits), unpadded(try #require(expected[name]), lengths, width: 1), name)
    }
  }

  /// Returns the rows before each sequence's padding.
  private func unpadded(_ array: NDArray, _ lengths: [Int], width: Int) -> [Float] {
    let (values, stride) = (array.floats(), array.shape[1] * width)
    return lengths.enumerated().flatMap { values[$0 * stride..<$0 * stride + $1 * width] }
  }

  @Test(arguments: TestDevice.exact) func didemoVideoOnly(device: TestDevice) throws {
    try check("didemo_video_only", "tvr", try Self.options(), on: device)
  }

  @Test(arguments: TestDevice.exact) func msrvttVideoSub(device: TestDevice) throws {
    var options = try Self.options()
    options.contextWeight = Float(try #require(try Golden.options()["msrvtt"]?["lw_neg_ctx"]?.double))
    options.queryWeight = Float(try #require(try Golden.options()["msrvtt"]?["lw_neg_q"]?.double))
    options.spanWeight = 0
    try check("msrvtt_video_sub", "msrvtt", options, on: device)
  }

  /// Ten updates have the reference's losses, gradient norms and final parameters.
  @Test(arguments: TestDevice.exact) func adamw(device: TestDevice) throws {
    let folder = Golden.folder + "/expected"
    let record = try JSON.read(path: folder + "/adamw.json")
    let batches = try (0..<3).map { try Golden("adamw.\($0)").retrieval() }
    let model = try Self.model("tvr", on: device)
    let betas = try #require(record["betas"]?.array).compactMap(\.double).map { Float($0) }
    let decay = Float(try #require(record["weight_decay"]?.double))
    let optimizer = Optimizer(
      .adamw, store: model.store, betas: (betas[0], betas[1]),
      epsilon: Float(try #require(record["eps"]?.double)),
      weightDecay: { decaysWeight($0.name) ? decay : 0 })
    let options = try Self.options()
    var random = RandomStream(seed: 1, stream: 0)
    for step in try #require(record["steps"]?.array) {
      let s = try #require(step["step"]?.int)
      var loss: Float = 0
      for part in 0..<2 {
        let tape = Tape.training(model.store.backend, seed: 1, step: UInt64(s), part: UInt32(part))
        let input = batches[(2 * s + part) % 3].prepared(for: model.configuration, on: model.store.backend)
        loss += model.loss(tape, input, options, random: &random).read(on: model.store.backend).total
        tape.backward()
      }
      let squares = optimizer.step(
        learningRate: Float(try #require(step["lr"]?.double)),
        gradientNorm: try #require(record["grad_norm"]?.double))
      let norm = model.store.backend.numbers(of: [squares])[0].squareRoot()
      expectClose(
        [loss], [Float(try #require(step["loss"]?.double))], tolerance: 1e-4, "loss of step \(s)")
      expectClose(
        [Float(norm)], [Float(try #require(step["grad_norm"]?.double))], tolerance: 1e-4,
        "norm of step \(s)")
    }
    let moments = Dictionary(
      uniqueKeysWithValues: model.store.parameters.map { ($0.name, optimizer.moments(of: $0).second) })
    let rates = try #require(record["steps"]?.array).compactMap { $0["lr"]?.double }
    let steps = AdamSteps(
      second: moments, updates: rates.count, learningRate: rates.max() ?? 0, beta: Double(betas[1]),
      epsilon: Double(optimizer.epsilon))
    let expected = try ExpectedArray.read(folder + "/adamw.expected")
    #expect(model.store.parameters.allSatisfy { expected[$0.name] != nil })
    for (name, wanted) in expected {
      guard let parameter = model.store[name] else { continue }
      let error = wanted.distance(to: model.store.values(of: parameter))
      // Where a gradient is only rounding, so are the steps.
      let chance = (moments[name] ?? []).reduce(0) { $0 + pow(steps.chance($1), 2) }.squareRoot()
      #expect(error <= 1e-4 * wanted.norm + chance, "\(name) after ten updates: off by \(error)")
    }
  }

  @Test(arguments: ["vsm", "vsm-hard", "vsm-lse"], TestDevice.exact)
  func vsm(_ name: String, device: TestDevice) throws {
    var options = try Self.options()
    let ranking = try Golden.options()["ranking"]
    options.ranking.kind = name == "vsm-lse" ? .lse : .hinge
    options.ranking.useHardNegatives = name == "vsm-hard"
    options.ranking.hardPoolSize = try #require(ranking?["hard_pool_size"]?.int)
    options.ranking.hardNegativeWeight = Float(try #require(ranking?["hard_neg_weight"]?.double))
    try check(name, "pretrain", queriesPerSlot: 5, options, on: device)
  }
}
