import Corpus
import Formats
import Foundation
import Tasks
import Training

/// Models that tell of the videos of an index: one that describes moments, one that answers
/// questions. Threads may share them; they and the searching model take turns.
public final class VideoModels: @unchecked Sendable {
  private let index: IndexFile
  private let captioning: OpenedCaptioning?
  private let answering: OpenedAnswering?
  private let turns: NSLock

  /// - Parameters:
  ///   - searcher: of the index, whose device the models are on.
  ///   - captioning: nil where moments are not described.
  ///   - answering: nil where no questions are answered.
  public init(searcher: MomentSearcher, captioning: OpenedCaptioning?, answering: OpenedAnswering?) {
    (index, turns) = (searcher.index, searcher.turns)
    (self.captioning, self.answering) = (captioning, answering)
  }

  /// Whether moments can be described.
  public var describes: Bool { captioning != nil }
  /// Answers that a question may have at most; 0 where no questions are answered.
  public var mostAnswers: Int { answering?.answersPerQuestion ?? 0 }

  /// How many of the index's videos each model's stores lack.
  /// - Throws: `DataError` where stores have none of them.
  public func missing() throws -> Int {
    let names = try (0..<index.count).map { try index.name(of: $0) }
    let readers = [captioning?.videos, answering?.videos].compactMap { $0 }
    return try readers.map { reader in
      let lacking = names.count { (try? reader.check([$0])) == nil }
      guard lacking < names.count || names.isEmpty else {
        throw DataError(
          "has none of the \(names.count) videos of \(index.path)", file: reader.features.path,
          cure: "Give --vfeat-db and --sub-txt-db the stores that the index was made of")
      }
      return lacking
    }.max() ?? 0
  }

  /// The caption of a moment, as `hero caption` writes it; behind the frames that the model reads,
  /// of a part of the video with the moment in its middle.
  /// - Parameter span: nil for the whole video.
  /// - Returns: nil where moments are not described.
  /// - Throws: `DataError` where the video cannot be read, or the moment begins after its end or is
  ///   longer than what the model reads.
  public func describe(_ video: Int, _ span: TimeSpan?) throws -> String? {
    guard let captioning else { return nil }
    let name = try index.name(of: video)
    return try turns.withLock { try captioning.caption(name, span) }
  }

  /// Answers a question about a video.
  /// - Parameter span: the question's moment, which chooses a part of a long video; nil for the
  ///   whole video.
  /// - Returns: nil without a model that answers questions.
  /// - Throws: `DataError` where the video cannot be read, the texts are too long, or the moment
  ///   begins after the video's end or is longer than the model's input.
  public func answer(
    _ question: String, _ answers: [String], video: Int, _ span: TimeSpan? = nil
  ) throws -> AnsweredQuestion? {
    guard let answering else { return nil }
    let name = try index.name(of: video)
    return try turns.withLock { try answering.answer(question, answers, video: name, span) }
  }
}
