import Corpus
import Engine
import Model

/// Sums over the words, frames or queries of a validation.
struct PretrainingSums: Equatable, BitwiseCopyable {
  var count = 0.0
  var loss = 0.0
  var correct = 0.0
  var distance = 0.0
  var cosine = 0.0
  /// VSM's losses, without their weights.
  var spans = 0.0
  var ranked = 0.0
  var negativeVideos = 0.0
  var negativeQueries = 0.0
}

extension PretrainingLearning {
  /// Measures one source's videos without dropout, each once, with the same masks every time; the batches are divided
  /// among the ranks.
  /// - Parameter progress: called with the number of videos done; what it throws ends the work.
  /// - Returns: the reference's measures by its names: of `mlm` and `fom` loss, acc; of `mffr` loss, cosine; of `mfm-nce`
  ///   loss, acc, l2, cosine; of `vsm` loss_overall, loss_st_ed, loss_neg_ctx, loss_neg_q. Empty where nothing could be
  ///   measured.
  /// - Throws: `DataError` where more than half of the videos cannot be used.
  public func validate(
    _ loader: PretrainingLoader, batchSize: Int,
    among communicator: any Communicator = SoleCommunicator.shared,
    progress: (Int) throws -> Void = { _ in }
  ) throws -> [(name: String, value: Double)] {
    let (backend, shape) = (store.backend, model.configuration)
    let batches = ItemBatches(count: loader.itemCount, size: batchSize)
    let parcels = try communicator.divide(batches, progress: progress) { items in
      let random = RandomStream(seed: 0, step: UInt64(items.lowerBound), for: .validationBatch)
      return (
        first: items.lowerBound,
        input: try loader.batch(of: Array(items), random: random)?.prepared(for: shape, on: backend)
      )
    } work: { batch, parcel in
      if let input = batch.input { parcel.put([measured(input, loader.objective, first: batch.first)]) }
    }
    var sums = PretrainingSums()
    for var parcel in parcels {
      while !parcel.isAtEnd { parcel.take(PretrainingSums.self).forEach { sums.add($0) } }
    }
    // Each rank knows what of its own part it left out, the same at every validation.
    let leftOut = Int(communicator.sum([Double(loader.skippedCount)])[0])
    try loader.requireMost(
      used: loader.itemCount - leftOut, "videos to validate on",
      file: loader.videos.parts.first?.reader.features.path ?? "")
    guard sums.count > 0 else { return [] }
    let mean = { (sum: Double) in sum / sums.count }
    switch loader.objective {
    case .mlm, .fom: return [("loss", mean(sums.loss)), ("acc", mean(sums.correct))]
    case .mffr: return [("loss", mean(sums.distance)), ("cosine", mean(sums.cosine))]
    case .mfmNCE:
      return [
        ("loss", mean(sums.loss)), ("acc", mean(sums.correct)), ("l2", mean(sums.distance)),
        ("cosine", mean(sums.cosine)),
      ]
    case .vsm:
      let (videos, queries) = (sums.negativeVideos / sums.ranked, sums.negativeQueries / sums.ranked)
      let overall =
        Double(ranking.spanWeight) * mean(sums.spans) + Double(ranking.contextWeight) * videos
        + Double(ranking.queryWeight) * queries
      return [
        ("loss_overall", overall), ("loss_st_ed", mean(sums.spans)), ("loss_neg_ctx", videos),
        ("loss_neg_q", queries),
      ]
    }
  }

