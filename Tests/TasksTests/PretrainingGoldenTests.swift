import Engine
import Formats
import Model
import TestSupport
import Testing

@testable import Tasks

@Suite("Pre-training against the reference")
struct PretrainingGoldenTests {
  private func training(_ model: PretrainingModel) -> Tape {
    Tape.training(model.store.backend, seed: 1, step: 0)
  }

  private func temperature() throws -> Float {
    Float(try #require(try Golden.options()["nce_temp"]?.double))
  }

  @Test(arguments: TestDevice.exact) func mlm(device: TestDevice) throws {
    let golden = try Golden("mlm")
    let (batch, expected) = (try golden.maskedText(), try golden.expected())
    let model = try RetrievalGoldenTests.model("pretrain", PretrainingModel.self, on: device)
    let tape = training(model)
    let input = batch.prepared(for: model.configuration, on: model.store.backend)
    let losses = model.maskedWordLosses(tape, input)
    tape.backward()
    expectClose(model.store.backend.values(of: losses), try #require(expected["loss"]).floats(), "losses")
    expectGradients(model.store, try golden.gradients())
    let scores = model.maskedWordScores(.inference(model.store.backend), input)
    let wanted = try #require(expected["scores"])
    let columns = min(wanted.shape[1], model.vocabulary)
    expectClose(
      firstColumns(model.store.backend.values(of: scores), of: scores.columns, columns),
      firstColumns(wanted.floats(), of: wanted.shape[1], columns), "scores")
  }

  private func firstColumns(_ values: [Float], of width: Int, _ count: Int) -> [Float] {
    stride(from: 0, to: values.count, by: width).flatMap { values[$0..<$0 + count] }
  }

  @Test(arguments: TestDevice.exact) func mffr(device: TestDevice) throws {
    let golden = try Golden("mffr")
    let batch = try golden.maskedFrames()
    let model = try RetrievalGoldenTests.model("pretrain", PretrainingModel.self, on: device)
    let tape = training(model)
    let input = batch.prepared(for: model.configuration, on: model.store.backend)
    let losses = model.featureRegressionLosses(tape, input)
    tape.backward()
    let squares = try #require(try golden.expected()["loss"])
    let width = squares.shape[1]
    let distances = (0..<squares.shape[0]).map { row in
      squares.floats()[row * width..<(row + 1) * width].reduce(0, +).squareRoot()
    }
    expectClose(model.store.backend.values(of: losses), distances, "losses")
    expectGradients(model.store, try golden.gradients())
    let plain = Tape.inference(model.store.backend)
    let predicted = model.predictedFeatures(
      plain, frames: model.videoEncoder(plain, input.videos), rows: input.hidden)
    let targets = batch.targets.flatMap { $0 }
    let difference = paired(model.store.backend.values(of: predicted), targets).map { $0 - $1 }
    expectClose(difference.map { $0 * $0 }, squares.floats(), "squared differences")
  }

  @Test(arguments: TestDevice.exact) func mfmNCE(device: TestDevice) throws {
    let golden = try Golden("mfm-nce")
    let model = try RetrievalGoldenTests.model("pretrain", PretrainingModel.self, on: device)
    let tape = training(model)
    let input = try golden.maskedFrames().prepared(for: model.configuration, on: model.store.backend)
    let losses = model.contrastiveLosses(tape, input, temperature: try temperature())
    tape.backward()
    expectClose(
      model.store.backend.values(of: losses), try #require(try golden.expected()["loss"]).floats(), "losses")
    expectGradients(model.store, try golden.gradients())
  }

  /// A temperature divides the products of the predictions with targets and negatives.
  @Test func temperatureDividesTheProducts() throws {
    let model = try RetrievalGoldenTests.model("pretrain", PretrainingModel.self)
    let backend = model.store.backend
    let batch = try Golden("mfm-nce").maskedFrames().prepared(for: model.configuration, on: backend)
    let plain = model.contrastiveScores(.inference(backend), batch, temperature: 1).scores
    let cooled = model.contrastiveScores(.inference(backend), batch, temperature: 4).scores
    expectClose(backend.values(of: cooled), backend.values(of: plain).map { $0 / 4 }, "scores")
  }

  @Test(arguments: TestDevice.exact) func fom(device: TestDevice) throws {
    let golden = try Golden("fom")
    let (batch, expected) = (try golden.frameOrder(), try golden.expected())
    let model = try RetrievalGoldenTests.model("pretrain", PretrainingModel.self, on: device)
    let tape = training(model)
    let backend = model.store.backend
    let losses = model.frameOrderLosses(
      tape, batch.prepared(for: model.configuration, on: backend))
    tape.backward()
    let mean = Float(backend.numbers(of: [tape.sum([losses], scale: 1 / Double(losses.count))])[0])
    expectClose([mean], try #require(expected["loss"]).floats(), "loss")
    expectGradients(model.store, try golden.gradients())
    var all = batch
    all.places = Array(0..<batch.videos.frameCount)
    all.targets = all.places
    let scores = model.frameOrderScores(
      .inference(backend), all.prepared(for: model.configuration, on: backend))
    let wanted = try #require(expected["scores"])
    let padded = wanted.shape[0] / batch.videos.lengths.count
    let real = batch.videos.lengths.enumerated().flatMap { video, length in
      wanted.floats()[video * padded * wanted.shape[1]..<(video * padded + length) * wanted.shape[1]]
    }
    expectClose(model.store.backend.values(of: scores), real, "scores")
  }
}
