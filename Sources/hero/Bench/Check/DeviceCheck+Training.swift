import Engine
import Formats
import Model
import Tasks

extension DeviceCheck {
  /// Three videos with sentences and queries.
  private static let batch: JSON = {
    func list(_ rows: [[Int]]) -> JSON { .array(rows.map { .array($0.map { .int($0) }) }) }
    func video(_ frames: Int, _ subs: [[Int]], _ queries: [[Int]]) -> JSON {
      .object(["frames": .int(frames), "subs": list(subs), "queries": list(queries), "clips": list([])])
    }
    return .object([
      "videos": .array([
        video(14, [[0, 5, 9], [4, 6, 12], [9, 5, 5]], [[7, 2, 5]]),
        video(9, [[0, 4, 11], [5, 3, 4]], [[9, 1, 1]]),
        video(11, [[2, 6, 8]], [[6, 4, 9]]),
      ])
    ])
  }()

  private static let model: ModelConfiguration = {
    func part(_ layers: Int, vocabulary: Int? = nil) -> TransformerConfiguration {
      TransformerConfiguration(
        hiddenSize: 64, layers: layers, heads: 2, intermediateSize: 128, positions: 64, vocabulary: vocabulary
      )
    }
    return ModelConfiguration(
      cross: part(2, vocabulary: 200), temporal: part(1), query: part(0), featureWidth: 96)
  }()

  /// Compares the losses of `updates` updates of a small moment-retrieval model with dropout.
  func checkTraining(updates: Int) -> Row {
    row("\(updates) updates of a model", within: trainingTolerance) { backend in
      guard let work = try? BenchWork(Self.batch, path: "the check's batch", model: Self.model) else {
        preconditionFailure("the check's own batch is malformed")
      }
      let batch = RetrievalBatch(
        videos: work.videos, queries: work.queries, slots: work.queryVideos, targets: work.targets
      ).prepared(for: Self.model, on: backend)
      let model = RetrievalModel(Self.model, backend: backend)
      model.store.initialize(seed: 1)
      let optimizer = Optimizer(.adamw, store: model.store, betas: (0.9, 0.98), weightDecay: { _ in 0.01 })
      var losses: [Float] = []
      let seconds = seconds(on: backend) {
        for update in 0..<updates {
          let tape = Tape.training(backend, seed: 1, step: UInt64(update))
          var random = RandomStream(seed: 1, step: UInt64(update), stream: 2)
          let terms = model.loss(tape, batch, RetrievalLossOptions(), random: &random)
          tape.backward()
          _ = optimizer.step(learningRate: 1e-3, gradientNorm: 1)
          losses.append(terms.read(on: backend).total)
        }
      }
      return ([losses], seconds)
    }
  }
}