  /// - Parameter first: the batch's first item, which names what its loss draws.
  private func measured(
    _ input: PretrainingInput, _ objective: PretrainingObjective, first: Int
  ) -> PretrainingSums {
    var sums = PretrainingSums()
    let backend = store.backend
    let tape = Tape.inference(backend)
    switch input {
    case .maskedWords(let words):
      add(model.maskedWordScores(tape, words), columns: model.vocabulary, words.targets, &sums) {
        model.maskedWordLosses(tape, scores: $0, words)
      }
    case .frameOrder(let order):
      add(model.frameOrderScores(tape, order), order.targets, &sums) {
        model.frameOrderLosses(tape, scores: $0, order)
      }
    case .maskedFrames(let frames) where objective == .mffr:
      let predicted = model.predictedFeatures(
        tape, frames: model.videoEncoder(tape, frames.videos), rows: frames.hidden)
      sums.count += Double(predicted.rows)
      sums.add(predicted, targets: frames.targets, on: backend)
    case .maskedFrames(let frames):
      let (scores, predicted) = model.contrastiveScores(tape, frames, temperature: temperature)
      add(scores, frames.own, &sums) { model.contrastiveLosses(tape, scores: $0, frames) }
      sums.add(predicted, targets: frames.targets, on: backend)
    case .moments(let moments):
      add(moments, tape, first: first, &sums)
    }
    return sums
  }

  /// Adds what is chosen of words, places or frames; then `losses` may overwrite the scores.
  private func add(
    _ scores: Tensor, columns: Int? = nil, _ targets: Indices, _ sums: inout PretrainingSums,
    losses computed: (Tensor) -> Tensor
  ) {
    let backend = store.backend
    let places = backend.makeIndices(count: scores.rows)
    backend.argmax(scores, columns: columns ?? scores.columns, places: places)
    let choices = backend.values(of: places)
    sums.add(
      choices: choices, targets: backend.values(of: targets), losses: backend.values(of: computed(scores)))
  }

  private func add(_ moments: RetrievalInput, _ tape: Tape, first: Int, _ sums: inout PretrainingSums) {
    var options = ranking
    options.spanDropProbability = 0
    var random = RandomStream(seed: 0, step: UInt64(first), for: .validationLoss)
    let parts = model.retrieval.loss(tape, moments, options, random: &random).read(on: store.backend)
    let queries = Double(moments.queries.segments.count)
    // A video by itself has no negatives; the reference counts it as one query without loss.
    let ranked = moments.slots.count > 1 ? queries : 1
    sums.count += queries
    sums.ranked += ranked
    for part in parts {
      switch part.name {
      case "st_ed": sums.spans += queries * Double(part.value)
      case "neg_ctx": sums.negativeVideos += ranked * Double(part.value)
      default: sums.negativeQueries += ranked * Double(part.value)
      }
    }
  }
}

extension PretrainingSums {
  /// Adds another batch's.
  mutating func add(_ other: PretrainingSums) {
    count += other.count
    loss += other.loss
    correct += other.correct
    distance += other.distance
    cosine += other.cosine
    spans += other.spans
    ranked += other.ranked
    negativeVideos += other.negativeVideos
    negativeQueries += other.negativeQueries
  }

  /// Adds what was chosen, and what would have been right.
  mutating func add(choices: [Int32], targets: [Int32], losses: [Float]) {
    count += Double(losses.count)
    loss += losses.reduce(0) { $0 + Double($1) }
    correct += Double(zip(choices, targets).count { $0 == $1 })
  }

  /// Adds distance and cosine of predicted features and the hidden ones.
  mutating func add(_ predicted: Tensor, targets: Tensor, on backend: any Backend) {
    let (found, hidden) = (backend.values(of: predicted), backend.values(of: targets))
    for row in 0..<predicted.rows {
      var (product, own, wanted, apart) = (0.0, 0.0, 0.0, 0.0)
      for column in row * predicted.columns..<(row + 1) * predicted.columns {
        let (a, b) = (Double(found[column]), Double(hidden[column]))
        product += a * b
        own += a * a
        wanted += b * b
        let difference = Double(found[column] - hidden[column])
        apart += difference * difference
      }
      cosine += product / max((own * wanted).squareRoot(), 1e-8)
      distance += Double(Float(apart.squareRoot()))
    }
  }
}
