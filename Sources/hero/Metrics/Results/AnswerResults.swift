import Formats

/// The answers of a question answering run: `{question: answer}`.
///
/// An answer is the index of the chosen one (TVQA, How2QA), or 1 and 0 for true and false
/// statements (VIOLIN).
public struct AnswerResults: Sendable, Equatable {
  /// One question with its answer.
  public struct Row: Sendable, Equatable {
    /// The question's id.
    public var id: QueryID
    /// The index of the chosen answer, or 1 and 0 for true and false.
    public var answer: Int

    /// - Parameter answer: an index, or 1 and 0.
    public init(id: QueryID, answer: Int) {
      self.id = id
      self.answer = answer
    }
  }

  /// The rows in the order of the file.
  public var rows: [Row] = []

  /// Creates results without answers.
  public init() {}

  /// Writes the result file, in the order of the rows.
  public func write(path: String) throws {
    let file = try AtomicFile(path: path)
    try file.write("{")
    for (number, row) in rows.enumerated() {
      try file.write("\(number == 0 ? "" : ",")\(JSON.string(row.id.text).encoded()):\(row.answer)")
    }
    try file.write("}\n")
    try file.commit()
  }
}
