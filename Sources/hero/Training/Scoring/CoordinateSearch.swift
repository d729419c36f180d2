/// Chooses one thing after another: of its values the one that measures best while the others stay
/// as they are, until nothing changes.
///
/// Of values that measure alike the one stays that is chosen, else the nearest to it is taken.
/// Every change measures better, so the search ends.
struct CoordinateSearch {
  /// How many values each thing may have.
  let counts: [Int]

  /// - Parameters:
  ///   - start: the place of each thing's value among its values.
  ///   - measure: how good a choice is, more being better; nil for one that is none.
  /// - Returns: the places of the values that were chosen.
  func best(
    from start: [Int], _ measure: (_ places: [Int]) throws -> Double?
  ) rethrows -> [Int] {
    var chosen = start
    var most = try measure(chosen) ?? -.infinity
    // How many things in a row have kept their values.
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
