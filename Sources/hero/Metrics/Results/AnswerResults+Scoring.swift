import Formats

extension AnswerResults {
  /// Reads a result file `{question: answer}`; an answer is a whole number, also as text, or true
  /// and false.
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

  /// The place of an answer, as files write it; 1 and 0 for true and false.
  public static func answer(_ value: JSON?) -> Int? {
    guard let value else { return nil }
    return value.whole ?? value.bool.map { $0 ? 1 : 0 } ?? value.string.flatMap { Int($0) }
  }

  /// How many of the known answers are given: `right`, `of`, and those that have no answer, which
  /// count as wrong.
  ///
  /// - Parameter truth: the right answer of each question.
  /// - Throws: `DataError` for an answer to a question that is not in `truth`.
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
