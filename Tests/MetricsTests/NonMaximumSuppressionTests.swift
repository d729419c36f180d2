import Formats
import Testing

@testable import Metrics

@Suite struct NonMaximumSuppressionTests {
  private func moment(_ video: Int, _ start: Float, _ end: Float, _ score: Float) -> MomentPrediction {
    MomentPrediction(video: video, start: start, end: end, score: score)
  }

  @Test func overlapIsMeasuredOverTheWholeStretch() {
    #expect(temporalIoU(TimeSpan(start: 0, end: 10), TimeSpan(start: 5, end: 10)) == 0.5)
    #expect(temporalIoU(TimeSpan(start: 0, end: 2), TimeSpan(start: 8, end: 10)) == 0)
    #expect(temporalIoU(TimeSpan(start: 3, end: 3), TimeSpan(start: 3, end: 3)) == 0)
    #expect(temporalIoU(TimeSpan(start: 4.5, end: 1.5), TimeSpan(start: 0, end: 9)) == 0)
  }

  @Test func dropsWhatOverlapsABetterMomentOfTheSameVideo() {
    let suppress = NonMaximumSuppression(threshold: 0.5)
    let ranked = [
      moment(1, 0, 10, 0.9), moment(2, 0, 10, 0.8), moment(1, 1, 10, 0.7), moment(1, 5, 10, 0.6),
      moment(1, 6, 20, 0.5),
    ]
    // An overlap of exactly the threshold stays.
    #expect(suppress(ranked) == [ranked[0], ranked[1], ranked[3], ranked[4]])
  }

  @Test func aDroppedMomentDropsNothing() {
    let suppress = NonMaximumSuppression(threshold: 0.5)
    let ranked = [moment(1, 0, 10, 3), moment(1, 3, 12, 2), moment(1, 6, 14, 1)]
    #expect(suppress(ranked) == [ranked[0], ranked[2]])
  }

  @Test func looksAtNoMoreThanItsLimit() {
    let apart = (0..<30).map { moment(1, Float($0) * 10, Float($0) * 10 + 5, Float(30 - $0)) }
    #expect(NonMaximumSuppression(threshold: 0.5, limit: 7)(apart) == Array(apart.prefix(7)))
    #expect(NonMaximumSuppression(threshold: 0.5, limit: -1)(apart).isEmpty)
  }

  @Test func keepsAtMostAHundredOfAVideo() {
    let apart = (0..<300).map { moment($0 % 2, Float($0) * 10, Float($0) * 10 + 5, Float(300 - $0)) }
    let kept = NonMaximumSuppression(threshold: 0.5, limit: 1000)(apart)
    #expect(kept.count == 200)
    #expect(kept == Array(apart.prefix(200)))
  }

  @Test func ordersUnsortedInputAndKeepsTheOrderOfEquals() {
    let mixed = [moment(1, 0, 1, 0.2), moment(2, 0, 1, 0.9), moment(3, 0, 1, 0.2)]
    #expect(NonMaximumSuppression(threshold: 0.5)(mixed).map(\.video) == [2, 1, 3])
  }
}
