import Corpus
import Formats
import Foundation
import Tasks
import Training

/// Models that describe moments and answer questions about the videos of an index.
///
/// Threads may share them. They and the searching model take turns.
public final class VideoModels: @unchecked Sendable {
  private let index: IndexFile
  private let captioning: OpenedCaptioning?
  private let answering: OpenedAnswering?
  private let turns: NSLock

  /// Combines models of an index's videos.
  ///
  /// - Parameters:
  ///   - searcher: the searcher of the index, on whose device the models run.
  ///   - captioning: nil if moments are not described.
  ///   - answering: nil if questions are not answered.
  public init(searcher: MomentSearcher, captioning: OpenedCaptioning?, answering: OpenedAnswering?) {
    (index, turns) = (searcher.index, searcher.turns)
    (self.captioning, self.answering) = (captioning, answering)
  }

  /// Whether moments can be described.
  public var describes: Bool { captioning != nil }
  /// The maximum number of answers to a question; 0 if questions are not answered.
  public var mostAnswers: Int { answering?.answersPerQuestion ?? 0 }

  /// Returns the largest number of the index's videos that a model's stores lack.
  /// - Throws: `DataError` where a model's stores have none of them.
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

  /// Returns the caption of a moment, as `hero caption` writes it.
  ///
  /// If the moment lies beyond the frames that the model reads, the model reads a part of the video
  /// with the moment in its middle.
  /// - Parameter span: nil for the whole video.
  /// - Returns: nil if moments are not described.
  /// - Throws: `DataError` where the video cannot be read, or where the moment begins after its end
  ///   or exceeds the model's input.
  public func describe(_ video: Int, _ span: TimeSpan?) throws -> String? {
    guard let captioning else { return nil }
    let name = try index.name(of: video)
    return try turns.withLock { try captioning.caption(name, span) }
  }

  /// Answers a question about a video.
  /// - Parameter span: the question's moment, which selects a part of a long video; nil for the
  ///   whole video.
  /// - Returns: nil if no model answers questions.
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
