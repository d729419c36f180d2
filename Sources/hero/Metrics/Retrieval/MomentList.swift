/// The best moments of one query, by scores of one kind.
struct MomentList<Score: MomentScore> {
  private struct Place {
    var video: Int
    var start: Int
    var end: Int
  }

  private let minLength: Int
  private let maxLength: Int
  private var list: BoundedTopList<Score, Place>
  private var candidatesSeen = 0
  private var reachableEnd: [Score] = []
  private var window: [Int] = []

  /// - Parameter lengths: the `j − i` that moments may have.
  init(lengths: Range<Int>, capacity: Int) {
    (minLength, maxLength) = (lengths.lowerBound, lengths.upperBound)
    list = BoundedTopList(capacity: capacity)
  }

  /// Adds the moments of one video.
  mutating func add(
    video: Int, factor: Score, start: UnsafeBufferPointer<Score>, end: UnsafeBufferPointer<Score>
  ) {
    let count = min(start.count, end.count)
    let firstOrder = candidatesSeen
    candidatesSeen += count * count
    guard minLength < maxLength, count > minLength else { return }
    // Most videos of a long list have no moment that could enter it.
    guard factor * Self.most(start, count) * Self.most(end, count) >= list.threshold else { return }
    findReachableEnds(end, count: count)
    for i in 0..<(count - minLength) {
      let scaled = factor * start[i]
      let reach = scaled * reachableEnd[i]
      guard reach > .nothing, reach >= list.threshold else { continue }
      for j in (i + minLength)..<min(i + maxLength, count) {
        let score = scaled * end[j]
        guard score > .nothing else { continue }
        list.insert(
          score: score, order: firstOrder + i * count + j, payload: Place(video: video, start: i, end: j))
      }
    }
  }

  /// The moments kept, the best first.
  func moments() -> [MomentScorer.Moment] {
    list.sorted().map {
      MomentScorer.Moment(
        video: $0.payload.video, start: $0.payload.start, end: $0.payload.end, score: $0.score.written)
    }
  }

  /// The largest of the first `count` elements.
  private static func most(_ values: UnsafeBufferPointer<Score>, _ count: Int) -> Score {
    var most = Score.lowest
    for i in 0..<count where values[i] > most { most = values[i] }
    return most
  }

  /// For every start frame, the largest end probability that `minLength` and `maxLength` let it reach, in one pass:
  /// `window` holds the frames ahead whose probability nothing later exceeds.
  private mutating func findReachableEnds(_ end: UnsafeBufferPointer<Score>, count: Int) {
    reachableEnd.removeAll(keepingCapacity: true)
    reachableEnd.append(contentsOf: repeatElement(.nothing, count: count))
    window.removeAll(keepingCapacity: true)
    var head = 0
    var next = minLength
    for i in 0..<(count - minLength) {
      while next < min(i + maxLength, count) {
        while window.count > head, let last = window.last, end[last] <= end[next] { window.removeLast() }
        window.append(next)
        next += 1
      }
      while window[head] < i + minLength { head += 1 }
      reachableEnd[i] = end[window[head]]
    }
  }
}
