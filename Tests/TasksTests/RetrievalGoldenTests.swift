import Engine
import Formats
import Model
import TestSupport
import Testing

@testable import Tasks

@Suite("Retrieval against the reference", .enabled(if: Golden.folder != nil, "needs the golden folder"))
struct RetrievalGoldenTests {
  static func model(_ checkpoint: String) throws -> RetrievalModel {
    let file = try Golden.checkpoint(checkpoint)
    let model = RetrievalModel(try Golden.configuration(file), backend: try CPUBackend())
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

  /// Losses and gradients of one batch.
  func check(_ name: String, _ checkpoint: String, queriesPerSlot: Int = 1, _ options: RetrievalLossOptions) throws {
    let golden = try Golden(name)
    let model = try Self.model(checkpoint)
    let tape = Tape.training(model.store.backend, seed: 1, step: 0)
    var random = RandomStream(seed: 1, stream: 0)
    let loss = model.loss(tape, try golden.retrieval(queriesPerSlot: queriesPerSlot), options, random: &random)
    tape.backward()
    let expected = try golden.expected()
    expectClose([loss.context], try #require(expected["neg_ctx"]).floats(), "neg_ctx")
    expectClose([loss.query], try #require(expected["neg_q"]).floats(), "neg_q")
    if let span = expected["st_ed"] { expectClose([loss.span], span.floats(), "st_ed") }
    expectGradients(model.store, try golden.gradients())
  }

  @Test func tvr() throws {
    try check("tvr", "tvr", try Self.options())
    let golden = try Golden("tvr")
    let expected = try golden.expected()
    let batch = try golden.retrieval()
    let model = try Self.model("tvr")
    let backend = model.store.backend
    let tape = Tape.inference(backend)
    let frames = model.videoEncoder(tape, batch.videos)
    print(expected.mapValues(\.shape))
    _ = (frames, backend)
  }

  @Test func didemoVideoOnly() throws { try check("didemo_video_only", "tvr", try Self.options()) }

  @Test func msrvttVideoSub() throws {
    var options = try Self.options()
    options.contextWeight = Float(try #require(try Golden.options()["msrvtt"]?["lw_neg_ctx"]?.double))
    options.queryWeight = Float(try #require(try Golden.options()["msrvtt"]?["lw_neg_q"]?.double))
    options.spanWeight = 0
    try check("msrvtt_video_sub", "msrvtt", options)
  }

  @Test(arguments: ["vsm", "vsm-hard", "vsm-lse"]) func vsm(_ name: String) throws {
    var options = try Self.options()
    let ranking = try Golden.options()["ranking"]
    options.ranking.kind = name == "vsm-lse" ? .lse : .hinge
    options.ranking.useHardNegatives = name == "vsm-hard"
    options.ranking.hardPoolSize = try #require(ranking?["hard_pool_size"]?.int)
    options.ranking.hardNegativeWeight = Float(try #require(ranking?["hard_neg_weight"]?.double))
    try check(name, "pretrain", queriesPerSlot: 5, options)
  }
}
