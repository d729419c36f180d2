import HeapModule

/// A list of the `capacity` best of any number of candidates, in memory of fixed size.
///
/// Equal scores rank by `order`, the lower first, so the list does not depend on the sequence in
/// which candidates come.
struct BoundedTopList<Score: MomentScore, Payload> {
  struct Candidate: Comparable {
    var score: Score
    var order: Int
    var payload: Payload

    static func < (a: Candidate, b: Candidate) -> Bool {
      a.score != b.score ? a.score < b.score : a.order > b.order
    }

    static func == (a: Candidate, b: Candidate) -> Bool { a.score == b.score && a.order == b.order }
  }

  let capacity: Int
  private var heap = Heap<Candidate>()

  init(capacity: Int) {
    self.capacity = max(0, capacity)
  }

  /// The score below which no candidate enters; an equal one enters if its order is lower.
  var threshold: Score {
    guard heap.count == capacity else { return .lowest }
    return heap.min?.score ?? .highest
  }

  /// Inserts the candidate if it is among the best so far. A NaN never is.
  mutating func insert(score: Score, order: Int, payload: @autoclosure () -> Payload) {
    guard capacity > 0, score >= threshold else { return }
    let candidate = Candidate(score: score, order: order, payload: payload())
    if heap.count < capacity {
      heap.insert(candidate)
    } else if let worst = heap.min, worst < candidate {
      heap.replaceMin(with: candidate)
    }
  }

  /// Returns the kept candidates, the best first.
  func sorted() -> [Candidate] { heap.unordered.sorted(by: >) }
}
