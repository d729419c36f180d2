import Formats

/// The share of questions (TVQA, How2QA) or statements (VIOLIN) answered rightly.
public struct Accuracy: Sendable, Equatable {
  public private(set) var right = 0
  public private(set) var total = 0
  /// Questions with a true answer that the result does not answer; they count as wrong.
  public private(set) var unanswered: [QueryID] = []

  /// - Parameters:
  ///   - answers: the answer's index, or 0 and 1 for a statement, by question.
  ///   - truth: the true ones.
  /// - Throws: `DataError` if a question is answered that has no true answer.
  public init(answers: AnswerResults, truth: [(id: QueryID, answer: Int)]) throws {
    let given = Dictionary(answers.rows.map { ($0.id, $0.answer) }) { first, _ in first }
    let known = Set(truth.map(\.id))
    if let stranger = answers.rows.first(where: { !known.contains($0.id) }) {
      throw DataError(
        "question \(stranger.id) is answered but has no true answer",
        cure: "Use the annotations of the split that the answers were made for")
    }
    for (id, answer) in truth {
      total += 1
      if given[id] == answer { right += 1 }
      if given[id] == nil { unanswered.append(id) }
    }
  }

  /// Right answers over all, from 0 to 1; 0 where there are none.
  public var share: Double { total == 0 ? 0 : Double(right) / Double(total) }
}
