import Foundation

extension CPUBackend {
  public func ranking(
    _ input: RankingInput, weights: (context: Float, query: Float), gradient: Tensor?, losses: Tensor
  ) {
    var staged = Staged(self)
    defer { staged.finish() }
    let scores = staged.reading(input.scores)
    let pass = RankingPass(input, scores: UnsafeBufferPointer(start: scores.pointer, count: scores.count))
    losses.sums[0] = Double(pass.context)
    losses.sums[1] = Double(pass.query)
    guard let gradient else { return }
    precondition(gradient.count == input.scores.count)
    for (place, parts) in zip(pass.contextGradient, pass.queryGradient).enumerated() {
      gradient.pointer[place] = weights.context * parts.0 + weights.query * parts.1
    }
  }
}

/// The two ranking losses of one batch's scores and how they change with them. On one thread: a
/// batch has few scores.
private struct RankingPass {
  private(set) var context: Float = 0
  private(set) var query: Float = 0
  /// ∂context / ∂score and ∂query / ∂score.
  private(set) var contextGradient: [Float]
  private(set) var queryGradient: [Float]
  private let input: RankingInput
  private let scores: UnsafeBufferPointer<Float>

  init(_ input: RankingInput, scores: UnsafeBufferPointer<Float>) {
    (self.input, self.scores) = (input, scores)
    contextGradient = [Float](repeating: 0, count: scores.count)
    queryGradient = contextGradient
    let (slots, drawn) = (input.slots.onHost.map { Int($0) }, input.drawn?.onHost.map { Int($0) })
    let (width, queries) = (input.scores.columns, input.scores.rows)
    guard slots.count > 1 else { return }
    let share = 1 / Float(queries)
    for m in 0..<queries {
      let own = m / input.queriesPerSlot
      let negatives = slots.indices.filter { $0 != own }.map { m * width + slots[$0] }
      let chosen = chosen(negatives, drawn: drawn?[m])
      context += rank(m * width + slots[own], chosen, share, &contextGradient)
    }
    for (slot, video) in slots.enumerated() {
      let own = slot * input.queriesPerSlot..<(slot + 1) * input.queriesPerSlot
      let negatives = (0..<queries).filter { !own.contains($0) }.map { $0 * width + video }
      let chosen = chosen(negatives, drawn: drawn?[queries + slot])
      for m in own { query += rank(m * width + video, chosen, share, &queryGradient) }
    }
  }

  /// The negatives that count, the hardest first where that matters.
  private func chosen(_ negatives: [Int], drawn: Int?) -> [Int] {
    guard drawn != nil || input.hardPool != nil else { return negatives }
    let sorted = negatives.sorted { scores[$0] == scores[$1] ? $0 < $1 : scores[$0] > scores[$1] }
    return drawn.map { [sorted[$0]] } ?? sorted
  }

  private func rank(_ positive: Int, _ negatives: [Int], _ share: Float, _ gradient: inout [Float]) -> Float {
    let mean = share / Float(negatives.count)
    var total: Float = 0
    for (place, negative) in negatives.enumerated() {
      var weight = mean
      if let pool = input.hardPool { weight *= place < pool.size ? pool.weight : 0.1 }
      let difference = scores[negative] - scores[positive]
      let (loss, slope): (Float, Float)
      switch input.kind {
      case .hinge:
        // Not a maximum: that would make 0 of NaN.
        loss = input.margin + difference < 0 ? 0 : input.margin + difference
        slope = loss > 0 ? 1 : 0
      case .lse:
        loss = difference > 0 ? difference + log1p(exp(-difference)) : log1p(exp(difference))
        slope = 1 / (1 + exp(-difference))
      }
      total += weight * loss
      gradient[negative] += weight * slope
      gradient[positive] -= weight * slope
    }
    return total
  }
}
