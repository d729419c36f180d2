import Foundation
import Testing

@testable import Metrics

/// A small generator with a fixed sequence.
struct Sequence64: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return state ^ (state >> 29)
  }
}

@Suite struct MomentScorerTests {
  /// Returns every allowed moment of every video, sorted: what the scorer must find more cheaply.
  private func exhaustive(
    _ videos: [(factor: Float, start: [Float], end: [Float])], minLength: Int, maxLength: Int
  ) -> [MomentScorer.Moment] {
    var all: [MomentScorer.Moment] = []
    for (video, (factor, start, end)) in videos.enumerated() {
      for i in start.indices {
        for j in end.indices where j - i >= minLength && j - i < maxLength {
          let score = factor * start[i] * end[j]
          if score > 0 { all.append(.init(video: video, start: i, end: j, score: score)) }
        }
      }
    }
    return all.enumerated().sorted { a, b in
      a.element.score != b.element.score ? a.element.score > b.element.score : a.offset < b.offset
    }.map(\.element)
  }

  @Test(arguments: [1, 3, 50, 10_000], [(0, 1), (1, 4), (2, 16), (5, 1000), (3, 3)])
  func findsWhatSortingTheWholeTableFinds(capacity: Int, lengths: (Int, Int)) {
    var random = Sequence64(state: UInt64(capacity * 31 + lengths.1))
    for _ in 0..<20 {
      let videos = (0..<3).map { _ in
        let count = Int.random(in: 0...40, using: &random)
        // Few distinct values make equal scores and zeros occur.
        let start = (0..<count).map { _ in Float(Int.random(in: 0...6, using: &random)) / 8 }
        let end = (0..<count).map { _ in Float(Int.random(in: 0...6, using: &random)) / 8 }
        return (factor: Float(Int.random(in: 1...4, using: &random)), start: start, end: end)
      }
      var scorer = MomentScorer(minLength: lengths.0, maxLength: lengths.1, capacity: capacity)
      for (number, video) in videos.enumerated() {
        scorer.add(video: number, factor: video.factor, start: video.start, end: video.end)
      }
      let expected = exhaustive(videos, minLength: lengths.0, maxLength: lengths.1)
      #expect(scorer.moments() == Array(expected.prefix(capacity)))
    }
  }

  /// For any α, moments rank by their logarithms and scores are finite.
  @Test(arguments: [0, 1, 20, 80, 81, 120, 500, 1e4, 1e9] as [Float])
  func ranksByAnyWeight(alpha: Float) {
    var random = Sequence64(state: 7)
    let weight = VideoWeight(alpha)
    // Two cosines are equal, or differ by more than 64 bits resolve at the largest α.
    let videos = (0..<40).map { _ in
      (
        score: Float(Int.random(in: -10...10, using: &random)) / 10,
        start: (0..<12).map { _ in Float(Int.random(in: 0...64, using: &random)) / 64 },
        end: (0..<12).map { _ in Float(Int.random(in: 0...64, using: &random)) / 64 }
      )
    }
    var scorer = MomentScorer(minLength: 1, maxLength: 9, capacity: 200, weight: weight)
    var expected: [(video: Int, start: Int, end: Int, logarithm: Double)] = []
    for (number, video) in videos.enumerated() {
      scorer.add(video: number, factor: video.score, start: video.start, end: video.end)
      for i in 0..<12 {
        for j in i..<12 where j - i >= 1 && j - i < 9 && video.start[i] > 0 && video.end[j] > 0 {
          let spans = log(Double(video.start[i])) + log(Double(video.end[j]))
          expected.append((number, i, j, Double(alpha) * Double(video.score) + spans))
        }
      }
    }
    expected.sort { $0.logarithm > $1.logarithm }
    let found = scorer.moments()
    #expect(found.count == 200)
    #expect(found.allSatisfy { $0.score.isFinite && $0.score != 0 })
    #expect(zip(found, found.dropFirst()).allSatisfy { $0.score >= $1.score })
    for (moment, wanted) in zip(found, expected) {
      let video = videos[moment.video]
      let logarithm =
        Double(alpha) * Double(video.score) + log(Double(video.start[moment.start]))
        + log(Double(video.end[moment.end]))
      // Equal moments may swap, and 32 bits may not separate neighbours.
      #expect(abs(logarithm - wanted.logarithm) <= 1e-6 * max(1, abs(wanted.logarithm)))
      let score = weight.isLogarithmic ? logarithm : exp(logarithm)
      #expect(abs(Double(moment.score) - score) <= 1e-5 * max(abs(score), 1e-30))
    }
  }

  @Test func wholeVideosScoreAlike() {
    #expect(VideoWeight(20).written(0.5) == exp(Float(10)))
    #expect(VideoWeight(120).written(0.5) == 60)
    // A score of 0 would mean that there is no answer.
    #expect(VideoWeight(120).written(0) > 0)
  }

  @Test func reportsSecondsFromTheFirstFrameToTheEndOfTheLast() {
    var scorer = MomentScorer(minLength: 1, maxLength: 9, capacity: 5)
    scorer.add(video: 7, start: [0, 1, 0], end: [0, 0, 0.5])
    let predictions = scorer.predictions(frameInterval: 1.5)
    #expect(predictions == [MomentPrediction(video: 7, start: 1.5, end: 4.5, score: 0.5)])
  }

  /// A video too short for the shortest moment is found as a whole, if that is wanted.
  @Test func shortVideos() {
    for (frames, expected) in [(1, 0), (2, 1), (3, 2)] {
      let ones = [Float](repeating: 1, count: frames)
      for finds in [false, true] {
        var scorer = MomentScorer(minLength: 2, maxLength: 9, capacity: 9, findsShortVideos: finds)
        scorer.add(video: 0, start: ones, end: ones)
        let whole = MomentScorer.Moment(video: 0, start: 0, end: expected, score: 1)
        #expect(scorer.moments() == (finds || frames == 3 ? [whole] : []))
      }
    }
  }

  /// Windows give frames of the whole video, and a moment in two windows counts once.
  @Test func windows() {
    var scorer = MomentScorer(minLength: 0, maxLength: 2, capacity: 20)
    scorer.add(video: 3, factor: 2, start: [0, 0, 1], end: [0, 0, 1])
    scorer.add(video: 3, firstFrame: 2, start: [1, 0, 0.5], end: [1, 0, 0.5])
    scorer.add(video: 4, start: [0, 0, 1], end: [0, 0, 1])
    #expect(
      scorer.moments() == [
        .init(video: 3, start: 2, end: 2, score: 2), .init(video: 4, start: 2, end: 2, score: 1),
        .init(video: 3, start: 4, end: 4, score: 0.25),
      ])
  }

  @Test func survivesExtremeLengths() {
    var scorer = MomentScorer(minLength: -5, maxLength: .max, capacity: 2)
    scorer.add(video: 0, start: [1, 1], end: [1, .nan])
    scorer.add(video: 1, start: [], end: [1])
    #expect(scorer.moments().allSatisfy { $0.score == 1 })
    var none = MomentScorer(minLength: .max, maxLength: .max, capacity: 0)
    none.add(video: 0, start: [1], end: [1])
    #expect(none.moments().isEmpty)
  }
}
