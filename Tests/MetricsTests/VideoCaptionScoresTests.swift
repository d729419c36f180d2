import Testing

@testable import Metrics

/// YouCook2's scores by video (VALUE's `Yc2cEval`).
struct VideoCaptionScoresTests {
  private func row(_ clip: Int, _ video: String, _ caption: String) -> CaptionRow {
    CaptionRow(video: video, clip: QueryID("\(clip)"), times: nil, captions: [caption])
  }

  private let references = [
    (1, "a_b_1", "cut the onions into small rings"), (2, "a_b_0", "heat oil in a large pan"),
    (3, "c_10", "stir the soup well"), (4, "c_9", "add salt and pepper to the soup"),
  ]

  @Test func paragraphsAreInOrderAndMacroIsAMeanOfVideos() throws {
    let truth = references.map { row($0.0, $0.1, $0.2) }
    let said = [
      row(1, "a_b_1", "cut the onions"), row(2, "a_b_0", "heat some oil in a pan"),
      row(3, "c_10", "stir the soup"), row(4, "c_9", "add salt"),
    ]
    let scores = try #require(try VideoCaptionScores(said, references: truth, meteor: nil))
    let figures = Dictionary(uniqueKeysWithValues: scores.figures.map { ($0.name, $0.value) })
    #expect(figures.count == 14)
    func corpus(_ clips: [ScoredClip]) throws -> [String: Double] {
      Dictionary(
        uniqueKeysWithValues: try CaptionScorer(clips, meteor: nil).corpus.map { ($0.name, $0.value) })
    }
    func clip(_ a: String, _ b: String) -> ScoredClip { ScoredClip(id: "x", prediction: a, references: [b]) }
    let videos = [
      [clip("cut the onions", references[0].2), clip("heat some oil in a pan", references[1].2)],
      [clip("stir the soup", references[2].2), clip("add salt", references[3].2)],
    ]
    let own = try videos.map(corpus)
    let whole = try corpus([
      clip(
        "heat some oil in a pan cut the onions", "heat oil in a large pan cut the onions into small rings"),
      clip("add salt stir the soup", "add salt and pepper to the soup stir the soup well"),
    ])
    for name in CaptionScorer.metricNames {
      let macro = own.reduce(0) { $0 + ($1[name] ?? .nan) } / 2
      #expect(abs((figures["macro/\(name)"] ?? .nan) - macro) < 1e-9, "\(name)")
      #expect(abs((figures["paragraph/\(name)"] ?? .nan) - (whole[name] ?? .nan)) < 1e-9, "\(name)")
    }
  }

  @Test func namesWithoutANumberTellNoVideo() throws {
    let rows = [row(1, "video", "a dog")]
    #expect(try VideoCaptionScores(rows, references: rows, meteor: nil) == nil)
  }
}
