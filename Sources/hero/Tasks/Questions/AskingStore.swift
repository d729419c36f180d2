import Corpus
import Formats

/// A store of what is asked about videos: questions with answers, or statements.
public protocol AskingStore: AnnotationStore {
  /// What an entry is called in messages.
  static var entryName: String { get }
  /// Whether entries are about moments.
  static var hasMoments: Bool { get }
  /// The entries that are trained on together with `id`, itself among them.
  func group(of id: String) -> [String]
  func asked(_ id: String) throws -> AskedEntry
}

/// What is asked about a video.
public struct AskedEntry: Sendable {
  public var video: String?
  /// What follows the video's sentences: one text for each answer, or a statement.
  public var texts: [[Int32]]
  /// The right answer's place or a statement's truth (0, 1); nil where hidden.
  public var target: Int?
  /// The moment that it is about; nil where there is none, or none that parses.
  public var span: TimeSpan?

  /// `[SEP] question [SEP] answer` of each answer; `[SEP] answer` where nothing is asked.
  static func texts(question: [Int32]?, answers: [[Int32]], sep: Int32) -> [[Int32]] {
    answers.map { (question.map { [sep] + $0 } ?? []) + [sep] + $0 }
  }
}

extension QAStore: AskingStore {
  public static var entryName: String { "question" }
  public static var hasMoments: Bool { true }

  public func group(of id: String) -> [String] { [id] }

  public func asked(_ id: String) throws -> AskedEntry {
    let question = try question(id)
    return AskedEntry(
      video: question.video,
      texts: AskedEntry.texts(question: question.tokens, answers: question.answers, sep: meta.sep),
      target: question.target, span: question.span)
  }
}

extension ViolinStore: AskingStore {
  public static var entryName: String { "statement" }
  public static var hasMoments: Bool { false }

  /// A statement and its opposite.
  public func group(of id: String) -> [String] { [id] + (pair(of: id).map { [$0] } ?? []) }

  public func asked(_ id: String) throws -> AskedEntry {
    let statement = try statement(id)
    return AskedEntry(
      video: statement.video, texts: [[meta.sep] + statement.tokens],
      target: statement.label.map { $0 ? 1 : 0 })
  }
}
