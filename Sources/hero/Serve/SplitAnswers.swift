import Formats
import Foundation
import Metrics
import Search
import Synchronization

/// The answers to a split's queries and their recall so far, found while the page is already
/// served.
public final class SplitAnswers: Sendable {
  /// The answer to one query.
  private struct Answered {
    var query: Int
    var moments: [MomentPrediction]
    var ownMoments: [MomentPrediction]
    var videos: [MomentPrediction]
    /// The rank of the first correct moment (IoU ≥ 0.5), from 1; nil if none is correct.
    var rank: Int?
    /// The IoU of the best moment with the truth; 0 if it is in another video.
    var overlap: Float
  }

  private let queries: [SplitQuery]
  private let names: [Name: Int]
  private let answered = Mutex<[Answered]>([])
  private static let right: Float = 0.5

  /// Prepares queries; ``run(searcher:isCancelled:)`` answers them.
  public init(_ queries: SplitQueries) {
    self.queries = queries.queries
    names = Dictionary(queries.queries.map { (Name($0.truth.video), $0.video) }) { first, _ in first }
  }

  /// Answers all queries.
  ///
  /// The caller provides a thread for it. Stops early if `isCancelled`.
  public func run(searcher: MomentSearcher, isCancelled: () -> Bool = { false }) throws {
    for (number, query) in queries.enumerated() {
      if isCancelled() { return }
      let answer = try searcher.evaluate(tokens: query.tokens, video: query.video)
      let spans = query.truth.spans
      func overlap(_ moment: MomentPrediction) -> Float {
        guard moment.video == query.video else { return 0 }
        return spans.map { temporalIoU(TimeSpan(start: Double(moment.start), end: Double(moment.end)), $0) }
          .max() ?? (spans.isEmpty ? 1 : 0)
      }
      let rank = answer.moments.firstIndex { overlap($0) >= Self.right }.map { $0 + 1 }
      let one = Answered(
        query: number, moments: answer.moments, ownMoments: answer.ownMoments ?? [], videos: answer.videos,
        rank: rank, overlap: answer.moments.first.map(overlap) ?? 0)
      answered.withLock { $0.append(one) }
    }
  }

  /// Returns rows of the list, worst first, with the recall over all queries answered so far.
  func json(first: Int, count: Int) -> JSON {
    let answered = answered.withLock { $0 }
    let worst = answered.sorted { a, b in
      let (left, right) = (a.rank ?? .max, b.rank ?? .max)
      return left != right ? left > right : a.overlap != b.overlap ? a.overlap < b.overlap : a.query < b.query
    }
    return [
      "total": .int(queries.count), "answered": .int(answered.count), "recall": recall(answered),
      "rows": .array(worst.dropFirst(first).prefix(count).map(row)),
    ]
  }

  private func row(_ answer: Answered) -> JSON {
    let query = queries[answer.query]
    func moment(_ found: MomentPrediction?) -> JSON {
      guard let found else { return .null }
      return [
        "number": .int(found.video), "start": .double(Double(found.start)), "end": .double(Double(found.end)),
        "score": .double(Double(found.score)),
      ]
    }
    return [
      "id": query.truth.id.json, "query": .string(query.text), "video": .string(query.truth.video),
      "number": .int(query.video), "rank": answer.rank.map { .int($0) } ?? .null,
      "overlap": .double(Double(answer.overlap)),
      "truth": .array(
        query.truth.spans.map { .array([.double(Double($0.start)), .double(Double($0.end))]) }),
      "prediction": moment(answer.moments.first), "own": moment(answer.ownMoments.first),
    ]
  }

  /// Returns the recall as `hero eval` measures it.
  private func recall(_ answered: [Answered]) -> JSON {
    func list(_ predictions: (Answered) -> [MomentPrediction]) -> [QueryPredictions] {
      answered.map { QueryPredictions(id: queries[$0.query].truth.id, predictions: predictions($0)) }
    }
    let results = RetrievalResults(
      videoIndex: names,
      rankings: [
        (.videoCorpusMoment, list(\.moments)), (.singleVideoMoment, list(\.ownMoments)),
        (.video, list(\.videos)),
      ])
    let truth = answered.map { queries[$0.query].truth }
    guard let metrics = try? RetrievalMetrics(results: results, truth: truth, byQueryType: false) else {
      return .null
    }
    return .array(
      Ranking.allCases.map { ranking in
        let recalls = metrics.recalls.filter { $0.ranking == ranking }
        return [
          "task": .string(ranking.rawValue),
          "values": .array(
            recalls.map { recall in
              [
                "overlap": recall.overlap.map { .double(Double("\($0)") ?? Double($0)) } ?? .null,
                "depth": .int(recall.depth), "value": .double(recall.value),
              ]
            }),
        ]
      })
  }
}
