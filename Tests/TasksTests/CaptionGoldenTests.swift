import Corpus
import Engine
import Formats
import Metrics
import Model
import TestSupport
import Testing
import Text

@testable import Tasks

@Suite("Captions against the reference")
struct CaptionGoldenTests {
  static func model(on device: TestDevice = .cpu) throws -> CaptionModel {
    let file = try Golden.checkpoint("tvc")
    let model = CaptionModel(try Golden.configuration(file), backend: try device.open())
    let report = try model.store.load(file)
    #expect(report.missing.isEmpty && report.unused.isEmpty)
    return model
  }

  @Test(arguments: TestDevice.exact) func tvc(device: TestDevice) throws {
    let golden = try Golden("tvc")
    let (expected, batch) = (try golden.expected(), try golden.captions())
    let model = try Self.model(on: device)
    let input = batch.prepared(for: model.configuration, on: model.store.backend)
    let scores = model.scores(.inference(model.store.backend), input)
    let wanted = try #require(expected["scores"])
    let (padded, columns) = (wanted.floats(), wanted.shape[2])
    #expect(columns == model.vocabulary)
    let values = model.store.backend.values(of: scores)
    expectClose(
      (0..<scores.rows).flatMap { values[$0 * scores.columns..<$0 * scores.columns + columns] },
      batch.inputs.enumerated().flatMap { number, words in
        padded[number * wanted.shape[1] * columns..<(number * wanted.shape[1] + words.count) * columns]
      }, "scores")

    let tape = Tape.training(model.store.backend, seed: 1, step: 0)
    let smoothing = Float(try #require(try Golden.options()["tvc_label_smoothing"]?.double))
    let losses = try #require(model.wordLosses(tape, input, smoothing: smoothing))
    tape.backward()
    expectClose(
      model.store.backend.values(of: losses), try #require(expected["loss"]).floats(), "loss of each word")
    expectGradients(model.store, try golden.gradients())
  }

  /// The loader makes exactly the reference's batch from its stores.
  @Test func captionBatch() throws {
    let (wanted, loader) = (try Golden("tvc").captions(), try GoldenStores.captions("train"))
    let passes = Pass.all(of: wanted.videos)
    let random = RandomStream(seed: 0, stream: 0)
    let items = try passes.map { pass in try item(of: loader) { Pass.all(of: $0.videos) == [pass] } }
    let batch = try #require(try loader.batch(of: items, random: random))
    #expect(Pass.all(of: batch.videos) == passes)
    #expect(batch.clips.elementsEqual(wanted.clips) { $0 == $1 })
    #expect(batch.inputs == wanted.inputs)
    #expect(batch.targets == wanted.targets)
  }

  func generator(
    _ model: CaptionModel, videoBatch: Int, clipBatch: Int, beams: Int = 1
  ) throws -> CaptionGenerator {
    var options = DecodingOptions()
    options.beams = beams
    options.maximumSteps = try #require(try Golden.options()["caption_steps"]?.int)
    return CaptionGenerator(
      [(model, try GoldenStores.videos())],
      tokenizer: try Tokenizer(directory: GoldenStores.path("corpus/tokenizer")), options: options,
      frameInterval: try GoldenStores.interval(), videoBatch: videoBatch, clipBatch: clipBatch)
  }

  /// The GPU's words do not change by being read several steps at a time.
  @Test func greedyOnTheDevice() throws { try greedy(.gpu, videoBatch: 20, clipBatch: 256) }

  /// Beam search finds the same words on the GPU as on the CPU.
  @Test func beamsOnTheDevice() throws {
    let clips = try CaptionStore(path: GoldenStores.path("db/txt_db/tvc_val.db")).rows()
    let found = try TestDevice.exact.map { device in
      try generator(try Self.model(on: device), videoBatch: 20, clipBatch: 256, beams: 3).captionTokens(
        Array(clips.prefix(4)))
    }
    #expect(found[0].count == min(4, clips.count) && found[0].contains { $0?.isEmpty == false })
    #expect(found.allSatisfy { $0 == found[0] })
  }

  @Test(arguments: [(1, 1), (2, 3), (20, 256)]) func greedy(videoBatch: Int, clipBatch: Int) throws {
    try greedy(.cpu, videoBatch: videoBatch, clipBatch: clipBatch)
  }

  private func greedy(_ device: TestDevice, videoBatch: Int, clipBatch: Int) throws {
    let file = try GoldenStores.path("expected/eval/tvc_val.greedy.json")
    let wanted = try #require(try JSON.read(path: file).array)
    let clips = try wanted.map { try CaptionRow(json: $0) }
    let generator = try generator(try Self.model(on: device), videoBatch: videoBatch, clipBatch: clipBatch)
    let tokens = try generator.captionTokens(clips)
    for (place, row) in wanted.enumerated() {
      #expect(
        tokens[place]?.map { Int($0) } == row["ids"]?.array?.compactMap(\.int), "clip \(clips[place].clip)")
    }
  }

  /// Rows keep their order and everything but their captions.
  @Test func rows() throws {
    let store = try CaptionStore(path: GoldenStores.path("db/txt_db/tvc_val.db"))
    let clips = try store.rows().reversed() as [CaptionRow]
    #expect(clips.allSatisfy { !$0.captions.isEmpty })
    let generator = try generator(try Self.model(), videoBatch: 2, clipBatch: 4)
    var done: [Int] = []
    let rows = try generator.run(clips) { done.append($0) }.rows
    #expect(done.last == clips.count && done == done.sorted())
    #expect(rows.map(\.clip) == clips.map(\.clip))
    #expect(rows.map(\.times) == clips.map(\.times))
    #expect(rows.allSatisfy { $0.captions.count == 1 })
  }
}

extension Golden {
  /// Returns the padded captions with their clips, packed.
  func captions() throws -> CaptionBatch {
    var clips: [(video: Int, frames: Range<Int>)] = []
    // Without clips the captions are of whole videos, one each.
    if rest["clip_ranges"] == nil {
      clips = try videos().lengths.enumerated().map { ($0, 0..<$1) }
    }
    for (video, ranges) in (rest["clip_ranges"]?.array ?? []).enumerated() {
      for range in try #require(ranges.array) {
        let (start, end) = (try #require(range.array?[0].int), try #require(range.array?[1].int))
        clips.append((video, start..<end))
      }
    }
    let targets = try unpadded("cap_tgt_ids")
    return CaptionBatch(
      videos: try videos(), clips: clips,
      inputs: try unpadded("cap_input_ids", lengths: targets.map(\.count)),
      targets: targets)
  }

  /// Returns rows up to their first −1, or to the given lengths.
  func unpadded(_ name: String, lengths: [Int]? = nil) throws -> [[Int32]] {
    let array = try #require(batch[name])
    let values = try array.int64s().map { Int32($0) }
    return (0..<array.shape[0]).map { row in
      let own = values[row * array.shape[1]..<(row + 1) * array.shape[1]]
      return Array(lengths.map { own.prefix($0[row]) } ?? own.prefix { $0 != -1 })
    }
  }
}
