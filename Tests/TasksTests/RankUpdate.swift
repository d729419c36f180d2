import Engine
import Model
import TestSupport

@testable import Tasks

/// A rank's state after an update of a batch that two ranks share.
struct RankUpdate: @unchecked Sendable {
  /// The weighted losses of both ranks together, by name.
  let losses: [String: Double]
  let store: ParameterStore

  /// A rank's part of a batch, with its loss.
  struct Part {
    let store: ParameterStore
    /// The `Source.counts` of the rank's part.
    let counts: [Counted: Int]
    let loss: (Tape, BatchShare) throws -> [LossTerm]
  }

  /// Returns the losses and gradients of two ranks, each with its part of a batch.
  static func ofTwo(_ part: @escaping @Sendable (_ rank: Int) throws -> Part) throws -> [RankUpdate] {
    try ThreadRanks.run(2) { ranks in
      let own = try part(ranks.rank)
      let backend = own.store.backend
      try Device.link(backend, among: ranks) { _ in }
      let tape = Tape.training(backend, seed: 1, step: 0, communicator: ranks)
      let terms = try own.loss(tape, BatchShare(own.counts, among: ranks))
      GradientExchange(own.store, communicator: ranks).backward(tape)
      let parts = terms.read(on: backend)
      let sums = ranks.sum(parts.map { Double($0.weight * $0.value) })
      return RankUpdate(
        losses: Dictionary(uniqueKeysWithValues: zip(parts.map(\.name), sums)), store: own.store)
    }
  }

  /// Gives each rank half of the videos with their queries.
  static func retrieval(
    _ batch: RetrievalBatch, _ options: RetrievalLossOptions,
    model: @escaping @Sendable () throws -> RetrievalModel
  ) throws -> [RankUpdate] {
    try ofTwo { rank in
      let model = try model()
      let input = batch.half(rank).prepared(for: model.configuration, on: model.store.backend)
      return Part(store: model.store, counts: input.counts) { tape, share in
        var random = RandomStream(seed: 1, stream: 0)
        return model.loss(tape, input, options, among: share, random: &random)
      }
    }
  }

  /// Gives each rank half of the questions or statements; a single one goes to the second rank.
  static func answering<Model: AnsweringModel & SendableMetatype>(
    _ batch: QuestionBatch, spanWeight: Float, model: @escaping @Sendable () throws -> Model
  ) throws -> [RankUpdate] {
    try ofTwo { rank in
      let model = try model()
      let input = batch.half(rank)?.prepared(for: model.configuration, on: model.store.backend)
      return Part(store: model.store, counts: input?.counts ?? [:]) { tape, share in
        model.loss(tape, input, among: share, spanWeight: spanWeight)
      }
    }
  }

  /// Gives each rank half of the videos with their captions.
  static func captions(
    _ batch: CaptionBatch, smoothing: Float, model: @escaping @Sendable () throws -> CaptionModel
  ) throws -> [RankUpdate] {
    try ofTwo { rank in
      let model = try model()
      let input = batch.half(rank).prepared(for: model.configuration, on: model.store.backend)
      return Part(store: model.store, counts: [.targets: input.targets.count]) { tape, share in
        [LossTerm("loss", model.loss(tape, input, words: share.total(.targets), smoothing: smoothing))]
      }
    }
  }
}

/// Returns the places of a list that one of two ranks has.
private func half(_ rank: Int, of count: Int) -> Range<Int> {
  rank == 0 ? 0..<count / 2 : count / 2..<count
}

extension VideoBatch {
  /// Returns some of the videos as a batch of their own.
  func part(_ own: Range<Int>) -> VideoBatch {
    let first = lengths[..<own.lowerBound].reduce(0, +)
    let rows = first..<first + lengths[own].reduce(0, +)
    let sentences = sentenceCounts[..<own.lowerBound].reduce(0, +)
    let sequences = sequences[sentences..<sentences + sentenceCounts[own].reduce(0, +)].map {
      SubtitleSequence(frames: $0.frames.map { $0 - first }, tokens: $0.tokens)
    }
    return VideoBatch(
      features: [allFeatures[rows.lowerBound * featureWidth..<rows.upperBound * featureWidth]],
      featureWidth: featureWidth, lengths: Array(lengths[own]), sequences: sequences,
      sentenceCounts: Array(sentenceCounts[own]), readsTextAlone: readsTextAlone)
  }
}

extension RetrievalBatch {
  fileprivate func half(_ rank: Int) -> RetrievalBatch {
    let own = TasksTests.half(rank, of: videos.lengths.count)
    let queries = slots.indices.filter { own.contains(slots[$0]) }
    return RetrievalBatch(
      videos: videos.part(own), queries: queries.map { self.queries[$0] },
      slots: queries.map { slots[$0] - own.lowerBound }, targets: queries.map { targets[$0] })
  }
}

extension QuestionBatch {
  fileprivate func half(_ rank: Int) -> QuestionBatch? {
    let own = TasksTests.half(rank, of: targets.count)
    guard !own.isEmpty else { return nil }
    let first = pairsPerQuestion[..<own.lowerBound].reduce(0, +)
    let pairs = first..<first + pairsPerQuestion[own].reduce(0, +)
    return QuestionBatch(
      videos: videos.part(pairs), texts: Array(texts[pairs]), pairsPerQuestion: Array(pairsPerQuestion[own]),
      targets: Array(targets[own]), spans: spans.isEmpty ? [] : Array(spans[own]))
  }
}

extension CaptionBatch {
  fileprivate func half(_ rank: Int) -> CaptionBatch {
    let own = TasksTests.half(rank, of: videos.lengths.count)
    let captions = clips.indices.filter { own.contains(clips[$0].video) }
    return CaptionBatch(
      videos: videos.part(own),
      clips: captions.map { (clips[$0].video - own.lowerBound, clips[$0].frames) },
      inputs: captions.map { inputs[$0] }, targets: captions.map { targets[$0] })
  }
}
