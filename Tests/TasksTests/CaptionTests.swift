import CUDAEmulation
import Corpus
import Engine
import Formats
import Foundation
import Model
import TestSupport
import Testing

@testable import Tasks

@Suite("Captions")
struct CaptionTests {
  @Test func clips() {
    func frames(_ start: Double, _ end: Double, of count: Int = 20) -> Range<Int>? {
      TimeSpan(start: start, end: end).clip(frames: count, interval: 1.5)
    }
    #expect(frames(3.2, 7.6) == 2..<5)
    // Halves round to even: 3.75 / 1.5 = 2.5, 5.25 / 1.5 = 3.5.
    #expect(frames(0, 3.75) == 0..<2)
    #expect(frames(0, 5.25) == 0..<4)
    // A clip has at least one frame, and none beyond the last.
    #expect(frames(4.6, 4.7) == 3..<4)
    #expect(frames(6, 1) == 4..<5)
    #expect(frames(28.6, 90) == 19..<20)
    #expect(frames(30, 31) == nil)
    #expect(frames(-5, 1e300) == 0..<20)
    #expect(frames(.nan, .nan) == 0..<1)
    #expect(frames(0, 1, of: 0) == nil)
  }
}

@Suite("Loading and decoding captions")
struct CaptionLoadingTests {
  @Test func captionsAreCut() throws {
    let whole = try #require(
      try GoldenStores.captions("train").batch(of: [0], random: RandomStream(seed: 0, stream: 0)))
    let cut = try #require(
      try GoldenStores.captions("train", maxTextLength: 4).batch(
        of: [0], random: RandomStream(seed: 0, stream: 0)))
    #expect(cut.inputs == whole.inputs.map { Array($0.prefix(4)) })
    #expect(cut.targets == whole.targets.map { Array($0.prefix(4)) })
    #expect(whole.inputs.contains { $0.count > 4 })
  }

  /// A draw depends on the stream alone, and differs between streams.
  @Test func captionsAreDrawn() throws {
    let loader = try GoldenStores.captions("train", captionsPerVideo: 2)
    let all = try #require(
      try GoldenStores.captions("train").batch(of: [0], random: RandomStream(seed: 0, stream: 0)))
    let draws = try (0..<8).map { step in
      let batch = try #require(
        try loader.batch(of: [0], random: RandomStream(seed: 1, step: UInt64(step), stream: 0)))
      let again = try loader.batch(of: [0], random: RandomStream(seed: 1, step: UInt64(step), stream: 0))
      #expect(again?.inputs == batch.inputs)
      #expect(batch.inputs.count == 2 && batch.inputs.allSatisfy { all.inputs.contains($0) })
      return batch.inputs
    }
    #expect(Set(draws).count > 1)
  }

  /// Clips beyond the last kept frame are reported once and skipped; the others are loaded.
  @Test func lateClips() throws {
    let skipped = Skipped()
    let length = 4
    let loader = try GoldenStores.captions("train", maxClipLength: length) { skipped.add($0) }
    let interval = try GoldenStores.interval()
    var late: Set<String> = []
    for _ in 0..<2 {
      for item in 0..<loader.itemCount {
        let batch = try loader.batch(of: [item], random: RandomStream(seed: 0, stream: 0))
        let store = loader.stores[0]
        let ids = store.captionIDs(of: loader.names[item].video)
        let spans = try ids.map { id in
          let caption = try store.caption(id)
          return (clip: caption.clip, span: try #require(caption.span))
        }
        late.formUnion(
          spans.filter { $0.span.start >= Double(length) * interval }.map { "clip \($0.clip)" })
        #expect(
          batch?.clips.count ?? 0 == spans.filter { $0.span.start < Double(length) * interval }.count)
        #expect(batch?.clips.allSatisfy { $0.frames.upperBound <= length } ?? true)
      }
    }
    #expect(!late.isEmpty)
    #expect(skipped.all.count == late.count)
    #expect(Set(skipped.all.compactMap(\.place)) == late)
  }

  /// Eight more words take eight graph launches and one read.
  ///
  /// A step uploads nothing and launches no single kernel.
  @Test(.enabled(if: TestGPU.isEmulated, "a GPU does not count its calls"))
  func aStepIsAGraph() throws {
    let model = try CaptionGoldenTests.model(on: .gpuBF16)
    let (batch, tape) = (try Golden("tvc").captions(), Tape.inference(model.store.backend))
    let clip = ClipInput(
      batch.videos, clips: [batch.clips[0]], for: model.configuration, on: model.store.backend)
    let memory = model.memory(tape, clip)
    func calls(steps: Int) -> hero_cuda_emulation_counts {
      var options = DecodingOptions()
      options.maximumSteps = steps
      let before = hero_cuda_emulation_count()
      // No word ends a caption.
      let found = model.decode(
        tape, memory: memory, clips: clip.clips, CaptionBounds(beginning: 0, end: -1), options)
      #expect(found.map(\.count) == [steps])
      var calls = hero_cuda_emulation_count()
      calls.launches -= before.launches
      calls.graphs -= before.graphs
      calls.uploaded -= before.uploaded
      calls.waits -= before.waits
      calls.downloads -= before.downloads
      return calls
    }
    _ = calls(steps: 16)
    let (few, many) = (calls(steps: 8), calls(steps: 16))
    #expect(many.launches == few.launches && many.uploaded == few.uploaded)
    #expect(many.graphs == few.graphs + 8)
    #expect(many.waits == few.waits + 1 && many.downloads == few.downloads + 1)
  }

  /// With as many beams as words, two steps of beam search are an exhaustive search.
  @Test func beamsFindTheBest() throws {
    let model = try CaptionGoldenTests.model()
    let batch = try Golden("tvc").captions()
    let meta = try GoldenStores.captions("train").stores[0].meta
    let tape = Tape.inference(model.store.backend)
    let backend = model.store.backend
    let clip = ClipInput(batch.videos, clips: [batch.clips[0]], for: model.configuration, on: backend)
    let memory = model.memory(tape, clip)
    let words = Int32(model.vocabulary)
    // Every first word, each followed by every second.
    let rows = model.scores(
      tape,
      CaptionBatch(
        videos: batch.videos, clips: (0..<words).map { _ in batch.clips[0] },
        inputs: (0..<words).map { [meta.bos, $0] }, targets: (0..<words).map { _ in [0, 0] }
      ).prepared(for: model.configuration, on: backend))
    let values = model.store.backend.values(of: rows)
    func logProbabilities(_ row: Int) -> [Double] {
      let own = values[row * rows.columns..<row * rows.columns + Int(words)].map { Double($0) }
      let most = own.max() ?? 0
      let total = most + log(own.reduce(0) { $0 + exp($1 - most) })
      return own.map { $0 - total }
    }
    for penalty in [0, 1.0] {
      var best: (score: Double, words: [Int32]) = (-.infinity, [])
      for first in 0..<words {
        let one = logProbabilities(0)[Int(first)]
        if first == meta.eos {
          if one > best.score { best = (one, []) }
          continue
        }
        for (second, two) in logProbabilities(2 * Int(first) + 1).enumerated() {
          let score = (one + two) / pow(2, penalty)
          if score > best.score {
            best = (score, [first] + (Int32(second) == meta.eos ? [] : [Int32(second)]))
          }
        }
      }
      var options = DecodingOptions()
      options.maximumSteps = 2
      options.beams = Int(words)
      options.lengthPenalty = Float(penalty)
      let bounds = CaptionBounds(beginning: meta.bos, end: meta.eos)
      let found = model.decode(tape, memory: memory, clips: clip.clips, bounds, options)
      #expect(found == [best.words], "length penalty \(penalty)")
    }
  }
}
