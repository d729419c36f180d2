import Engine
import Formats
import Model
import TestSupport
import Testing

@testable import Tasks

/// VALUE's losses and gradients of a batch that two ranks share.
@Suite("Two ranks against VALUE", .enabled(if: SharedData.valueGolden != nil))
struct ValueRankGoldenTests {
  /// The CPU, and GPUs only if emulated, since two ranks cannot share a GPU.
  static let devices = TestDevice.exact.filter { $0 == .cpu || TestGPU.isEmulated }
  static let channels = ["video_sub", "video_only", "sub_only"]

  private static func path(_ name: String) throws -> String {
    try #require(SharedData.valueGolden).path + "/" + name
  }

  private static func golden(_ task: String, _ channel: String = "video_sub") throws -> Golden {
    try Golden("\(task).\(channel)", in: try path(""))
  }

  /// Expects every rank to have the whole batch's losses in `names`.
  private func expect(
    _ ranks: [RankUpdate], _ expected: [String: NDArray], _ names: [String], weights: [String: Float] = [:],
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    for rank in ranks {
      for name in names {
        let wanted = try #require(expected[name], sourceLocation: sourceLocation).floats()
        // Words have a loss each; everything else has a mean.
        let mean = wanted.reduce(0.0) { $0 + Double($1) } / Double(wanted.count)
        expectClose(
          [Float(try #require(rank.losses[name], sourceLocation: sourceLocation))],
          [Float(mean) * (weights[name] ?? 1)], "\(name) of two ranks", sourceLocation: sourceLocation)
      }
    }
  }

  private func expectNorms(_ ranks: [RankUpdate], _ norms: JSON?) throws {
    for rank in ranks { try expectGradientNorms(rank.store, try #require(norms)) }
  }

  private static let retrievalParts = ["neg_ctx", "neg_q", "st_ed"]

  // MARK: Channels

  @Test(arguments: devices, channels) func retrieval(device: TestDevice, channel: String) throws {
    let golden = try Self.golden("tvr", channel)
    let ranks = try RankUpdate.retrieval(try golden.retrieval(), try RetrievalGoldenTests.options()) {
      try RetrievalGoldenTests.model("tvr", on: device)
    }
    try expect(ranks, try golden.expected(), Self.retrievalParts)
  }

  @Test(arguments: devices, channels) func questions(device: TestDevice, channel: String) throws {
    try expectAnswers(try Self.golden("tvqa", channel), ["qa", "st_ed"], on: device)
  }

  @Test(arguments: devices) func events(device: TestDevice) throws {
    try expectAnswers(try Self.golden("vlep"), ["qa"], on: device)
  }

  private func expectAnswers(_ golden: Golden, _ names: [String], on device: TestDevice) throws {
    let weight = try QuestionGoldenTests.spanWeight()
    let ranks = try RankUpdate.answering(try golden.questions(), spanWeight: weight) {
      try QuestionGoldenTests.questionModel(on: device)
    }
    try expect(ranks, try golden.expected(), names, weights: ["st_ed": weight])
  }

  @Test(arguments: devices, channels) func statements(device: TestDevice, channel: String) throws {
    let golden = try Self.golden("violin", channel)
    let ranks = try RankUpdate.answering(try golden.statements(), spanWeight: 0) {
      try ValueChannelGoldenTests.statementModel("tvqa", on: device)
    }
    try expect(ranks, try golden.expected(), ["loss"])
  }

  @Test(arguments: devices, channels) func captions(device: TestDevice, channel: String) throws {
    try expectCaptions(try Self.golden("tvc", channel), on: device)
  }

  @Test(arguments: devices) func captionsOfWholeVideos(device: TestDevice) throws {
    try expectCaptions(try Self.golden("cap_whole_video"), on: device)
  }

  private func expectCaptions(_ golden: Golden, on device: TestDevice) throws {
    let ranks = try RankUpdate.captions(try golden.captions(), smoothing: try Self.smoothing()) {
      try CaptionGoldenTests.model(on: device)
    }
    try expect(ranks, try golden.expected(), ["loss"])
  }

  private static func smoothing() throws -> Float {
    Float(try #require(try JSON.read(path: path("options.json"))["caption_label_smoothing"]?.double))
  }

  /// Two ranks judge a split of statements, some batches each.
  @Test func judgements() throws {
    let wanted = try JSON.read(path: Self.path("violin_val.tvqa_weights.json"))
    let answers = try #require(wanted["answers"]?.object)
    let ranks = try ThreadRanks.run(2) { ranks in
      let evaluator = QuestionEvaluator(
        [
          (
            try ValueChannelGoldenTests.statementModel("tvqa"),
            try GoldenStores.statements("val", .evaluation)
          )
        ], batchSize: 7)
      let evaluation = try evaluator.run(among: ranks)
      return (
        rows: evaluation.results.rows, metrics: evaluator.metrics(evaluation, split: "val").map { ($0, $1) }
      )
    }
    for rank in ranks {
      #expect(rank.rows.count == answers.count)
      for row in rank.rows { #expect(answers[row.id.text]?.int == row.answer) }
      for (name, value) in rank.metrics {
        expectClose([Float(value)], [Float(try #require(wanted["metrics"]?[name]?.double))], name)
      }
    }
  }

  // MARK: Fusion models

  @Test(arguments: devices, ValueFusionGoldenTests.methods)
  func fusedRetrieval(device: TestDevice, fusion: SubtitleFusion) throws {
    let options = try RetrievalGoldenTests.options()
    let both = try RankUpdate.retrieval(try Self.golden("tvr").retrieval(), options) {
      try ValueFusionGoldenTests.model(fusion, on: device)
    }
    let name = "fusion_\(fusion)_unpadded"
    try expect(both, try ValueFusionGoldenTests.expected("\(name).tvr"), Self.retrievalParts)
    try expectNorms(both, try JSON.read(path: Self.path("\(name).grad_norms.json")))
    let frames = try RankUpdate.retrieval(try Self.golden("tvr", "video_only").retrieval(), options) {
      try ValueFusionGoldenTests.model(fusion, on: device)
    }
    try expect(
      frames, try ValueFusionGoldenTests.expected("fusion_\(fusion).tvr.video_only"), Self.retrievalParts)
  }

  @Test(arguments: devices, ValueFusionGoldenTests.methods)
  func fusedQuestions(device: TestDevice, fusion: SubtitleFusion) throws {
    let weight = try QuestionGoldenTests.spanWeight()
    let ranks = try RankUpdate.answering(try Self.golden("tvqa").questions(), spanWeight: weight) {
      () throws -> QuestionModel in
      try ValueFusionGoldenTests.model(fusion, heads: "tvqa", on: device)
    }
    try expect(
      ranks, try ValueFusionGoldenTests.expected("fusion_\(fusion)_unpadded.tvqa"), ["qa", "st_ed"],
      weights: ["st_ed": weight])
  }

  // MARK: One model of many tasks

  @Test(arguments: devices, ["vcmr", "vr", "videoQA", "violin", "videoCap"])
  func oneOfManyTasks(device: TestDevice, task: String) throws {
    let expected = try Golden.tensors(try Self.path("multitask.\(task).expected.safetensors"))
    let models = { @Sendable in try ValueMultitaskGoldenTests.Models(on: device) }
    let weight = try QuestionGoldenTests.spanWeight()
    let ranks: [RankUpdate]
    switch task {
    case "vcmr", "vr":
      var options = try RetrievalGoldenTests.options()
      if task == "vr" { options.spanWeight = 0 }
      ranks = try RankUpdate.retrieval(try Self.golden("tvr").retrieval(), options) {
        try models().retrieval
      }
      try expect(ranks, expected, Self.retrievalParts)
    case "videoQA":
      ranks = try RankUpdate.answering(try Self.golden("tvqa").questions(), spanWeight: weight) {
        try models().questions
      }
      try expect(ranks, expected, ["qa", "st_ed"], weights: ["st_ed": weight])
    case "violin":
      ranks = try RankUpdate.answering(try Self.golden("violin").statements(), spanWeight: 0) {
        try models().statements
      }
      try expect(ranks, expected, ["loss"])
    default:
      ranks = try RankUpdate.captions(try Self.golden("tvc").captions(), smoothing: try Self.smoothing()) {
        try models().captions
      }
      try expect(ranks, expected, ["loss"])
    }
    try expectNorms(ranks, try JSON.read(path: Self.path("multitask.grad_norms.json"))[task])
  }
}
