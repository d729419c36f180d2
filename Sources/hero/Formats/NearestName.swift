/// Returns the known name closest to `name`, if any is close enough to have been meant.
public func nearestName(to name: String, among candidates: [String]) -> String? {
  let letters = Array(name.utf8)
  guard letters.count <= 64 else { return nil }
  var best: (name: String, distance: Int)?
  for candidate in candidates {
    let distance = editDistance(letters, Array(candidate.utf8))
    if distance < best?.distance ?? max(3, letters.count / 3 + 1) { best = (candidate, distance) }
  }
  return best?.name
}

/// Returns Levenshtein's distance: the fewest bytes to insert, drop or replace.
private func editDistance(_ a: [UInt8], _ b: [UInt8]) -> Int {
  var row = Array(0...b.count)
  for (i, letter) in a.enumerated() {
    var diagonal = i
    row[0] = i + 1
    for j in b.indices {
      let replaced = diagonal + (letter == b[j] ? 0 : 1)
      diagonal = row[j + 1]
      row[j + 1] = min(replaced, row[j] + 1, row[j + 1] + 1)
    }
  }
  return row[b.count]
}
