import Engine

/// Sums over the words, frames or queries of a validation.
public struct PretrainingSums: Equatable, BitwiseCopyable, Sendable, Parcelled {
  var count = 0.0
  var loss = 0.0
  var correct = 0.0
  var distance = 0.0
  var cosine = 0.0
  /// VSM's losses, unweighted.
  var spans = 0.0
  var ranked = 0.0
  var negativeVideos = 0.0
  var negativeQueries = 0.0
}

extension PretrainingSums {
  /// Adds the sums of another batch.
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

  /// Returns the mean of a sum over all words, frames or queries.
  func mean(_ sum: KeyPath<PretrainingSums, Double>) -> Double { self[keyPath: sum] / count }

  /// Adds the choices among words, places or frames that scores make.
  /// - Parameters:
  ///   - columns: the number of columns to choose from; nil for all.
  ///   - losses: computes the losses from the scores, which it may overwrite.
  mutating func add(
    _ scores: Tensor, columns: Int? = nil, _ targets: Indices, on backend: any Backend,
    losses: (Tensor) -> Tensor
  ) {
    let places = backend.makeIndices(count: scores.rows)
    backend.run(Argmax(scores, columns: columns ?? scores.columns, places: places))
    let choices = backend.values(of: places)
    add(choices: choices, targets: backend.values(of: targets), losses: backend.values(of: losses(scores)))
  }

  /// Adds choices and their targets.
  mutating func add(choices: [Int32], targets: [Int32], losses: [Float]) {
    count += Double(losses.count)
    loss += losses.reduce(0) { $0 + Double($1) }
    correct += Double(zip(choices, targets).count { $0 == $1 })
  }

  /// Adds the distance and cosine between predicted and hidden features.
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
