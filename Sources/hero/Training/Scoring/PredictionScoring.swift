import Corpus
import Formats
import Foundation
import Metrics
import Tasks

/// The scoring of a file of predictions against annotations, without a model and without stores.
///
/// `hero eval --predictions F --references F` runs it.
public struct PredictionScoring {
  /// The path of a file of predictions in any form that this program or the reference writes.
  public var predictions: String
  /// The path of an annotation as its authors publish it (JSON lines), or of a text store.
  public var references: String
  /// The task of the annotation; nil if its first row tells.
  public var task: RunTask?
  /// The split of the references and of `vid2durIdx`, and its name in the figures.
  public var split = "val"
  /// The JSON file {split: {video: [seconds, number]}} for predictions that do not name their
  /// videos.
  public var vid2durIdx: String?
  /// The data that METEOR scores captions with; nil compares only words and stems.
  public var meteor: MeteorResources?

  /// - Parameters:
  ///   - predictions: the path of the file to score.
  ///   - references: the path of an annotation or a text store.
  public init(predictions: String, references: String) {
    self.predictions = predictions
    self.references = references
  }

  /// The figures by name, and a table for people.
  public typealias Scores = (figures: [(name: String, value: Double)], table: MetricsTable)

  /// - Parameter log: reports unusable rows and queries without a prediction.
  /// - Throws: `DataError` if a file cannot be read, or the two do not belong together.
  public func run(log: RunLog) throws -> Scores {
    let file = try PredictionFile.read(path: predictions)
    try requireKind(of: file)
    return switch file {
    case .retrieval(let json): try retrieval(json, log.warning)
    case .answers(let json): try answers(json, log.warning)
    case .windows(let rows): try windows(rows, log.warning)
    case .captions: try captions(log)
    }
  }

  /// Writes captions in the submission format.
  ///
  /// - Throws: `UsageError` for other predictions, which already have that format.
  public func writeSubmission(to path: String) throws {
    guard case .captions = try PredictionFile.read(path: predictions) else {
      throw UsageError("--submission with --predictions is for captions")
    }
    try CaptionRow.write(try CaptionRow.read(path: predictions), to: path)
  }

  /// Refuses predictions of a kind that the task does not have.
  private func requireKind(of file: PredictionFile) throws {
    guard let task, case .answers = file, task.family != .questionAnswering, task.family != .inference else {
      return
    }
    throw DataError(
      "holds an answer for each id, as tasks of questions and statements do, not predictions of \(task.rawValue)",
      file: predictions, cure: "Check --task, or write the form of the task (Docs/Formats.md)")
  }

  // MARK: Retrieval

