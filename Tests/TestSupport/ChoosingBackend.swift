import Engine
import Foundation

/// The choices of a pass in float32 where losses have no slope of their own.
///
/// They are the best of a video's frames, the order of negatives and whether a hinge is open.
public final class Choices: @unchecked Sendable {
  fileprivate var maxima: [(values: [Float], places: [Int32])] = []
  fileprivate var rankings: [[Float]] = []

  /// Makes an empty list of choices.
  public init() {}
}

/// A backend that records choices, or repeats recorded ones.
///
/// Two passes that round differently choose differently between nearly equal values, and their
/// gradients then go to different places. With the choices of one pass, the other's losses and
/// gradients are continuous in the rounding. `gaps` tells how near the values were where it would
/// have chosen otherwise.
public final class ChoosingBackend: ForwardingBackend, @unchecked Sendable {
  private let choices: Choices
  private let isFollowing: Bool
  private var (maxima, rankings) = (0, 0)
  /// The gap of each choice that this pass alone would make differently.
  ///
  /// A gap is the lead of the recorded choice by the recorded values, relative to the largest of
  /// them.
  public private(set) var gaps: [Float] = []
  /// The number of all choices.
  public private(set) var count = 0

  /// - Parameter following: choose as another pass has, else write down what is chosen.
  public init(_ base: any Backend, _ choices: Choices, following isFollowing: Bool) {
    (self.choices, self.isFollowing) = (choices, isFollowing)
    super.init(base)
  }

  public override func run(_ operation: some Engine.Operation) {
    if let operation = operation as? SegmentMax {
      choose(operation)
    } else if let operation = operation as? RankingLoss {
      rank(operation)
    } else {
      base.run(operation)
    }
  }

  private func choose(_ operation: SegmentMax) {
    let (x, segments, places, out) = (operation.x, operation.segments, operation.places, operation.out)
    base.run(operation)
    let (own, found) = (base.values(of: x), base.values(of: places))
    guard isFollowing else {
      choices.maxima.append((own, found))
      return
    }
    let chosen = choices.maxima[maxima]
    maxima += 1
    count += found.count
    let largest = chosen.values.reduce(0) { max($0, abs($1)) }
    var most = [Float](repeating: 0, count: found.count)
    for (number, place) in chosen.places.enumerated() where place >= 0 {
      let row = number / segments.count * x.columns
      most[number] = own[row + Int(place)]
      if found[number] != place {
        gaps.append((chosen.values[row + Int(place)] - chosen.values[row + Int(found[number])]) / largest)
      }
    }
    chosen.places.withUnsafeBufferPointer { base.upload($0, to: places) }
    most.withUnsafeBufferPointer { base.upload($0, to: out) }
  }

  private func rank(_ operation: RankingLoss) {
    let input = operation.input
    let own = base.values(of: input.scores)
    guard isFollowing else {
      choices.rankings.append(own)
      return base.run(operation)
    }
    var pass = RankingPass(
      input, slots: base.values(of: input.slots).map { Int($0) },
      drawn: input.drawn.map { base.values(of: $0).map { Int($0) } }, own: own,
      chosen: choices.rankings[rankings])
    rankings += 1
    pass.run(operation.weights)
    count += pass.count
    gaps += pass.gaps
    base.run(Fill(operation.losses, with: 0))
    for (place, loss) in [pass.context, pass.query].enumerated() {
      let loss = base.makeTensor([Float(loss)], rows: 1, columns: 1)
      base.run(AddSum(loss, scale: 1, to: operation.losses, at: place))
    }
    if let gradient = operation.gradient {
      pass.gradient.map { Float($0) }.withUnsafeBufferPointer { base.upload($0, to: gradient) }
    }
  }
}

/// Both ranking losses of one pass's scores by another pass's choices.
private struct RankingPass {
  let input: RankingInput
  let slots: [Int]
  let drawn: [Int]?
  let own: [Float]
  let chosen: [Float]
  private(set) var (context, query) = (0.0, 0.0)
  private(set) var gradient: [Double]
  private(set) var gaps: [Float] = []
  private(set) var count = 0

  init(_ input: RankingInput, slots: [Int], drawn: [Int]?, own: [Float], chosen: [Float]) {
    (self.input, self.slots, self.drawn, self.own, self.chosen) = (input, slots, drawn, own, chosen)
    gradient = [Double](repeating: 0, count: own.count)
  }

  mutating func run(_ weights: (context: Float, query: Float)) {
    let (width, queries) = (input.scores.columns, input.scores.rows)
    guard slots.count > 1 else { return }
    for m in 0..<queries {
      let own = m / input.queriesPerSlot
      let negatives = slots.indices.filter { $0 != own }.map { m * width + slots[$0] }
      context += rank(m * width + slots[own], negatives, drawn?[m], Double(weights.context))
    }
    for (slot, video) in slots.enumerated() {
      let own = slot * input.queriesPerSlot..<(slot + 1) * input.queriesPerSlot
      let negatives = (0..<queries).filter { !own.contains($0) }.map { $0 * width + video }
      for m in own {
        query += rank(m * width + video, negatives, drawn?[queries + slot], Double(weights.query))
      }
    }
  }

  private func sorted(_ negatives: [Int], by scores: [Float]) -> [Int] {
    guard drawn != nil || input.hardPool != nil else { return negatives }
    return negatives.sorted { scores[$0] == scores[$1] ? $0 < $1 : scores[$0] > scores[$1] }
  }

  private mutating func rank(_ positive: Int, _ negatives: [Int], _ drawn: Int?, _ weight: Double) -> Double {
    let (order, other) = (sorted(negatives, by: chosen), sorted(negatives, by: own))
    let largest = chosen.reduce(0) { max($0, abs($1)) }
    var total = 0.0
    let used = drawn.map { $0..<$0 + 1 } ?? order.indices
    for place in used {
      var share = 1 / Double(input.scores.rows) / Double(used.count)
      if let pool = input.hardPool { share *= place < pool.size ? Double(pool.weight) : 0.1 }
      let negative = order[place]
      if other[place] != negative { gaps.append(abs(chosen[negative] - chosen[other[place]]) / largest) }
      let difference = Double(own[negative]) - Double(own[positive])
      var (loss, slope) = (log1p(exp(-abs(difference))) + max(difference, 0), 1 / (1 + exp(-difference)))
      if input.kind == .hinge {
        let value = input.margin + chosen[negative] - chosen[positive]
        (loss, slope) = value > 0 ? (Double(input.margin) + difference, 1) : (0, 0)
        if (Double(input.margin) + difference > 0) != (value > 0) { gaps.append(abs(value) / largest) }
      }
      count += 1
      total += share * loss
      gradient[negative] += weight * share * slope
      gradient[positive] -= weight * share * slope
    }
    return total
  }
}
