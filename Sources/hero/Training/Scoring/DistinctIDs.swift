import Formats
import Metrics

/// The ids of a file's rows; each id should have one row.
struct DistinctIDs {
  private var seen: Set<QueryID> = []
  private var repeated: (count: Int, first: QueryID)?

  func contains(_ id: QueryID) -> Bool { seen.contains(id) }

  /// Returns whether an id is new, and remembers it.
  mutating func isNew(_ id: QueryID) -> Bool {
    if seen.insert(id).inserted { return true }
    repeated = ((repeated?.count ?? 0) + 1, repeated?.first ?? id)
    return false
  }

  /// Warns of rows that repeat an id.
  func tell(of file: String, _ warn: (String) -> Void) {
    guard let repeated else { return }
    warn(
      "\(file): \(repeated.count) rows repeat an id, the first \(repeated.first). The first row of each counts."
    )
  }
}
