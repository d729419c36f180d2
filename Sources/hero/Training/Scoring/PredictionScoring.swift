import Corpus
import Formats
import Foundation
import Metrics
import Tasks

/// Scores a file of predictions against annotations, without a model and without stores: what
/// `hero eval --predictions F --references F` runs.
public struct PredictionScoring {
  /// The path of a file of predictions in any form that this program or the reference writes.
  public var predictions: String
  /// An annotation as its authors publish it, JSON lines, or a text store.
  public var references: String
  /// What the annotation is of; needed where it has a form of its own.
  public var task: RunTask?
  /// The part of the references and of `vid2durIdx`, and the name in the figures.
  public var split = "val"
  /// JSON file {split: {video: [seconds, number]}}, for predictions that do not name their videos.
  public var vid2durIdx: String?
  /// The data of METEOR; nil leaves that figure out.
  public var meteor: MeteorResources?

  /// - Parameters:
  ///   - predictions: the path of the file to score.
  ///   - references: the path of an annotation or a text store.
  public init(predictions: String, references: String) {
    self.predictions = predictions
    self.references = references
  }

  /// Figures by their names, and a table for people.
  public typealias Scores = (figures: [(name: String, value: Double)], table: MetricsTable)

  /// - Parameter log: reports unusable rows and queries without a prediction.
  /// - Throws: `DataError` where a file cannot be read, or the two do not belong together.
  public func run(log: RunLog) throws -> Scores {
    switch try PredictionFile.read(path: predictions) {
    case .retrieval(let json): try retrieval(json, log.warning)
    case .answers(let json): try answers(json, log.warning)
    case .windows(let rows): try windows(rows, log.warning)
    case .captions: try captions(log)
    }
  }

  /// Writes captions in the submission format.
  ///
  /// - Throws: `UsageError` for predictions of another kind, which have it already.
  public func writeSubmission(to path: String) throws {
    guard case .captions = try PredictionFile.read(path: predictions) else {
      throw UsageError("--submission with --predictions is for captions")
    }
    try CaptionRow.write(try CaptionRow.read(path: predictions), to: path)
  }

  // MARK: Retrieval

  private func retrieval(_ json: JSON, _ warn: (String) -> Void) throws -> Scores {
    try refuseMeteor()
    var truths: [RetrievalTruth] = []
    var distinct = DistinctIDs()
    try forEachReference(warn) { row in
      if let truth = try RetrievalTruth(annotation: .object(row)), distinct.isNew(truth.id) {
        truths.append(truth)
      }
    }
    distinct.tell(of: references, warn)
    guard !truths.isEmpty else {
      throw DataError("no row names its video: the truth is hidden", file: references)
    }
    return try DataError.locating(file: predictions) {
      let results = try RetrievalResults(json: json, numbers: try numbers())
      for (task, queries) in results.tasks {
        let answered = Set(queries.lazy.filter { !$0.predictions.isEmpty }.map(\.id))
        tell(
          truths.count { !answered.contains($0.id) }, "queries have no prediction of \(task.rawValue)", warn)
        let moments = queries.lazy.flatMap(\.predictions)
        tell(
          moments.count { $0.end < $0.start }, "moments of \(task.rawValue) end before they begin", warn)
      }
      let recalls = try RetrievalMetrics(results: results, truth: truths, byQueryType: true).recalls
      return (
        recalls.map { ($0.name(prefix: "valid_\(split)"), $0.value) },
        MetricsTable.retrieval(recalls, title: split)
      )
    }
  }

  private func numbers() throws -> [Name: Int]? {
    guard let vid2durIdx else { return nil }
    let splits = try ListedVideo.splits(path: vid2durIdx)
    guard let listed = splits.first(where: { $0.name == split }) else {
      throw DataError(
        "there is no split \"\(split)\"", file: vid2durIdx,
        cure: "Give --split: \(splits.map(\.name).joined(separator: ", "))")
    }
    return Dictionary(listed.videos.map { (Name($0.name), $0.index) }) { first, _ in first }
  }

  // MARK: Answers

  private func answers(_ json: JSON, _ warn: (String) -> Void) throws -> Scores {
    try refuseMeteor()
    var truth: [(id: QueryID, answer: Int)] = []
    var distinct = DistinctIDs()
    try forEachReference(warn) { row in
      guard let value = row["answer_idx"] ?? row["answer"] ?? row["label"], !value.isNull else { return }
      let id = try QueryID(in: .object(row), "qid", "example_id", "desc_id")
      guard let answer = AnswerResults.answer(value) else {
        throw DataError(
          "the answer is \(value.shown), not a whole number", place: "question \(id)",
          cure: "Correct that row")
      }
      if distinct.isNew(id) { truth.append((id, answer)) }
    }
    distinct.tell(of: references, warn)
    guard !truth.isEmpty else {
      throw DataError("no row tells its answer: the truth is hidden", file: references)
    }
    let (right, total, unanswered) = try DataError.locating(file: predictions) {
      try AnswerResults(json: json).scored(against: truth)
    }
    tell(unanswered, "questions have no answer", warn)
    let accuracy = Double(right) / Double(total)
    var table = MetricsTable(title: split, headings: ["", "value"])
    table.add("accuracy, %", [100 * accuracy])
    let name = task?.family == .inference ? "valid/\(split)_acc" : "valid/acc"
    return ([(name, accuracy)], table)
  }

