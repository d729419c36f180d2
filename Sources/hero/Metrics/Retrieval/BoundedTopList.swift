/// The `capacity` best of any number of candidates, in memory that does not grow with their number.
///
/// A binary heap with the worst kept candidate on top. Equal scores rank by `order`, the lower first, so the list
/// does not depend on the sequence in which candidates come.
struct BoundedTopList<Payload> {
  struct Candidate {
    var score: Float
    var order: Int
    var payload: Payload

    func isBetter(than other: Candidate) -> Bool {
      score != other.score ? score > other.score : order < other.order
    }
  }

  let capacity: Int
  private var heap: [Candidate] = []

  init(capacity: Int) {
    self.capacity = max(0, capacity)
  }

  /// A candidate below this score cannot enter; one that equals it may, if its order is lower.
  var threshold: Float {
    guard heap.count == capacity else { return -.infinity }
    return heap.first?.score ?? .infinity
  }

  /// Keeps the candidate if it is among the best so far. A score that is not a number never is.
  mutating func insert(score: Float, order: Int, payload: @autoclosure () -> Payload) {
    guard capacity > 0, score >= threshold else { return }
    let candidate = Candidate(score: score, order: order, payload: payload())
    if heap.count < capacity {
      heap.append(candidate)
      siftUp(from: heap.count - 1)
    } else if candidate.isBetter(than: heap[0]) {
      heap[0] = candidate
      siftDown()
    }
  }

  /// What was kept, the best first.
  func sorted() -> [Candidate] {
    heap.sorted { $0.isBetter(than: $1) }
  }

  mutating func removeAll() {
    heap.removeAll(keepingCapacity: true)
  }

  private mutating func siftUp(from start: Int) {
    var child = start
    while child > 0 {
      let parent = (child - 1) / 2
      guard heap[parent].isBetter(than: heap[child]) else { return }
      heap.swapAt(parent, child)
      child = parent
    }
  }

  private mutating func siftDown() {
    var parent = 0
    while true {
      var worst = parent
      for child in [2 * parent + 1, 2 * parent + 2]
      where child < heap.count && heap[worst].isBetter(than: heap[child]) {
        worst = child
      }
      guard worst != parent else { return }
      heap.swapAt(parent, worst)
      parent = worst
    }
  }
}
