import Formats
import Foundation
import TestSupport
import Testing

@testable import Metrics

/// A temporary folder that is removed with the value.
final class TemporaryFolder {
  let url: URL

  init() throws {
    url = FileManager.default.temporaryDirectory.appendingPathComponent("hero-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(at: url) }

  func path(_ name: String) -> String { url.appendingPathComponent(name).path }

  func write(_ text: String, to name: String) throws -> String {
    try Data(text.utf8).write(to: url.appendingPathComponent(name))
    return path(name)
  }
}

@Suite struct ResultFileTests {
  @Test func retrievalResultsSurviveWritingAndReading() throws {
    let folder = try TemporaryFolder()
    let queries = [
      QueryPredictions(
        id: "165",
        predictions: [
          MomentPrediction(video: 13, start: 4.5, end: 9, score: 0.050448276),
          MomentPrediction(video: 13, start: 3, end: 7.5, score: 0),
        ]), QueryPredictions(id: "clip-a", predictions: []),
    ]
    let videos = [QueryPredictions(id: "165", predictions: [MomentPrediction(video: 2, score: -0.5)])]
    let results = RetrievalResults(
      videoIndex: ["b": 13, "a": 2], rankings: [(.singleVideoMoment, queries), (.video, videos)])
    try results.write(path: folder.path("r.json"))
    let text = try String(contentsOfFile: folder.path("r.json"), encoding: .utf8)
    #expect(
      text.hasPrefix(
        #"{"video2idx":{"a":2,"b":13},"SVMR":[{"desc_id":165,"desc":"","predictions":[[13,4.5,9.0,"#))
    #expect(text.contains(#"{"desc_id":"clip-a""#))
    #expect(text.contains("[2,0,0,-0.5]"))
    let read = try RetrievalResults(golden: folder.path("r.json"))
    #expect(
      read.videoIndex == results.videoIndex && read.rankings.map(\.ranking) == results.rankings.map(\.ranking)
    )
    #expect(read.rankings[0].queries[0].predictions == Array(queries[0].predictions.prefix(1)))
    #expect(read.rankings[1].queries == videos)
  }

  @Test func aFolderThatIsMissingIsNamed() throws {
    let path = try TemporaryFolder().path("missing/r.json")
    #expect(throws: DataError.self) { try CaptionRow.write([], to: path) }
    #expect(throws: DataError.self) { try RetrievalResults(videoIndex: [:], rankings: []).write(path: path) }
  }

  @Test func answersSurviveWritingAndReading() throws {
    let folder = try TemporaryFolder()
    var answers = AnswerResults()
    answers.rows = [.init(id: "960", answer: 3), .init(id: "clip \"a\"-0", answer: 0)]
    try answers.write(path: folder.path("a.json"))
    #expect(try JSON.read(path: folder.path("a.json")) == ["960": 3, "clip \"a\"-0": 0])
  }

  @Test func captionRowsSurviveWritingAndReading() throws {
    let folder = try TemporaryFolder()
    let rows = [
      CaptionRow(video: "v", clip: "539", times: [0.44, 4.17], captions: ["A cat.", "Ein Käse"]),
      CaptionRow(video: "v", clip: "540", times: nil, captions: []),
    ]
    try CaptionRow.write(rows, to: folder.path("c.jsonl"))
    #expect(try CaptionRow.read(path: folder.path("c.jsonl")) == rows)
    for bad in [
      #"{"vid_name": "v"}"#, #"{"clip_id": 1, "descs": 2}"#, #"{"clip_id": 1, "descs": [{}]}"#, "", "{",
    ] {
      let path = try folder.write(bad, to: "bad.jsonl")
      #expect(throws: DataError.self) { try CaptionRow.read(path: path) }
    }
  }
}
