import Formats

/// Average precisions as moment_detr's `standalone_eval` computes them.
enum AveragePrecision {
  /// Intersection over union of two windows; 0 for two empty ones.
  static func overlap(_ a: TimeSpan, _ b: TimeSpan) -> Double {
    let shared = max(0, min(a.end, b.end) - max(a.start, b.start))
    let union = (a.end - a.start) + (b.end - b.start) - shared
    return union > 0 ? shared / union : 0
  }

  /// Returns the interpolated average precision of windows at each IoU in `thresholds`.
  ///
  /// It takes windows by falling score. Each answers the true window that it overlaps most, of
  /// those that none before it answered (`compute_average_precision_detection`).
  static func ofWindows(
    _ predictions: [WindowPredictions.Window], _ truth: [TimeSpan], thresholds: [Double]
  ) -> [Double] {
    guard !predictions.isEmpty, !truth.isEmpty else { return thresholds.map { _ in 0 } }
    let ranked = predictions.enumerated().sorted {
      ($1.element.score, $0.offset) < ($0.element.score, $1.offset)
    }
    var hits = Array(repeating: [Bool](), count: thresholds.count)
    var answered = thresholds.map { _ in Set<Int>() }
    for (_, prediction) in ranked {
      let overlaps = truth.map { overlap(prediction.span, $0) }
      // Equal overlaps come in reverse order, as in a reversed ascending sort.
      let order = truth.indices.sorted { (overlaps[$1], $1) < (overlaps[$0], $0) }
      for (number, threshold) in thresholds.enumerated() {
        let match = order.first { overlaps[$0] >= threshold && !answered[number].contains($0) }
        if let match { answered[number].insert(match) }
        hits[number].append(match != nil)
      }
    }
    return hits.map { interpolated($0, of: truth.count) }
  }

  /// Returns Σ Δrecall · (largest precision from there on).
  ///
  /// - Parameter hits: whether each answer is right, the best first.
  private static func interpolated(_ hits: [Bool], of truths: Int) -> Double {
    var right = 0
    var precisions: [Double] = []
    for (place, hit) in hits.enumerated() {
      if hit { right += 1 }
      precisions.append(Double(right) / Double(place + 1))
    }
    var best = 0.0
    var sum = 0.0
    for place in hits.indices.reversed() {
      best = max(best, precisions[place])
      if hits[place] { sum += best / Double(truths) }
    }
    return sum
  }

  /// Returns the interpolated average precision of scores for clips.
  ///
  /// It is `get_ap` on scikit-learn's precision and recall. Clips of equal score count together.
  /// Scores for clips beyond the video are dropped, missing ones are 0.
  static func ofClips(_ scores: [Double], relevant: [Bool]) -> Double {
    let total = relevant.count { $0 }
    guard total > 0 else { return 0 }
    guard total < relevant.count else { return 1 }
    let scores = relevant.indices.map { $0 < scores.count ? scores[$0] : 0 }
    let order = relevant.indices.sorted { (scores[$1], $0) < (scores[$0], $1) }
    // The number of clips, and of right ones, up to each group of equal scores.
    var groups: [(seen: Int, right: Int)] = []
    for (place, clip) in order.enumerated() {
      let before = groups.last ?? (0, 0)
      if place > 0, scores[order[place - 1]] == scores[clip] { groups.removeLast() }
      groups.append((place + 1, before.right + (relevant[clip] ? 1 : 0)))
    }
    var best = 0.0
    var precisions: [Double] = []
    for (number, group) in groups.enumerated().reversed() {
      best = max(best, Double(group.right) / Double(group.seen))
      if group.right != (number > 0 ? groups[number - 1].right : 0) { precisions.append(best) }
    }
    return precisions.reduce(0, +) / Double(precisions.count)
  }
}
