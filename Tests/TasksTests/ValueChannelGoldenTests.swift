import Engine
import Formats
import Model
import TestSupport
import Testing

@testable import Tasks

/// VALUE's answers where a model reads frames alone or subtitles alone.
@Suite("Channels against VALUE", .enabled(if: SharedData.valueGolden != nil))
struct ValueChannelGoldenTests {
  static let channels = ["video_only", "sub_only"]

  private func golden(_ task: String, _ channel: String) throws -> Golden {
    try Golden("\(task).\(channel)", in: try #require(SharedData.valueGolden).path)
  }

  /// Rows of padded [videos, frames, width] that are frames.
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

  @Test(arguments: TestDevice.exact, channels) func captions(device: TestDevice, channel: String) throws {
    let golden = try golden("tvc", channel)
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
