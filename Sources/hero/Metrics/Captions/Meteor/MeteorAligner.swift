/// A beam search for the alignment in which each word is matched at most once (Denkowski and Lavie,
/// 2011).
///
/// It prefers the most matched words, then the fewest chunks, then the shortest distance between
/// matched words. METEOR 1.5 counts covered words in whole numbers during the search, so a
/// single-word match of half weight adds nothing. It charges the distance of a match to the paths
/// that follow, not to the match's own path. Both affect the alignment, and are reproduced here.
struct MeteorAligner {
  private static let beamWidth = 40
  /// The weight of each matcher in the search; scoring has weights of its own.
  private static let weights = [1.0, 0.5, 0.5, 0.5]

  /// The quality of a path.
  private struct Rank {
    var predictionWords = 0
    var referenceWords = 0
    var chunks = 0
    var distance = 0

    func isBetter(than other: Rank) -> Bool {
      let words = predictionWords + referenceWords
      let otherWords = other.predictionWords + other.referenceWords
      if words != otherWords { return words > otherWords }
      if chunks != other.chunks { return chunks < other.chunks }
      return distance < other.distance
    }
  }

  /// A path without its used words, which are copied only for paths that are kept.
  private struct Step {
    var rank = Rank()
    /// The word of the reference after the last matched or skipped word.
    var next = 0
    /// The word of the prediction after the last match; nil after a gap.
    var lastEnd: Int?

    /// Counts a match that begins at the current word.
    mutating func pass(_ match: MeteorMatch) {
      let weight = weights[match.matcher]
      rank.predictionWords = Int(Double(rank.predictionWords) + Double(match.prediction.count) * weight)
      rank.referenceWords = Int(Double(rank.referenceWords) + Double(match.reference.count) * weight)
      if let lastEnd, lastEnd != match.prediction.lowerBound { rank.chunks += 1 }
      next = match.reference.upperBound
      lastEnd = match.prediction.upperBound
    }

    mutating func closeChunk() {
      if lastEnd != nil { rank.chunks += 1 }
    }
  }

  private struct Path {
    /// The match that begins at each word of the reference.
    var chosen: [MeteorMatch?]
    var predictionUsed: [Bool]
    var referenceUsed: [Bool]
    var step = Step()

    func isFree(_ match: MeteorMatch) -> Bool {
      !match.reference.contains { referenceUsed[$0] } && !match.prediction.contains { predictionUsed[$0] }
    }

    mutating func use(_ match: MeteorMatch) {
      chosen[match.reference.lowerBound] = match
      for word in match.reference { referenceUsed[word] = true }
      for word in match.prediction { predictionUsed[word] = true }
    }
  }

  /// A path to make from another one, perhaps with one more match.
  private struct Extension {
    var parent: Int
    var match: MeteorMatch?
    var step: Step
  }

  /// The best extensions, the best first; of equal ones, the earlier first.
  private struct Beam {
    private(set) var kept: [Extension] = []

    mutating func add(_ extended: Extension) {
      if kept.count == beamWidth, let worst = kept.last, !extended.step.rank.isBetter(than: worst.step.rank) {
        return
      }
      var (low, high) = (0, kept.count)
      while low < high {
        let middle = (low + high) / 2
        if extended.step.rank.isBetter(than: kept[middle].step.rank) {
          high = middle
        } else {
          low = middle + 1
        }
      }
      kept.insert(extended, at: low)
      if kept.count > beamWidth { kept.removeLast() }
    }
  }

  /// Returns the alignment: matches in the order of the reference.
  static func align(_ matches: MeteorMatches) -> [MeteorMatch] {
    var start = Path(
      chosen: Array(repeating: nil, count: matches.referenceCoverage.count),
      predictionUsed: Array(repeating: false, count: matches.predictionCoverage.count),
      referenceUsed: Array(repeating: false, count: matches.referenceCoverage.count))
    for match in matches.byReferenceStart.joined() where matches.isUncontested(match) { start.use(match) }
    // The paths, the best first.
    var paths = [start]
    for word in matches.byReferenceStart.indices {
      var beam = Beam()
      for parent in paths.indices {
        extend(paths[parent], parent, at: word, with: matches.byReferenceStart[word], into: &beam)
      }
      // A path ends early only if matches overlap the fixed ones. The search then continues from
      // the best path.
      guard !beam.kept.isEmpty else {
        paths = Array(paths.prefix(1))
        continue
      }
      paths = beam.kept.map { extended in
        var path = paths[extended.parent]
        if let match = extended.match { path.use(match) }
        path.step = extended.step
        return path
      }
    }
    var best: Path?
    for var path in paths {
      path.step.closeChunk()
      if best.map({ path.step.rank.isBetter(than: $0.step.rank) }) ?? true { best = path }
    }
    return (best ?? start).chosen.compactMap { $0 }
  }

  private static func extend(
    _ path: Path, _ parent: Int, at word: Int, with matches: [MeteorMatch], into beam: inout Beam
  ) {
    var step = path.step
    if path.referenceUsed[word] {
      if word < step.next {
        beam.add(Extension(parent: parent, match: nil, step: step))
      } else if let fixed = path.chosen[word] {
        step.pass(fixed)
        step.rank.distance += abs(fixed.reference.lowerBound - fixed.prediction.lowerBound)
        beam.add(Extension(parent: parent, match: nil, step: step))
      }
      return
    }
    for match in matches where path.isFree(match) {
      var taken = step
      taken.pass(match)
      step.rank.distance += abs(match.reference.lowerBound - match.prediction.lowerBound)
      beam.add(Extension(parent: parent, match: match, step: taken))
    }
    step.closeChunk()
    step.lastEnd = nil
    step.next += 1
    beam.add(Extension(parent: parent, match: nil, step: step))
  }
}
