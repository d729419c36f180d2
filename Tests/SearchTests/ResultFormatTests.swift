import Corpus
import Formats
import Foundation
import TestSupport
import Testing

@testable import Search

/// The output formats of moments: rows, FiftyOne's labels and VIA's project.
@Suite struct ResultFormatTests {
  private static func moment(
    _ number: Int, _ name: String, file: String?, start: Double = 1.5, said: String = "", first: Double = 0
  ) -> FoundMoment {
    let video = IndexedVideo(
      name: name, duration: 9, frames: 6,
      sentences: said.isEmpty ? [] : [SpokenSentence(start: 0, end: 9, text: said)],
      file: file.map { IndexedVideo.MediaFile(path: $0, size: 1, start: first) })
    return FoundMoment(number: number, video: video, start: start, end: start + 3, score: 0.5)
  }

  private let moments = [
    moment(3, "a, b", file: "/v/a, b #1.mp4", said: "He said \"no\",\r\nthen\nleft", first: 0.25),
    moment(7, "zwölf", file: nil), moment(3, "a, b", file: "/v/a, b #1.mp4", start: 4.5, first: 0.25),
  ]

  private var rows: MomentRows {
    MomentRows("a \"door\"", moments, answer: ["moments": .array(moments.map(\.json))])
  }

  /// Every row has every column, with the values of the JSON.
  @Test func linesAreObjects() throws {
    let lines = rows.lines.split(separator: "\n", omittingEmptySubsequences: false)
    #expect(lines.count == 4 && lines[3].isEmpty)
    for (place, line) in lines.prefix(3).enumerated() {
      let row = try #require(try JSON.parse(String(line)).object)
      #expect(row.keys == MomentRows.columns)
      #expect(row["query"] == "a \"door\"" && row["rank"]?.int == place + 1)
      let json = try #require(moments[place].json.object)
      for column in ["video", "number", "start", "end", "score", "subtitle", "duration"] {
        #expect(row[column] == json[column])
      }
      #expect(row["file"] == (moments[place].video.file.map { .string($0.path) } ?? .null))
      #expect(row["cosine"] == .null && row["cut"] == .null)
    }
  }

  /// CSV follows RFC 4180: CR LF ends a line, quotes are doubled, and only fields that need it are
  /// quoted.
  @Test func csvQuotesWhatNeedsIt() {
    let lines = rows.csv.components(separatedBy: "\r\n")
    #expect(
      rows.csv.hasPrefix(
        "\"a \"\"door\"\"\",1,\"a, b\",3,1.5,4.5,0.5,\"He said \"\"no\"\",\r\nthen\nleft\",9.0,\"/v/a, b #1.mp4\",,,,,,\r\n"
      ))
    #expect(lines[2] == "\"a \"\"door\"\"\",2,zwölf,7,1.5,4.5,0.5,,9.0,,,,,,,")
    #expect(MomentRows.header.hasPrefix("query,rank,video,") && MomentRows.header.hasSuffix("cut_begins\r\n"))
  }

  /// Labels go by the videos' files, with the moments of one video together.
  @Test func labelsAreByVideo() throws {
    let json = TemporalDetections.json("a door", moments)
    #expect(json["classes"] == ["a door"])
    let labels = try #require(json["labels"]?.object)
    #expect(labels.keys == ["/v/a, b #1.mp4", "zwölf"])
    let two = try #require(labels["/v/a, b #1.mp4"]?.array)
    #expect(two.map { $0["timestamps"] } == [[1.5, 4.5], [4.5, 7.5]])
    #expect(two.allSatisfy { $0["label"] == "a door" && $0["confidence"] == 0.5 })
  }

  /// Each moment is a segment in the player's time, and each video a file, to be located if
  /// unknown.
  @Test func aProjectHasFilesAndSegments() throws {
    let json = ViaProject.json("a door", moments, created: 2)
    #expect(json["project"]?["vid_list"] == ["1", "2"] && json["project"]?["created"] == 2000)
    #expect(json["file"]?["1"]?["src"] == "file:///v/a,%20b%20%231.mp4" && json["file"]?["1"]?["loc"] == 3)
    #expect(json["file"]?["2"]?["loc"] == 1 && json["file"]?["2"]?["fname"] == "zwölf")
    let segments = try #require(json["metadata"]?.object)
    #expect(segments.values.map { $0["vid"] } == ["1", "2", "1"])
    #expect(segments.values.map { $0["z"] } == [[1.75, 4.75], [1.5, 4.5], [4.75, 7.75]])
    for (id, attribute) in try #require(json["attribute"]?.object) {
      #expect(attribute["anchor_id"] == "FILE1_Z2_XY0")
      #expect(segments.values.allSatisfy { $0["av"]?[id]?.string != nil })
    }
    #expect(json["attribute"]?["1"]?["options"]?["1"] == "a door")
  }

  @Test func nothingFoundIsNoRow() {
    let none = MomentRows("a", [], answer: ["moments": []])
    #expect(none.csv.isEmpty && none.lines.isEmpty)
    #expect(TemporalDetections.json("a", [])["labels"] == [:])
    #expect(ViaProject.json("a", [])["project"]?["vid_list"] == [])
  }
}
