import Engine
import Foundation
import Metrics
import Model

/// Ranking by several models together, as in VALUE's two-stream evaluation.
///
/// Videos rank by the mean over the models of their weights exp(α·score), or of their scores
/// without α. Moments rank by the means of the start and end probabilities.
struct EnsembleSearch {
  private let members: [MomentSearch<RetrievalIndex>]

  /// - Precondition: The members have the same videos in the same order.
  init(_ members: [MomentSearch<RetrievalIndex>]) {
    precondition(members.allSatisfy { $0.videos.segments.offsets == members[0].videos.segments.offsets })
    self.members = members
  }

  /// - Parameter encoded: the queries as each member encodes them, [m, width].
  func rank(
    _ encoded: [Tensor], own: [Int?], findsMoments: Bool
  ) throws -> [MomentSearch<RetrievalIndex>.Answer] {
    guard members.count > 1 else {
      return try members[0].rank(encoded[0], own: own, findsMoments: findsMoments)
    }
    return try members[0].rank(best(encoded), encoded[0], own: own, findsMoments: findsMoments) { pairs in
      let parts = try zip(members, encoded).map { member, encoded in
        try member.spans(encoded, pairs, .inference(member.model.store.backend))
      }
      var mean = parts[0]
      mean.start = Self.means(parts.map(\.start))
      mean.end = Self.means(parts.map(\.end))
      return mean
    }
  }

  /// Returns every query's best videos by all members' scores.
  private func best(_ encoded: [Tensor]) -> [[(place: Int, score: Float)]] {
    let (queries, count) = (encoded[0].rows, members[0].videos.count)
    guard queries * count > 0 else { return encoded[0].rows == 0 ? [] : (0..<queries).map { _ in [] } }
    let scores = zip(members, encoded).map { member, encoded in
      member.videos.scores(encoded, model: member.model, tape: .inference(member.model.store.backend))
    }
    let factor = members[0].options.videoScoreFactor
    let together = scores[0].indices.map { place in Self.score(scores.map { $0[place] }, factor) }
    let (backend, kept) = (members[0].model.store.backend, members[0].kept)
    let values = backend.makeTensor(rows: queries, columns: kept)
    let places = backend.makeIndices(count: queries * kept)
    backend.run(
      TopK(backend.makeTensor(together, rows: queries, columns: count), values: values, places: places))
    let (found, best) = (backend.values(of: places), backend.values(of: values))
    return (0..<queries).map { query in
      (query * kept..<(query + 1) * kept).prefix { found[$0] >= 0 }.map { (Int(found[$0]), best[$0]) }
    }
  }

  /// Returns the score whose weight exp(α·score) is the mean of the scores' weights.
  ///
  /// Equal scores give that same score.
  private static func score(_ scores: [Float], _ factor: Float?) -> Float {
    guard let factor, factor != 0 else {
      return Float(scores.reduce(0.0) { $0 + Double($1) } / Double(scores.count))
    }
    let weights = scores.map { Double(factor) * Double($0) }
    let most = weights.reduce(-.infinity) { $1.isNaN || $1 > $0 ? $1 : $0 }
    let mean = weights.reduce(0) { $0 + exp($1 - most) } / Double(weights.count)
    return Float((most + log(mean)) / Double(factor))
  }

  private static func means(_ parts: [[Float]]) -> [Float] {
    parts[0].indices.map { place in Float(parts.reduce(0.0) { $0 + Double($1[place]) } / Double(parts.count))
    }
  }
}
