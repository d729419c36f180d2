import Corpus
import Formats
import Metrics

/// Queries to evaluate on, with what their annotations say is right. Both are read when the store is opened, so that one that is
/// replaced while a run goes on changes nothing.
struct KnownQueries {
  let store: QueryStore
  /// Of the queries whose truth is known, in the order of the annotations.
  let truths: [RetrievalTruth]

  /// - Throws: `DataError` where the store or its annotations cannot be read.
  init(path: String) throws {
    let store = try QueryStore(path: path)
    let asked = Set(store.ids)
    var truths: [RetrievalTruth] = []
    try JSONLines.read(path: store.annotationPath) { _, row in
      if let truth = try RetrievalTruth(annotation: row), asked.contains(truth.id.text) {
        truths.append(truth)
      }
    }
    (self.store, self.truths) = (store, truths)
  }
}
