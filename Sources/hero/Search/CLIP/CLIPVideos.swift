import Corpus
import Formats
import Foundation
import Tasks

/// Videos with their subtitles, whose frames CLIP's image tower has encoded as rows.
public struct CLIPVideos: IndexSource {
  private let width: Int
  private let names: [String]
  private let files: [Name: String]
  private let subtitles: [Name: [SpokenSentence]]

  /// Combines features and subtitles of videos.
  ///
  /// - Parameters:
  ///   - width: the number of elements of a row.
  ///   - features: each video's name and its file with an array `features`, [frames, width].
  ///   - subtitles: sentences by the name of the video.
  public init(
    width: Int, features: [(video: String, file: String)], subtitles: [Name: [SpokenSentence]]
  ) {
    (self.width, self.subtitles) = (width, subtitles)
    names = features.map(\.video)
    files = Dictionary(features.map { (Name($0.video), $0.file) }) { first, _ in first }
  }

  var videos: [String] { names }
  func frameCount(of video: String) -> Int? { nil }
  func duration(of video: String) -> Double? { nil }
  func sentences(of video: String) -> [SpokenSentence]? { subtitles[Name(video)] }

  func marks(of video: String) throws -> IndexedVideo.Sources {
    var hash = ContentHash()
    for sentence in subtitles[Name(video)] ?? [] {
      hash.update(Array("\(sentence.start) \(sentence.end) \(sentence.text)\n".utf8))
    }
    return IndexedVideo.Sources(
      features: try FileMark(path: try file(of: video)).hash,
      subtitles: subtitles[Name(video), default: []].isEmpty ? "" : hash.text)
  }

  private func file(of video: String) throws -> String {
    guard let file = files[Name(video)] else {
      throw DataError("has no features", place: "video \"\(video)\"")
    }
    return file
  }

  /// Returns a video's rows, each of unit length.
  private func rows(of video: String) throws -> [Float] {
    let file = try file(of: video)
    let array = try NPZ.readOnly(path: file, preferring: "features").array
    guard array.shape.count == 2, array.shape[0] > 0, array.shape[1] == width else {
      throw DataError(
        "has the shape \(array.shape), not [frames, \(width)]", file: file,
        cure: "Remove the file: the same command makes it again")
    }
    try array.requireFinite(file: file, parameter: "features")
    var rows = array.floats()
    for start in stride(from: 0, to: rows.count, by: width) {
      let length = rows[start..<start + width].reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
      for place in start..<start + width { rows[place] = Float(Double(rows[place]) / max(length, 1e-12)) }
    }
    return rows
  }

  func encode(
    _ videos: [String], _ pass: IndexPass, into writer: IndexWriter, _ report: inout Indexing.Report,
    _ progress: (Int, Int) throws -> Void
  ) throws -> Set<Name> {
    var made: Set<Name> = []
    do {
      for (number, video) in videos.enumerated() {
        do {
          let rows = try rows(of: video)
          let about = try pass.describe(video, rows.count / width)
          try rows.withUnsafeBufferPointer { try writer.add(about, frames: $0) }
          made.insert(Name(video))
        } catch let error as DataError {
          pass.onSkip("\(error)")
          report.skipped += 1
        }
        try progress(number + 1, videos.count)
      }
    } catch {
      try writer.commit()
      throw error
    }
    try writer.commit()
    return made
  }
}
