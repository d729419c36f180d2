/// A list of the best moments of one query, by scores of one type.
struct MomentList<Score: MomentScore> {
  private struct Place: Hashable {
    var video: Int
    var start: Int
    var end: Int
  }

  private let minLength: Int
  private let maxLength: Int
  private let findsShortVideos: Bool
  /// Whether two of the added videos may be windows of the same video.
  private var hasWindows = false
  private var list: BoundedTopList<Score, Place>
  private var candidatesSeen = 0
  private var reachableEnd: [Score] = []
  private var window: [Int] = []

  /// - Parameters:
  ///   - lengths: the allowed values of `j − i`.
  ///   - findsShortVideos: whether a video shorter than all of these is a moment as a whole.
  init(lengths: Range<Int>, capacity: Int, findsShortVideos: Bool) {
    self.findsShortVideos = findsShortVideos
    (minLength, maxLength) = (lengths.lowerBound, lengths.upperBound)
    list = BoundedTopList(capacity: capacity)
  }

  /// Adds the moments of a video, or of a window of it that begins at frame `firstFrame`.
  mutating func add(
    video: Int, firstFrame: Int, factor: Score, start: UnsafeBufferPointer<Score>,
    end: UnsafeBufferPointer<Score>
  ) {
    let count = min(start.count, end.count)
    let firstOrder = candidatesSeen
    candidatesSeen += count * count
    if firstFrame > 0 { hasWindows = true }
    let minLength = findsShortVideos ? max(0, min(self.minLength, count - 1)) : self.minLength
    guard minLength < maxLength, count > minLength else { return }
    // In a long list, most videos have no moment that could enter.
    guard factor * Self.most(start, count) * Self.most(end, count) >= list.threshold else { return }
    findReachableEnds(end, count: count, minLength: minLength)
    for i in 0..<(count - minLength) {
      let scaled = factor * start[i]
      let reach = scaled * reachableEnd[i]
      guard reach > .nothing, reach >= list.threshold else { continue }
      for j in (i + minLength)..<min(i + maxLength, count) {
        let score = scaled * end[j]
        guard score > .nothing else { continue }
        list.insert(
          score: score, order: firstOrder + i * count + j,
          payload: Place(video: video, start: firstFrame + i, end: firstFrame + j))
      }
    }
  }

  /// Returns the kept moments, the best first.
  func moments() -> [MomentScorer.Moment] {
    var seen: Set<Place> = []
    return list.sorted().filter { !hasWindows || seen.insert($0.payload).inserted }.map {
      MomentScorer.Moment(
        video: $0.payload.video, start: $0.payload.start, end: $0.payload.end, score: $0.score.written)
    }
  }

  /// Returns the largest of the first `count` elements.
  private static func most(_ values: UnsafeBufferPointer<Score>, _ count: Int) -> Score {
    var most = Score.lowest
    for i in 0..<count where values[i] > most { most = values[i] }
    return most
  }

  /// Finds the largest end probability within reach of each start frame, in one pass.
  ///
  /// `window` holds the frames ahead whose probability no later one exceeds.
  private mutating func findReachableEnds(
    _ end: UnsafeBufferPointer<Score>, count: Int, minLength: Int
  ) {
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