  private func retrieval(_ json: JSON, _ warn: (String) -> Void) throws -> Scores {
    try refuseMeteor()
    var truths: [RetrievalTruth] = []
    var distinct = DistinctIDs()
    var late = 0
    let annotation = try annotation()
    let isFitting = task != nil || annotation?.hasQueries == true
    try forEachReference(of: isFitting ? annotation : nil, warn) { row in
      if let truth = try RetrievalTruth(annotation: .object(row)), distinct.isNew(truth.id) {
        truths.append(truth)
        if let duration = row["duration"]?.double, truth.spans.contains(where: { $0.start > duration }) {
          late += 1
        }
      }
    }
    distinct.tell(of: references, warn)
    guard !truths.isEmpty else {
      throw DataError("no row names its video: the truth is hidden", file: references)
    }
    if late > 0 {
      warn(
        "\(references): \(late) true moments begin after their video ends (\"duration\"), as times in another unit "
          + "do; they cannot be found")
    }
    let momentless = RetrievalTruth.momentless(truths)
    return try DataError.locating(file: predictions) {
      let results = try RetrievalResults(json: json, numbers: try numbers())
      let numbers = Set(results.videoIndex.values)
      for (ranking, queries) in results.rankings {
        if ranking.findsMoments, truths.allSatisfy(\.spans.isEmpty) {
          warn("\(references): no row has a moment (\"ts\"), so \(ranking.rawValue) is not measured")
        }
        let answered = Set(queries.lazy.filter { !$0.predictions.isEmpty }.map(\.id))
        tell(
          truths.count { !answered.contains($0.id) }, "queries have no prediction of \(ranking.rawValue)",
          warn)
        let moments = queries.lazy.flatMap(\.predictions)
        tell(
          moments.count { $0.end < $0.start }, "moments of \(ranking.rawValue) end before they begin", warn)
        tell(
          moments.count { !numbers.contains($0.video) },
          "predictions of \(ranking.rawValue) are of videos without a name, as \"video2idx\" or the list of videos does not "
            + "have their numbers", warn)
        let unordered = queries.count { query in
          zip(query.predictions, query.predictions.dropFirst()).contains { $0.score < $1.score }
        }
        if unordered > 0 {
          warn(
            "\(predictions): the predictions of \(unordered) queries of \(ranking.rawValue) do not come by falling score. "
              + "They count in the order in which they come.")
        }
      }
      if let momentless, results.rankings.contains(where: \.ranking.findsMoments) {
        warn("\(references): \(momentless)")
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
    let annotation = try annotation()
    // Statements of a hidden split look like queries.
    guard annotation.map({ $0.hasAnswers || $0.hasQueries }) ?? true else { throw unfitting(annotation) }
    var truth: [(id: QueryID, answer: Int)] = []
    var hidden: [QueryID] = []
    var haveMoments = false
    var distinct = DistinctIDs()
    var answers = 2
    try forEachReference(of: annotation, warn) { row in
      let id = try QueryID(in: .object(row), "qid", "example_id", "desc_id")
      guard let value = row["answer_idx"] ?? row["answer"] ?? row["label"], !value.isNull else {
        haveMoments = haveMoments || row["ts"] != nil
        return hidden.append(id)
      }
      guard let answer = AnswerResults.answer(value) else {
        throw DataError(
          "the answer is \(value.shown), not a whole number", place: "question \(id)",
          cure: "Correct that row")
      }
      answers = max(answers, (0..<Self.mostAnswers).first { row["a\($0)"] == nil } ?? Self.mostAnswers)
      if distinct.isNew(id) { truth.append((id, answer)) }
    }
    distinct.tell(of: references, warn)
    guard !truth.isEmpty else {
      guard annotation?.hasQueries != true || !haveMoments else { throw unfitting(annotation) }
      throw DataError("no row tells its answer: the truth is hidden", file: references)
    }
    try requirePlaces(truth.map(\.answer), of: answers, references, warn)
    if let first = hidden.first {
      warn(
        "\(references): \(hidden.count) of \(hidden.count + truth.count) rows, the first \(first), do not tell what is "
          + "right. No figure counts them")
    }
    let (right, total, unanswered) = try DataError.locating(file: predictions) {
      if answers > 2, let (id, _) = json.object?.first(where: { $0.value.bool != nil }) {
        throw DataError(
          "the answer is true or false, and the questions have \(answers) answers", place: "question \(id)",
          cure: "Give the place of the answer, from 0 to \(answers - 1)")
      }
      var given = try AnswerResults(json: json)
      let unmeasured = Set(hidden).subtracting(truth.map(\.id))
      given.rows.removeAll { unmeasured.contains($0.id) }
      try requirePlaces(given.rows.map(\.answer), of: answers, predictions, warn)
      return try given.scored(against: truth)
    }
    tell(unanswered, "questions have no answer", warn)
    let accuracy = Double(right) / Double(total)
    var table = MetricsTable(title: split, headings: ["", "value"])
    table.add("accuracy, %", [100 * accuracy])
    let name = annotation?.hasStatements == true ? "valid/\(split)_acc" : "valid/acc"
    return ([(name, accuracy)], table)
  }

  private func unfitting(_ annotation: TextStoreTask?) -> DataError {
    DataError(
      "is an annotation of \(annotation?.rawValue ?? ""), and the predictions hold an answer for each id",
      file: references, cure: "Give the annotation of the questions or statements, or check --predictions")
  }

  /// The largest number of answers to a question.
  private static let mostAnswers = 100

  /// Warns of answers outside `0..<count`, and refuses answers that count from 1.
  private func requirePlaces(_ places: [Int], of count: Int, _ file: String, _ warn: (String) -> Void) throws
  {
    let outside = places.filter { !(0..<count).contains($0) }
    guard let first = outside.first else { return }
    if outside.allSatisfy({ $0 == count }), !places.contains(0), places.count > count {
      throw DataError(
        "counts answers from 1: \(outside.count) of \(places.count) are \(count), none is 0", file: file,
        cure: "Count them from 0, as TVQA does")
    }
    warn(
      "\(file): \(outside.count) answers are no place from 0 to \(count - 1), the first \(first). They count as wrong."
    )
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
    guard given.contains(where: { !$0.captions.isEmpty }) else {
      throw DataError(
        "no row has a caption under \"descs\"", file: predictions,
        cure: "Write a clip a line, {\"clip_id\": …, \"descs\": [{\"desc\": …}]}")
    }
    guard truth.contains(where: { !$0.captions.isEmpty }) else {
      throw DataError("no row has \"descs\": the captions are hidden", file: references)
    }
    tell(given.count { $0.captions.first?.isEmpty ?? false }, "captions are empty", log.warning)
    let several = given.count { $0.captions.count > 1 }
    if several > 0 {
      log.warning("\(predictions): \(several) clips have several captions. The first counts.")
    }
    let scores = try DataError.locating(file: predictions) {
      try CaptionScorer(given, references: truth, meteor: meteor)
    }
    let videos = try task?.videoScores(given, truth, meteor: meteor, log: log)
    return (
      scores.corpus.map { ($0.name, $0.value) } + (videos?.figures ?? []),
      MetricsTable(scores, videos, title: "captions")
    )
  }

  /// Reads the rows of an annotation, or of a caption store.
  private func captionReferences() throws -> [CaptionRow] {
    guard FileManager.default.fileExists(atPath: references + "/meta.json") else {
      return try CaptionRow.read(path: references)
    }
    return try CaptionStore(path: references).rows()
  }

  func refuseMeteor() throws {
    guard meteor == nil else { throw UsageError("--meteor-data is for captions, and there are none") }
  }

  // MARK: References

  /// Returns what the references annotate; nil if neither the task nor the first row tells.
  private func annotation() throws -> TextStoreTask? {
    try task.map(\.annotation) ?? TextStoreTask.looking(like: references)
  }

  /// Reads the rows of the annotation in the reference's form.
  private func forEachReference(
    of annotation: TextStoreTask?, _ warn: (String) -> Void, _ body: (JSONObject) throws -> Void
  ) throws {
    // Rows that do not show their task read alike for every task.
    try (annotation ?? .tvr).forEachRow(of: references, split: split, onSkip: warn, body)
  }

  func tell(_ count: Int, _ what: String, _ warn: (String) -> Void) {
    if count > 0 { warn("\(predictions): \(count) \(what). They count as wrong.") }
  }
}

extension MetricsTable {
  /// The message about METEOR without its data.
  public static let noMeteorData =
    "METEOR compares words and stems only; give --meteor-data for synonyms and paraphrases"
}
