import Testing

@testable import Corpus

@Suite struct SubtitleMatchingTests {
  private func match(
    _ times: [(Float, Float)], frames: Int, frameLength: Double = 1
  ) throws -> SubtitleMatching {
    try SubtitleMatching(
      times: times.map { SubtitleTime(start: $0.0, end: $0.1) }, frames: frames, frameLength: frameLength)
  }

  @Test func givesAFrameToTheLargestOverlapAndTheFirstOfEqualOnes() throws {
    let matching = try match([(0, 1.5), (1.25, 3), (3, 4), (3, 4)], frames: 5)
    #expect(matching.touched == [[0, 1], [1, 2], [3], [3]])
    #expect(matching.owner == [0, 1, 1, 2, nil])
    #expect(matching.owned == [[0], [1, 2], [3], []])
    #expect(matching.subtitles == [[0], [0, 1], [1], [2, 3], []])
    #expect(matching.unmatched == [4])
  }

  @Test func leavesOutWhatStartsBehindTheVideo() throws {
    let matching = try match([(0, 2), (4, 5), (4.5, 6)], frames: 4)
    #expect(matching.touched == [[0, 1], nil, nil])
    #expect(matching.owned == [[0, 1], [], []])
    #expect(matching.longestUnmatchedRun == 2)
  }

  @Test func cutsALongLastSentence() throws {
    let long = try match([(0, 1), (2, 30)], frames: 40)
    #expect(long.touched == [[0], Array(2..<13)])
    #expect(long.statistics.extraLong == 1)
    let cutByTheVideo = try match([(0, 1), (2, 30)], frames: 18)
    #expect(cutByTheVideo.touched == [[0], Array(2..<30)])
    #expect(cutByTheVideo.statistics.extraLong == 0)
    let notLast = try match([(0, 20), (20, 21)], frames: 40)
    #expect(notLast.touched[0]?.count == 20)
  }

  @Test func givesFramesWithoutOverlapToTheFirstSentence() throws {
    let matching = try match([(0, 1), (2.5, 2.5)], frames: 4)
    #expect(matching.touched == [[0], [2]])
    #expect(matching.owner == [0, nil, 0, nil])
  }

  @Test(arguments: [(Float.infinity, 1), (0, .nan), (0, 1e9), (-1e9, 0)] as [(Float, Float)])
  func timesThatAreNoneCannotBeMatched(_ start: Float, _ end: Float) {
    #expect(!SubtitleMatching.canMatch(SubtitleTime(start: start, end: end), frameLength: 1.5))
    #expect(SubtitleMatching.canMatch(SubtitleTime(start: -1, end: 30), frameLength: 1.5))
  }

  @Test func takesAVideoWithoutFrames() throws {
    let matching = try match([(0, 1)], frames: 0)
    #expect(matching.touched == [nil])
    #expect(matching.owner.isEmpty && matching.longestUnmatchedRun == 0)
  }
}
