import Corpus
import Formats
import Metrics
import Tasks

/// Queries to evaluate on, with the truth of their annotations.
///
/// Opening the store reads both, so replacing it during a run changes nothing.
struct KnownQueries: Sendable {
  let store: QueryStore
  /// The known truths of queries that search many videos, in the order of the annotations.
  private(set) var truths: [RetrievalTruth] = []
  /// The known truths of queries that search their own video.
  private(set) var windows: [WindowTruth] = []
  /// What the annotation says about each query beside the truth.
  private(set) var facts: [QueryID: Facts] = [:]
  /// The report of unusable items of the split: each once, however often the split is evaluated.
  let skips: SkipReport

  /// A query's text, its video and the video's duration in seconds.
  typealias Facts = (text: String?, video: String?, duration: Double?)

  /// - Parameters:
  ///   - store: the queries, with their annotations beside them.
  ///   - task: the task that the queries are asked for.
  ///   - skips: reports every annotation whose truth cannot be read; no figure counts its query.
  /// - Throws: `DataError` if the store or its annotations cannot be read.
  init(_ store: QueryStore, for task: RunTask, skips: SkipReport) throws {
    (self.store, self.skips) = (store, skips)
    try task.require(store.meta, path: store.path)
    var asked = Set(store.ids.lazy.map { QueryID($0) })
    try JSONLines.read(path: store.annotationPath) { line, row in
      do {
        try task.findsWindows ? addWindows(row, &asked) : addMoment(row, &asked)
      } catch let error as DataError {
        skips.skip("line \(line)", file: store.annotationPath, error)
      }
    }
    WindowTruth.outside(windows).map { Notice.tell("\(store.annotationPath): \($0)") }
    try checkAnnotation(unread: asked)
  }

  /// The number of rows to compare with the store; annotations of another store differ in all rows.
  private static let compared = 64

  /// Refuses annotations with none of the store's queries.
  ///
  /// Warns of queries that they lack, and of the first queries that they contradict.
  private func checkAnnotation(unread: Set<QueryID>) throws {
    let all = store.ids.count
    guard unread.count < all || all == 0 else {
      throw DataError(
        "has none of the \(all) queries of its store, such as \(store.ids[0].spelled)",
        file: store.annotationPath,
        cure: "Make the store again: the file is of another one")
    }
    if let id = store.ids.first(where: { unread.contains(QueryID($0)) }) {
      Notice.tell(
        "\(store.annotationPath): lacks \(unread.count) of the \(all) queries of its store, such as \(id.spelled); no figure "
          + "counts them")
    }
    for truth in truths.prefix(Self.compared) where !truth.spans.isEmpty {
      guard let query = try? store.query(truth.id.text),
        !Self.areAlike(query.spans, truth.spans)
      else { continue }
      Notice.tell(
        "\(store.annotationPath): says that \(truth.id.text.spelled) is found at \(Self.shown(truth.spans)), the store that it "
          + "is at \(Self.shown(query.spans)); the file counts. Make the store again",
        among:
          "queries of \(store.annotationPath) that the store finds elsewhere, of the first \(Self.compared)")
    }
  }

  /// Returns whether moments are equal, apart from rounding.
  private static func areAlike(_ a: [TimeSpan], _ b: [TimeSpan]) -> Bool {
    a.count == b.count
      && zip(a, b).allSatisfy { abs($0.start - $1.start) < 0.5 && abs($0.end - $1.end) < 0.5 }
  }

  private static func shown(_ spans: [TimeSpan]) -> String {
    spans.isEmpty ? "no moment" : spans.map { "\($0.start)-\($0.end) s" }.joined(separator: ", ")
  }

  /// The number of queries whose truth is known.
  var truthCount: Int { truths.count + windows.count }

  /// Returns a copy in which the truth of only some queries counts.
  func counting(_ counts: (_ id: QueryID, _ video: String?) -> Bool) -> KnownQueries {
    var copy = self
    copy.truths = truths.filter { counts($0.id, $0.video) }
    copy.windows = windows.filter { counts($0.id, facts[$0.id]?.video) }
    return copy
  }

  /// Returns a copy in which the truth of some queries does not count.
  func without(_ ids: Set<QueryID>) -> KnownQueries { counting { id, _ in !ids.contains(id) } }

  private mutating func addMoment(_ row: JSON, _ asked: inout Set<QueryID>) throws {
    let id = try QueryID(in: row, "desc_id", "sen_id", "qid")
    guard asked.remove(id) != nil else { return }
    if let truth = try RetrievalTruth(annotation: row) { truths.append(truth) }
  }

  private mutating func addWindows(_ row: JSON, _ asked: inout Set<QueryID>) throws {
    guard let id = QueryID(row["desc_id"]), asked.remove(id) != nil else { return }
    facts[id] = (row["desc"]?.string, row["vid_name"]?.string, row["duration"]?.double)
    if let truth = try WindowTruth(json: row) { windows.append(truth) }
  }
}
