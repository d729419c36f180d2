import Corpus
import Engine
import Model

/// A source of pre-training: one objective on one corpus.
public protocol PretrainingSource: ModelSource where Model == PretrainingModel {
  /// Measures each of the source's videos once, without dropout and with the same masks every time.
  ///
  /// The ranks share the batches.
  /// - Parameter progress: takes the number of videos done; what it throws ends the work.
  /// - Returns: the measures under the reference's names; empty if nothing could be measured.
  /// - Throws: `DataError` if more than half of the videos cannot be used.
  func measure(
    batchSize: Int, among communicator: any Communicator, progress: (Int) throws -> Void
  ) throws -> [(name: String, value: Double)]
  /// The number of videos.
  var videoCount: Int { get }
}

/// A source of any objective.
final class ObjectiveSource<Asked: Objective>: PretrainingSource {
  let name: String
  let model: PretrainingModel
  let loader: PretrainingLoader<Asked>

  init(name: String, model: PretrainingModel, loader: PretrainingLoader<Asked>) {
    self.name = name
    self.model = model
    self.loader = loader
  }

  var videoCount: Int { loader.itemCount }

  func loss(
    _ tape: Tape, _ input: Asked.Batch.Input?, among share: BatchShare, update: Int,
    random: inout RandomStream
  ) -> [LossTerm] {
    loader.objective.loss(model, tape, input, among: share, update: update, random: &random)
  }

  func measure(
    batchSize: Int, among communicator: any Communicator, progress: (Int) throws -> Void
  ) throws -> [(name: String, value: Double)] {
    let (loader, backend, shape) = (loader, store.backend, model.configuration)
    let batches = ItemBatches(count: loader.itemCount, size: batchSize)
    let found = try communicator.divide(batches, progress: progress) { items in
      let random = RandomStream(seed: 0, step: UInt64(items.lowerBound), for: .validationBatch)
      return (
        first: items.lowerBound,
        input: try loader.batch(of: Array(items), random: random)?.prepared(for: shape, on: backend)
      )
    } work: { batch -> [PretrainingSums] in
      guard let input = batch.input else { return [] }
      var sums = PretrainingSums()
      loader.objective.measure(model, .inference(backend), input, first: batch.first, into: &sums)
      return [sums]
    }
    var sums = PretrainingSums()
    for part in found.joined() { sums.add(part) }
    // Each rank knows the videos skipped in its own part, the same at every validation.
    let leftOut = Int(communicator.sum([Double(loader.skips.itemCount)])[0])
    try loader.requireMost(
      used: loader.itemCount - leftOut, "videos to validate on", file: loader.videos.path)
    return sums.count > 0 ? loader.objective.figures(sums) : []
  }
}
