import Testing

@testable import Vision

struct SamplingTests {
  @Test func theIntervalIsAFraction() throws {
    let interval = try #require(FrameInterval(seconds: 1.5))
    #expect(interval.numerator == 3)
  }
}
