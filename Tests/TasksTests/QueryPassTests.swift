import CUDAEmulation
import Testing

@testable import Engine
@testable import Model
@testable import Tasks
@testable import TestSupport

/// Queries share the pass of the cross-modal transformer with the videos.
struct QueryPassTests {
  /// A backend that counts the sequences of each attention of a forward pass.
  private final class CountingBackend: ForwardingBackend, @unchecked Sendable {
    var sequences: [Int] = []

    override func run(_ operation: some Engine.Operation) {
      if let attention = operation as? Engine.Attention {
        sequences.append(attention.input.querySegments.count)
      }
      base.run(operation)
    }
  }

  static let fusions: [SubtitleFusion] = [.hierarchical, .add, .concat, .sequence]

  private static func configuration(_ fusion: SubtitleFusion) -> ModelConfiguration {
    var configuration = TinyModel.configuration
    configuration.fusion = fusion
    return configuration
  }

  /// Returns batches whose sentences have frames, have none, or are missing.
  private static func batches(_ fusion: SubtitleFusion) -> [RetrievalBatch] {
    let batch = TinyModel.retrieval(queriesPerSlot: 2)
    let silent = TinyModel.sequences.map { SubtitleSequence(frames: [], tokens: $0.tokens) }
    func with(_ sequences: [SubtitleSequence], textAlone: Bool) -> RetrievalBatch {
      var other = batch
      other.videos = VideoBatch(
        features: [TinyModel.features(12).map { textAlone ? 0 : $0 }[...]],
        featureWidth: TinyModel.featureWidth, lengths: TinyModel.lengths, sequences: sequences,
        sentenceCounts: TinyModel.sentenceCounts, readsTextAlone: textAlone)
      return other
    }
    var none = batch
    none.videos = VideoBatch(
      features: [TinyModel.features(12)[...]], featureWidth: TinyModel.featureWidth,
      lengths: TinyModel.lengths,
      sequences: [], sentenceCounts: [0, 0, 0])
    let alone = fusion == .hierarchical ? [with(TinyModel.sequences, textAlone: true)] : []
    return [batch, with(silent, textAlone: false), none] + alone
  }

  /// Frames and queries equal those of separate passes.
  @Test(arguments: TestDevice.exact, fusions) func together(device: TestDevice, fusion: SubtitleFusion) throws
  {
    let model = RetrievalModel(Self.configuration(fusion), backend: try device.open())
    let backend = model.store.backend
    model.store.initialize(seed: 1)
    for batch in Self.batches(fusion) {
      let tape = Tape.inference(backend)
      let encoded = model.encode(tape, batch.prepared(for: model.configuration, on: backend))
      let frames = model.videoEncoder(tape, batch.videos.prepared(for: model.configuration, on: backend))
      let queries = model.encodeQueries(
        tape, TextInput(batch.queries, for: model.configuration, on: backend))
      expectClose(backend.values(of: encoded.frames), backend.values(of: frames), "frames")
      expectClose(backend.values(of: encoded.queries), backend.values(of: queries), "queries")
    }
  }

  /// An update runs one attention a layer in each of three places.
  ///
  /// These are the cross-modal transformer, with sentences and queries as its sequences, the
  /// temporal transformer, and the encoder of queries.
  @Test(arguments: fusions) func onePass(fusion: SubtitleFusion) throws {
    let backend = CountingBackend(try CPUBackend(threads: 1))
    let model = RetrievalModel(Self.configuration(fusion), backend: backend)
    model.store.initialize(seed: 1)
    let input = TinyModel.retrieval(queriesPerSlot: 2).prepared(for: model.configuration, on: backend)
    let tape = Tape.training(backend, seed: 1, step: 0)
    var random = RandomStream(seed: 1, stream: 0)
    _ = model.loss(tape, input, RetrievalLossOptions(), random: &random)
    let read = fusion == .sequence ? TinyModel.sequences : TinyModel.sequences.filter { !$0.frames.isEmpty }
    #expect(backend.sequences.sorted() == [TinyModel.lengths.count, 6, read.count + 6].sorted())
  }

  /// Returns the number of GPU launches of both passes, by layers of the cross-modal transformer.
  private static func launches(layers: Int, together: Bool) throws -> Int {
    let backend = try TestGPU.open()
    var configuration = Self.configuration(.hierarchical)
    configuration.cross.layers = layers
    let model = RetrievalModel(configuration, backend: backend)
    model.store.initialize(seed: 1)
    let batch = TinyModel.retrieval()
    let input = batch.prepared(for: configuration, on: backend)
    let videos = batch.videos.prepared(for: configuration, on: backend)
    let texts = TextInput(batch.queries, for: configuration, on: backend)
    let before = hero_cuda_emulation_count().launches
    let tape = Tape.training(backend, seed: 1, step: 0)
    let (frames, queries) =
      together
      ? model.encode(tape, input) : (model.videoEncoder(tape, videos), model.encodeQueries(tape, texts))
    for x in [frames, queries] {
      let targets = backend.makeTensor(
        [Float](repeating: 0.5, count: x.count), rows: x.rows, columns: x.columns)
      _ = tape.distances(x, targets: targets, weight: 1)
    }
    tape.backward()
    return hero_cuda_emulation_count().launches - before
  }

  /// A further layer costs half of the launches that it costs in separate passes.
  @Test(.enabled(if: TestGPU.isEmulated)) func launches() throws {
    let (few, many) = (2, 6)
    let together = try [few, many].map { try Self.launches(layers: $0, together: true) }
    let apart = try [few, many].map { try Self.launches(layers: $0, together: false) }
    #expect(2 * (together[1] - together[0]) == apart[1] - apart[0], "\(together), \(apart) apart")
  }
}
