import Engine
import Formats
import TestSupport
import Testing

@testable import Model
@testable import Tasks

/// VALUE's answers of its three fusion models, without padding in the maximum over subtitles.
@Suite("Fusion models against VALUE", .enabled(if: SharedData.valueGolden != nil))
struct ValueFusionGoldenTests {
  static let methods: [SubtitleFusion] = [.add, .concat, .sequence]

  private static func path(_ name: String) throws -> String {
    try #require(SharedData.valueGolden).path + "/" + name
  }

  static func expected(_ name: String) throws -> [String: NDArray] {
    try Golden.tensors(try path("\(name).expected.safetensors"))
  }

  /// Returns a fusion model of TVR's weights, VALUE's own weights, and the heads of another file.
  static func model<Model: HeroModel>(
    _ fusion: SubtitleFusion, heads: String? = nil, on device: TestDevice = .cpu
  ) throws -> Model {
    let file = try Golden.checkpoint("tvr")
    var configuration = try Golden.configuration(file)
    configuration.fusion = fusion
    let model = Model(configuration, backend: try device.open())
    let report = try model.store.load(file)
    var missing = Set(report.missing)
    func take(_ name: String, _ array: NDArray) throws {
      let parameter = try #require(model.store[name], "no parameter \(name)")
      model.store.set(parameter, to: array.floats())
      missing.remove(name)
    }
    for (name, array) in try Golden.tensors(try path("fusion_\(fusion).own.safetensors")) {
      // The vocabulary is padded to a multiple of 8.
      let parameter = try #require(model.store[name], "no parameter \(name)")
      let rest = [Float](repeating: 0, count: parameter.count - array.floats().count)
      try take(name, NDArray(floats: array.floats() + rest, shape: parameter.shape))
    }
    if let heads {
      let file = try Golden.checkpoint(heads)
      for name in file.names where model.store[name] != nil && !name.hasPrefix("v_encoder.") {
        try take(name, try #require(try file.array(name)))
      }
    }
    #expect(missing.isEmpty)
    return model
  }

  /// The parameters are exactly VALUE's, except `pad` and the word embedding's second name.
  @Test(arguments: methods) func names(fusion: SubtitleFusion) throws {
    let model: RetrievalModel = try Self.model(fusion)
    let listed = try #require(try JSON.read(path: Self.path("fusion_\(fusion).names.json")).object)
    let own = Set(model.store.parameters.map(\.name))
    let wanted = Set(listed.map(\.key)).filter {
      !$0.hasSuffix(".pad") && !$0.hasSuffix("lm_head.decoder.weight")
    }
    #expect(own == wanted)
    for parameter in model.store.parameters {
      let shape = try #require(listed[parameter.name]?["shape"]?.array).compactMap(\.int)
      #expect(shape.dropFirst().elementsEqual(parameter.shape.dropFirst()), "\(parameter.name)")
    }
  }

  @Test(arguments: TestDevice.exact, methods) func retrieval(device: TestDevice, fusion: SubtitleFusion)
    throws
  {
    let golden = try Golden("tvr.video_sub", in: try Self.path(""))
    let expected = try Self.expected("fusion_\(fusion)_unpadded.tvr")
    let model: RetrievalModel = try Self.model(fusion, on: device)
    let (backend, batch) = (model.store.backend, try golden.retrieval())
    let input = batch.prepared(for: model.configuration, on: backend)
    let fused = model.videoEncoder.fuse(.inference(backend), input.videos).rows
    try expectFused(backend.values(of: fused), expected, input.videos, batch)
    let frames = model.videoEncoder(.inference(backend), input.videos)
    let wanted = try #require(expected["frame_embeddings"])
    expectClose(
      backend.values(of: frames), Self.unpadded(wanted, batch.videos.lengths), "frame_embeddings")
    let queries = model.encodeQueries(
      .inference(backend), TextInput(batch.queries, for: model.configuration, on: backend))
    let spans = model.spanLogits(
      .inference(backend), queries: queries, frames: frames, pairs: input.pairs, places: input.places)
    let lengths = batch.slots.map { batch.videos.lengths[$0] }
    for (name, logits) in [("st_logits", spans.start), ("ed_logits", spans.end)] {
      let padded = try #require(expected[name])
      expectClose(
        backend.values(of: logits),
        Self.unpadded(NDArray(floats: padded.floats(), shape: padded.shape + [1]), lengths), name)
    }
    let tape = Tape.training(backend, seed: 1, step: 0)
    var random = RandomStream(seed: 1, stream: 0)
    let loss = model.loss(tape, input, try RetrievalGoldenTests.options(), random: &random)
      .weighted(on: backend)
    tape.backward()
    for name in ["neg_ctx", "neg_q", "st_ed"] {
      expectClose([try #require(loss[name])], try #require(expected[name]).floats(), name)
    }
    try expectGradientNorms(
      model.store, try JSON.read(path: Self.path("fusion_\(fusion)_unpadded.grad_norms.json")))
  }

  /// Expects the temporal transformer's input; for a sequence model, frames and then sentences.
  private func expectFused(
    _ fused: [Float], _ expected: [String: NDArray], _ videos: VideoInput, _ batch: RetrievalBatch
  ) throws {
    let padded = try #require(expected["fused_frames"])
    guard let mask = expected["fused_mask"]?.floats() else {
      return expectClose(fused, Self.unpadded(padded, batch.videos.lengths), "fused_frames")
    }
    let (width, values) = (padded.shape[2], padded.floats())
    expectClose(
      fused, mask.indices.filter { mask[$0] != 0 }.flatMap { values[$0 * width..<($0 + 1) * width] },
      "fused_frames")
  }

  /// Returns the rows of padded [videos, frames, width] that are frames.
  private static func unpadded(_ array: NDArray, _ lengths: [Int]) -> [Float] {
    let (padded, width, values) = (array.shape[1], array.shape[2], array.floats())
    return lengths.enumerated().flatMap { video, length in
      values[video * padded * width..<(video * padded + length) * width]
    }
  }

  /// Each video has one made-up sentence.
  @Test(arguments: TestDevice.exact, methods) func videoOnly(device: TestDevice, fusion: SubtitleFusion)
    throws
  {
    let golden = try Golden("tvr.video_only", in: try Self.path(""))
    let expected = try Self.expected("fusion_\(fusion).tvr.video_only")
    let model: RetrievalModel = try Self.model(fusion, on: device)
    let (backend, batch) = (model.store.backend, try golden.retrieval())
    let input = batch.prepared(for: model.configuration, on: backend)
    let frames = model.videoEncoder(.inference(backend), input.videos)
    let wanted = try #require(expected["frame_embeddings"])
    expectClose(
      backend.values(of: frames), Self.unpadded(wanted, batch.videos.lengths), "frame_embeddings")
    let tape = Tape.training(backend, seed: 1, step: 0)
    var random = RandomStream(seed: 1, stream: 0)
    let loss = model.loss(tape, input, try RetrievalGoldenTests.options(), random: &random)
      .weighted(on: backend)
    for name in ["neg_ctx", "neg_q", "st_ed"] {
      expectClose([try #require(loss[name])], try #require(expected[name]).floats(), name)
    }
  }

  @Test(arguments: TestDevice.exact, methods) func questions(device: TestDevice, fusion: SubtitleFusion)
    throws
  {
    let golden = try Golden("tvqa.video_sub", in: try Self.path(""))
    let expected = try Self.expected("fusion_\(fusion)_unpadded.tvqa")
    let model: QuestionModel = try Self.model(fusion, heads: "tvqa", on: device)
    let backend = model.store.backend
    let input = try golden.questions().prepared(for: model.configuration, on: backend)
    let output = model(.inference(backend), input)
    expectClose(backend.values(of: output.answers), try #require(expected["logits"]).floats(), "logits")
    try expectSpans(backend.values(of: try #require(output.spans)), expected, input)
    let tape = Tape.training(backend, seed: 1, step: 0)
    let loss = model.loss(tape, input, spanWeight: try QuestionGoldenTests.spanWeight()).read(on: backend)
    expectClose([loss[0].value], try #require(expected["qa"]).floats(), "qa")
    expectClose([loss[1].value], try #require(expected["st_ed"]).floats(), "st_ed")
  }

  /// Expects span logits [questions, rows, 2], with as many rows as the questions have.
  private func expectSpans(_ spans: [Float], _ expected: [String: NDArray], _ input: QuestionInput) throws {
    let padded = try #require(expected["span_logits"])
    let (rows, values) = (padded.shape[1], padded.floats())
    let wanted = (0..<2).flatMap { side in
      input.questionFrames.lengths.enumerated().flatMap { question, length in
        (0..<length).map { values[(question * rows + $0) * 2 + side] }
      }
    }
    expectClose(spans, wanted, "span_logits")
  }
}
