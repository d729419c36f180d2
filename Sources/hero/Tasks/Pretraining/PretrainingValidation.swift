import Engine
import Model

/// Sums over the words, frames or queries of a validation.
struct PretrainingSums: Equatable {
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
  /// Measures one source's videos without dropout, each once, with the same masks every time.
  /// - Parameter progress: called with the number of videos done; what it throws ends the work.
  /// - Returns: the reference's measures by its names: of `mlm` and `fom` loss, acc; of `mffr` loss, cosine; of `mfm-nce`
  ///   loss, acc, l2, cosine; of `vsm` loss_overall, loss_st_ed, loss_neg_ctx, loss_neg_q. Empty where nothing could be
  ///   measured.
  public func validate(
    _ loader: PretrainingLoader, batchSize: Int, progress: (Int) throws -> Void = { _ in }
  ) throws -> [(name: String, value: Double)] {
    let queue = BatchQueue(items: loader.itemCount, batchSize: batchSize) { items in
      let random = RandomStream(seed: 0, step: UInt64(items.lowerBound), stream: 0x7A11)
      return try loader.batch(of: Array(items), random: random)
    }
    var sums = PretrainingSums()
    var done = 0
    while let next = try queue.next() {
      if let batch = next { measure(batch, loader.objective, &sums) }
      done = min(done + max(1, batchSize), loader.itemCount)
      try progress(done)
    }
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

  private func measure(
    _ batch: PretrainingBatch, _ objective: PretrainingObjective, _ sums: inout PretrainingSums
  ) {
    let tape = Tape.inference(store.backend)
    switch batch {
    case .maskedWords(let words):
      let scores = model.maskedWordScores(tape, words)
      sums.add(
        choices: store.backend.argmax(scores, columns: model.vocabulary), targets: words.targets,
        losses: model.maskedWordLosses(tape, scores: scores, words))
    case .frameOrder(let order):
      let scores = model.frameOrderScores(tape, order.videos, order: order.order, places: order.places)
      sums.add(
        choices: store.backend.argmax(scores, columns: scores.columns),
        targets: order.targets.map(Int32.init),
        losses: model.frameOrderLosses(tape, scores: scores, order))
    case .maskedFrames(let frames) where objective == .mffr:
      let predicted = model.maskedFrameFeatures(tape, frames.videos, withNegatives: false).masked
      sums.count += Double(predicted.rows)
      sums.add(predicted: store.backend.values(of: predicted), frames)
    case .maskedFrames(let frames):
      let (scores, predicted) = model.contrastiveScores(tape, frames, temperature: temperature)
      sums.add(
        choices: store.backend.argmax(scores, columns: scores.columns),
        targets: Array(0..<Int32(scores.rows)), losses: model.contrastiveLosses(tape, scores: scores))
      sums.add(predicted: store.backend.values(of: predicted), frames)
    case .moments(let moments):
      add(moments, tape, &sums)
    }
  }

  private func add(_ moments: RetrievalBatch, _ tape: Tape, _ sums: inout PretrainingSums) {
    var options = ranking
    options.spanDropProbability = 0
    var random = RandomStream(seed: 0, step: UInt64(sums.count), stream: 0x7A12)
    let parts = model.loss(tape, moments, options, random: &random).parts(options)
    let queries = Double(moments.queries.count)
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
  /// Adds what was chosen of words, places or frames, and what would have been right.
  mutating func add(choices: [Int32], targets: [Int32], losses: [Float]) {
    count += Double(losses.count)
    loss += losses.reduce(0) { $0 + Double($1) }
    correct += Double(zip(choices, targets).count { $0 == $1 })
  }

  /// Adds distance and cosine of predicted features and the hidden ones.
  mutating func add(predicted: [Float], _ batch: MaskedFrameBatch) {
    distance += batch.distances(zip(predicted, batch.targets).map { $0 - $1 }).reduce(0) { $0 + Double($1) }
    for row in batch.videos.maskedFrames.indices {
      var (product, own, wanted) = (0.0, 0.0, 0.0)
      for column in batch.columns(row) {
        let (a, b) = (Double(predicted[column]), Double(batch.targets[column]))
        product += a * b
        own += a * a
        wanted += b * b
      }
      cosine += product / max((own * wanted).squareRoot(), 1e-8)
    }
  }
}
