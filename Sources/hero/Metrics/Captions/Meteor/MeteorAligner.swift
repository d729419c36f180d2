/// Chooses, among all matches, an alignment in which every word is matched once at most: most words first, then
/// fewest chunks, then the shortest way between matched words (Denkowski and Lavie, 2011), by beam search.
///
/// METEOR 1.5 counts covered words in whole numbers while it searches, so that a single-word match of half weight adds
/// nothing, and it charges the distance of a match to the paths that follow rather than to its own. Both decide
/// between alignments and are kept.
struct MeteorAligner {
  private static let beamWidth = 40
  /// Weight per matcher in the search; scoring has weights of its own.
  private static let weights = [1.0, 0.5, 0.5, 0.5]

  private struct Path {
    /// The match that begins at each word of the reference.
    var chosen: [MeteorMatch?]
    var predictionUsed: [Bool]
    var referenceUsed: [Bool]
    var predictionWords = 0
    var referenceWords = 0
    var chunks = 0
    /// The word of the reference after the last match or skipped word.
    var next = 0
    /// The word of the prediction after the last match; nil after a gap.
    var lastEnd: Int?
    var distance = 0

    func isFree(_ match: MeteorMatch) -> Bool {
      !match.reference.contains { referenceUsed[$0] } && !match.prediction.contains { predictionUsed[$0] }
    }

    mutating func use(_ match: MeteorMatch) {
      chosen[match.reference.lowerBound] = match
      for word in match.reference { referenceUsed[word] = true }
      for word in match.prediction { predictionUsed[word] = true }
    }

    /// Counts a match that begins at the current word.
    mutating func pass(_ match: MeteorMatch) {
      let weight = weights[match.matcher]
      predictionWords = Int(Double(predictionWords) + Double(match.prediction.count) * weight)
      referenceWords = Int(Double(referenceWords) + Double(match.reference.count) * weight)
      if let lastEnd, lastEnd != match.prediction.lowerBound { chunks += 1 }
      next = match.reference.upperBound
      lastEnd = match.prediction.upperBound
    }

    mutating func closeChunk() {
      if lastEnd != nil { chunks += 1 }
    }

    func isBetter(than other: Path) -> Bool {
      let words = predictionWords + referenceWords
      let otherWords = other.predictionWords + other.referenceWords
      if words != otherWords { return words > otherWords }
      if chunks != other.chunks { return chunks < other.chunks }
      return distance < other.distance
    }
  }

  /// The alignment: matches in the order of the reference.
  static func align(_ matches: MeteorMatches) -> [MeteorMatch] {
    var start = Path(
      chosen: Array(repeating: nil, count: matches.referenceCoverage.count),
      predictionUsed: Array(repeating: false, count: matches.predictionCoverage.count),
      referenceUsed: Array(repeating: false, count: matches.referenceCoverage.count))
    for match in matches.byReferenceStart.joined() where matches.isUncontested(match) { start.use(match) }
    var paths = [start]
    for word in matches.byReferenceStart.indices {
      var extended: [Path] = []
      for path in ranked(paths).prefix(beamWidth) {
        extend(path, at: word, with: matches.byReferenceStart[word], into: &extended)
      }
      // A path ends early only where matches overlap the fixed ones; the search then goes on from the best.
      paths = extended.isEmpty ? Array(ranked(paths).prefix(1)) : extended
    }
    var finished = Array(ranked(paths).prefix(beamWidth))
    for index in finished.indices { finished[index].closeChunk() }
    let best = ranked(finished).first ?? start
    return best.chosen.compactMap { $0 }
  }

  private static func extend(
    _ path: Path, at word: Int, with matches: [MeteorMatch], into extended: inout [Path]
  ) {
    var path = path
    if path.referenceUsed[word] {
      if word < path.next {
        extended.append(path)
      } else if let fixed = path.chosen[word] {
        path.pass(fixed)
        path.distance += abs(fixed.reference.lowerBound - fixed.prediction.lowerBound)
        extended.append(path)
      }
      return
    }
    for match in matches where path.isFree(match) {
      var taken = path
      taken.use(match)
      taken.pass(match)
      path.distance += abs(match.reference.lowerBound - match.prediction.lowerBound)
      extended.append(taken)
    }
    path.closeChunk()
    path.lastEnd = nil
    path.next += 1
    extended.append(path)
  }

  /// The paths, the best first; equals in their order.
  private static func ranked(_ paths: [Path]) -> [Path] {
    let order = paths.indices.sorted { a, b in
      if paths[a].isBetter(than: paths[b]) { return true }
      if paths[b].isBetter(than: paths[a]) { return false }
      return a < b
    }
    return order.map { paths[$0] }
  }
}
