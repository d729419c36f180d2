import Corpus
import Formats
import Metrics
import Tasks

/// Queries to evaluate on, with the truth of their annotations. Opening the store reads both, so
/// replacing it during a run changes nothing.
struct KnownQueries {
  let store: QueryStore
  /// Of the queries whose truth is known, in the order of the annotations; of queries that search
  /// many videos.
  private(set) var truths: [RetrievalTruth] = []
  /// The same of queries that search their own video.
  private(set) var windows: [WindowTruth] = []
  /// What the annotation says of each query beside the truth.
  private(set) var facts: [QueryID: Facts] = [:]
  /// Reports what of the split cannot be used: each once, however often it is evaluated.
  let skips: SkipReport

  /// A query's text, its video and how many seconds that has.
  typealias Facts = (text: String?, video: String?, duration: Double?)

  /// - Parameters:
  ///   - findsWindows: whether queries search their own video.
  ///   - skips: reports every annotation whose truth cannot be read; no figure counts its query.
  /// - Throws: `DataError` where the store or its annotations cannot be read.
  init(path: String, findsWindows: Bool, skips: SkipReport) throws {
    (store, self.skips) = (try QueryStore(path: path), skips)
    try store.require(windows: findsWindows)
    var asked = Set(store.ids)
    try JSONLines.read(path: store.annotationPath) { line, row in
      do {
        try findsWindows ? addWindows(row, &asked) : addMoment(row, &asked)
      } catch let error as DataError {
        skips.skip("line \(line)", file: store.annotationPath, error)
      }
    }
    WindowTruth.outside(windows).map { Notice.tell("\(store.annotationPath): \($0)") }
  }

  /// Of how many queries the truth is known.
  var truthCount: Int { truths.count + windows.count }

  /// The same where the truth of only some queries counts.
  func counting(_ counts: (_ id: QueryID, _ video: String?) -> Bool) -> KnownQueries {
    var copy = self
    copy.truths = truths.filter { counts($0.id, $0.video) }
    copy.windows = windows.filter { counts($0.id, facts[$0.id]?.video) }
    return copy
  }

  /// The same where the truth of some queries does not count.
  func without(_ ids: Set<QueryID>) -> KnownQueries { counting { id, _ in !ids.contains(id) } }

  private mutating func addMoment(_ row: JSON, _ asked: inout Set<String>) throws {
    if let truth = try RetrievalTruth(annotation: row), asked.remove(truth.id.text) != nil {
      truths.append(truth)
    }
  }

  private mutating func addWindows(_ row: JSON, _ asked: inout Set<String>) throws {
    guard let id = QueryID(row["desc_id"]), asked.remove(id.text) != nil else { return }
    facts[id] = (row["desc"]?.string, row["vid_name"]?.string, row["duration"]?.double)
    if let truth = try WindowTruth(json: row) { windows.append(truth) }
  }
}
