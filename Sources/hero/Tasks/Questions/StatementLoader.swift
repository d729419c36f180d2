import Corpus
import Engine
import Formats
import Model

/// Batches of VIOLIN's statements, each with its video (spec §4; the reference's `ViolinDataset`).
public struct StatementLoader: QuestionBatchLoader {
  public let statements: ViolinStore
  public let videos: VideoReader
  /// The statements to use.
  public let ids: [String]
  /// Whether an item is a statement and its opposite, as in training.
  public let isPaired: Bool
  /// What the batches are for.
  public let model: ModelConfiguration
  private let report: SkipReport

  /// - Parameters:
  ///   - maxTextLength: statements with more tokens are left out, though not as another's opposite; none are if it is
  ///     not positive, as in evaluation.
  ///   - onSkip: told of every statement that cannot be used.
  /// - Throws: `DataError` naming a video that the stores lack.
  public init(
    statements: ViolinStore, videos: VideoReader, maxTextLength: Int, isPaired: Bool,
    model: ModelConfiguration, onSkip: @escaping @Sendable (DataError) -> Void = { _ in }
  ) throws {
    self.statements = statements
    self.videos = videos
    self.isPaired = isPaired
    self.model = model
    report = SkipReport(onSkip)
    ids = statements.ids(maxTextLength: maxTextLength)
    try videos.check(Set(ids.compactMap { statements.video(of: $0) }).sorted())
  }

  public var itemCount: Int { ids.count }

  public func batch(of items: [Int], random: RandomStream) throws -> QuestionBatch? {
    try load(items)?.batch
  }

  func load(_ items: [Int]) throws -> (ids: [String], batch: QuestionBatch)? {
    var asked = AskedVideos(videos, model: model)
    var used: [String] = []
    var targets: [Int] = []
    for id in items.flatMap({ members(ids[$0]) }) {
      do {
        let statement = try statements.statement(id)
        guard let video = statement.video else { throw DataError("its video is not known") }
        _ = try asked.ask(video, [[statements.meta.sep] + statement.tokens], item: "statement \(id)")
        used.append(id)
        targets.append(statement.label.map { $0 ? 1 : 0 } ?? -1)
      } catch let error as DataError {
        report.skip("statement \(id)", file: statements.path, error)
      }
    }
    guard !used.isEmpty else { return nil }
    return (used, try asked.batch(pairsPerQuestion: used.map { _ in 1 }, targets: targets))
  }

  private func members(_ id: String) -> [String] {
    guard isPaired, let pair = statements.pair(of: id) else { return [id] }
    return [id, pair]
  }
}
