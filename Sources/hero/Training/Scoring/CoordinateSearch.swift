/// A coordinate search: it chooses the best value of one thing after another, until nothing
/// changes.
///
/// The other things keep their values meanwhile. Among equally good values the chosen one stays;
/// otherwise the one nearest to it is taken. Every change improves the measure, so the search ends.
struct CoordinateSearch {
  /// The number of values of each thing.
  let counts: [Int]

  /// - Parameters:
  ///   - start: the index of each thing's value among its values.
  ///   - measure: returns how good a choice is, higher being better; nil for an invalid choice.
  /// - Returns: the indices of the chosen values.
  func best(
    from start: [Int], _ measure: (_ places: [Int]) throws -> Double?
  ) rethrows -> [Int] {
    var chosen = start
    var most = try measure(chosen) ?? -.infinity
    // The number of things in a row that have kept their values.
    var kept = 0
    while kept < counts.count {
      for thing in counts.indices where kept < counts.count {
        let own = chosen[thing]
        var best = own
        for value in (0..<counts[thing]).sorted(by: { abs($0 - own) < abs($1 - own) }) where value != own {
          var tried = chosen
          tried[thing] = value
          guard let found = try measure(tried), found > most else { continue }
          (best, most) = (value, found)
        }
        kept = best == own ? kept + 1 : 1
        chosen[thing] = best
      }
    }
    return chosen
  }
}
