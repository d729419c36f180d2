import Formats

extension AnswerResults {
  /// Reads a result file `{question: answer}`.
  ///
  /// An answer is a whole number, as a number or as text, or true or false.
  ///
  /// - Throws: `DataError` for an answer of another form.
  public init(json: JSON) throws {
    guard let members = json.object else {
      throw DataError("is \(json.kind), not an object of answers")
    }
    rows = try members.map { id, value in
      guard let answer = Self.answer(value) else {
        throw DataError("the answer is \(value.shown), not a number", place: "question \(id)")
      }
      return Row(id: QueryID(id), answer: answer)
    }
  }

  /// Returns the index of an answer in a file; 1 and 0 for true and false.
  public static func answer(_ value: JSON?) -> Int? {
    guard let value else { return nil }
    return value.whole ?? value.bool.map { $0 ? 1 : 0 } ?? value.string.flatMap { Int($0) }
  }

  /// Returns the number of right answers, of known answers, and of questions without an answer.
  ///
  /// Questions without an answer count as wrong.
  ///
  /// - Parameter truth: the right answer of each question.
  /// - Throws: `DataError` if an answered question is not in `truth`.
  public func scored(
    against truth: [(id: QueryID, answer: Int)]
  ) throws -> (right: Int, of: Int, unanswered: Int) {
    var answers: [QueryID: Int] = [:]
    for row in rows { answers[row.id] = row.answer }
    let known = Set(truth.map(\.id))
    if let stranger = rows.first(where: { !known.contains($0.id) }) {
      let hint = Normalization.hint(
        missing: rows.lazy.map(\.id).filter { !known.contains($0) }.map(\.text), among: known.map(\.text))
      throw DataError(
        "question \(stranger.id) has no known answer" + (hint.map { "; \($0)" } ?? ""),
        cure: "Use the annotations of the split that the predictions were made for")
    }
    return (
      truth.count { answers[$0.id] == $0.answer }, truth.count, truth.count { answers[$0.id] == nil }
    )
  }
}
