import Corpus
import Formats
import Metrics
import Tasks

/// Queries to evaluate on, with what their annotations say is right. Both are read when the store is opened, so that one that is
/// replaced while a run goes on changes nothing.
struct KnownQueries {
  let store: QueryStore
  /// Of the queries whose truth is known, in the order of the annotations.
  let truths: [RetrievalTruth]
  /// Told of what of the split cannot be used: each once, however often it is evaluated.
  let skips: SkipReport

  /// - Parameter skips: told of every annotation whose truth cannot be read; no figure counts its query.
  /// - Throws: `DataError` where the store or its annotations cannot be read.
  init(path: String, skips: SkipReport) throws {
    let store = try QueryStore(path: path)
    var asked = Set(store.ids)
    var truths: [RetrievalTruth] = []
    try JSONLines.read(path: store.annotationPath) { line, row in
      do {
        if let truth = try RetrievalTruth(annotation: row), asked.remove(truth.id.text) != nil {
          truths.append(truth)
        }
      } catch let error as DataError {
        skips.skip("line \(line)", file: store.annotationPath, error)
      }
    }
    (self.store, self.truths, self.skips) = (store, truths, skips)
  }
}