  // MARK: Windows

  private func windows(_ rows: [JSON], _ warn: (String) -> Void) throws -> Scores {
    try refuseMeteor()
    let answers = try rows.enumerated().map { place, row in
      try DataError.locating(file: predictions, place: "row \(place + 1)") {
        try WindowPredictions(json: row)
      }
    }
    var truths: [WindowTruth] = []
    var distinct = DistinctIDs()
    // The reader of such corpora tells the four of them apart.
    let annotation = task?.annotation ?? .qvhighlights
    try annotation.forEachRow(of: references, split: split, onSkip: warn) { row in
      if let truth = try WindowTruth(json: .object(row)), distinct.isNew(truth.id) { truths.append(truth) }
    }
    distinct.tell(of: references, warn)
    guard !truths.isEmpty else {
      throw DataError("no row has \"relevant_windows\": the truth is hidden", file: references)
    }
    WindowTruth.outside(truths).map { warn("\(references): \($0)") }
    let metrics = try DataError.locating(file: predictions) { try WindowMetrics(answers, truth: truths) }
    tell(metrics.unanswered, "queries have no prediction", warn)
    tell(metrics.reversed, "windows end before they begin", warn)
    if metrics.unordered > 0 {
      warn(
        "\(predictions): the windows of \(metrics.unordered) queries do not come by falling score. "
          + "Mean average precision sorts them, recall takes them as they come.")
    }
    return (metrics.figures, MetricsTable(metrics, title: split))
  }

  // MARK: Captions

  private func captions(_ log: RunLog) throws -> Scores {
    guard split == "val", vid2durIdx == nil, task.map({ $0.family == .captioning }) ?? true else {
      throw UsageError(
        "the predictions are captions: --split, --vid2dur-idx and tasks of other kinds mean nothing")
    }
    if meteor == nil { log.info(MetricsTable.noMeteorData) }
    var distinct = DistinctIDs()
    let truth = try captionReferences().filter { distinct.isNew($0.clip) }
    distinct.tell(of: references, log.warning)
    let given = try CaptionRow.read(path: predictions)
    let strangers = given.count { !distinct.contains($0.clip) }
    if strangers > 0 {
      log.warning(
        "\(predictions): \(strangers) captions are of clips that \(references) does not have. They are left out."
      )
    }
    let several = given.count { $0.captions.count > 1 }
    if several > 0 {
      log.warning("\(predictions): \(several) clips have several captions. The first counts.")
    }
    let scores = try CaptionScorer(given, references: truth, meteor: meteor)
    let videos = try task?.videoScores(given, truth, meteor: meteor, log: log)
    return (
      scores.corpus.map { ($0.name, $0.value) } + (videos?.figures ?? []),
      MetricsTable(scores, videos, title: "captions")
    )
  }

  /// Rows of an annotation, or of a store of captions.
  private func captionReferences() throws -> [CaptionRow] {
    guard FileManager.default.fileExists(atPath: references + "/meta.json") else {
      return try CaptionRow.read(path: references)
    }
    return try CaptionStore(path: references).rows()
  }

  private func refuseMeteor() throws {
    guard meteor == nil else { throw UsageError("--meteor-data is for captions, and there are none") }
  }

  // MARK: References

  /// Rows of the annotation in the reference's form.
  private func forEachReference(_ warn: (String) -> Void, _ body: (JSONObject) throws -> Void) throws {
    // JSON lines read alike for every task.
    let annotation = task.flatMap(\.annotation) ?? .tvr
    try annotation.forEachRow(of: references, split: split, onSkip: warn, body)
  }

  private func tell(_ count: Int, _ what: String, _ warn: (String) -> Void) {
    if count > 0 { warn("\(predictions): \(count) \(what). They count as wrong.") }
  }
}

/// The ids of a file's rows, of which each should have one row.
private struct DistinctIDs {
  private var seen: Set<QueryID> = []
  private var repeated: (count: Int, first: QueryID)?

  func contains(_ id: QueryID) -> Bool { seen.contains(id) }

  /// Whether an id has not come before.
  mutating func isNew(_ id: QueryID) -> Bool {
    if seen.insert(id).inserted { return true }
    repeated = ((repeated?.count ?? 0) + 1, repeated?.first ?? id)
    return false
  }

  /// Tells of rows whose id has come before.
  func tell(of file: String, _ warn: (String) -> Void) {
    guard let repeated else { return }
    warn(
      "\(file): \(repeated.count) rows repeat an id, the first \(repeated.first). The first row of each counts."
    )
  }
}

extension MetricsTable {
  /// What METEOR lacks without its data.
  public static let noMeteorData =
    "METEOR compares words and stems only; give --meteor-data for synonyms and paraphrases"
}
