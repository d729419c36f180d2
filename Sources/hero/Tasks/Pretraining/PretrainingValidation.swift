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
  public func validate(
    _ loader: PretrainingLoader, batchSize: Int,
    among communicator: any Communicator = SoleCommunicator.shared,
    progress: (Int) throws -> Void = { _ in }
  ) throws -> [(name: String, value: Double)] {
    let (backend, shape) = (store.backend, model.configuration)
    let batches = ItemBatches(count: loader.itemCount, size: batchSize)
    let parcels = try communicator.divide(batches.batches) { own in
      let queue = Prefetch(own) { number in
        let items = batches[number]
        let random = RandomStream(seed: 0, step: UInt64(items.lowerBound), for: .validationBatch)
        return (
          number: number,
          input: try loader.batch(of: Array(items), random: random)?.prepared(for: shape, on: backend)
        )
      }
      var parcel = Parcel()
      while let (number, input) = try queue.next() {
        if let input {
          parcel.put([measured(input, loader.objective, first: batches[number].lowerBound)])
        }
        let done = batches.items(of: own.lowerBound..<number + 1)
        try progress(communicator.stretched(done, own: batches.items(of: own), total: batches.count))
      }
      return parcel
    }
    var sums = PretrainingSums()
    for var parcel in parcels {
      while !parcel.isAtEnd { parcel.take(PretrainingSums.self).forEach { sums.add($0) } }
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

  /// - Parameter first: the batch's first item, which names what its loss draws.
  private func measured(
    _ input: PretrainingInput, _ objective: PretrainingObjective, first: Int
  ) -> PretrainingSums {
    var sums = PretrainingSums()
    let backend = store.backend
    let tape = Tape.inference(backend)
    switch input {
    case .maskedWords(let words):
      let scores = model.maskedWordScores(tape, words)
      let choices = choices(scores, columns: model.vocabulary)
      sums.add(
        choices: choices, targets: backend.values(of: words.targets),
        losses: backend.values(of: model.maskedWordLosses(tape, scores: scores, words)))
    case .frameOrder(let order):
      let scores = model.frameOrderScores(tape, order)
      let choices = choices(scores, columns: scores.columns)
      sums.add(
        choices: choices, targets: backend.values(of: order.targets),
        losses: backend.values(of: model.frameOrderLosses(tape, scores: scores, order)))
    case .maskedFrames(let frames) where objective == .mffr:
      let predicted = model.predictedFeatures(
        tape, frames: model.videoEncoder(tape, frames.videos), rows: frames.hidden)
      sums.count += Double(predicted.rows)
      sums.add(predicted, targets: frames.targets, on: backend)
    case .maskedFrames(let frames):
      let (scores, predicted) = model.contrastiveScores(tape, frames, temperature: temperature)
      let choices = choices(scores, columns: scores.columns)
      sums.add(
        choices: choices, targets: backend.values(of: frames.own),
        losses: backend.values(of: model.contrastiveLosses(tape, scores: scores, frames)))
      sums.add(predicted, targets: frames.targets, on: backend)
    case .moments(let moments):
      add(moments, tape, first: first, &sums)
    }
    return sums
  }

  private func choices(_ scores: Tensor, columns: Int) -> [Int32] {
    let places = store.backend.makeIndices(count: scores.rows)
    store.backend.argmax(scores, columns: columns, places: places)
    return store.backend.values(of: places)
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

  /// Adds what was chosen of words, places or frames, and what would have been right.
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
