import Formats

/// Items that a run trains on and measures itself by.
enum SharedItems {
  /// A line to be told where a store to measure on has items of the one to train on; nil where
  /// none is found.
  ///
  /// Looks at the first items of the one, and compares keys and values: corpora may count each
  /// split's items from 0.
  /// - Parameters:
  ///   - training: a store of texts.
  ///   - measured: another.
  static func note(training: String, measured: String) -> String? {
    guard let trained = try? LMDBReader(path: training), let store = try? LMDBReader(path: measured),
      let keys = try? store.someKeys()
    else { return nil }
    let shared = keys.filter { key in
      guard let value = try? store.get(key) else { return false }
      return (try? trained.get(key)) == value
    }
    guard let first = shared.first else { return nil }
    return
      "\(measured): \(shared.count) of the first \(keys.count) items, such as \(first.spelled), are in "
      + "\(training) too: figures of what a run was trained on say little"
  }
}
