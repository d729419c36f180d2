import Corpus
import Formats
import Tasks

/// A source of videos that can be encoded into an index.
protocol IndexSource {
  /// The names of the videos, in the order in which they are indexed.
  var videos: [String] { get }
  /// Returns the number of frames of a video, if known before reading it.
  func frameCount(of video: String) -> Int?
  /// Returns the duration of a video in seconds, if a list has it.
  func duration(of video: String) -> Double?
  /// Returns the hashes of what a video would be encoded from.
  /// - Throws: `DataError` where it cannot be read.
  func marks(of video: String) throws -> IndexedVideo.Sources
  /// Returns what is said in a video; nil if unknown.
  func sentences(of video: String) throws -> [SpokenSentence]?
  /// Encodes videos.
  ///
  /// Commits what was encoded even where `progress` throws.
  /// - Returns: the names of the videos that could be read.
  func encode(
    _ videos: [String], _ pass: IndexPass, into writer: IndexWriter, _ report: inout Indexing.Report,
    _ progress: (Int, Int) throws -> Void
  ) throws -> Set<Name>
}

/// The settings of an encoding run.
struct IndexPass {
  /// The number of videos, or of windows of long ones, in a pass.
  let batchSize: Int
  /// Reports every video that cannot be read.
  let onSkip: (String) -> Void
  /// The information that the index stores about a video with so many frames.
  let describe: (_ video: String, _ frames: Int) throws -> IndexedVideo
}

/// The videos of a feature store, with another store's subtitles, for a trained model to encode.
struct StoredVideos: IndexSource {
  private let model: SearchModel
  private let reader: VideoReader
  /// The durations in seconds that the subtitle store lists.
  private let listed: [Name: Double]

  init(model: SearchModel, reader: VideoReader) {
    (self.model, self.reader) = (model, reader)
    let videos = reader.subtitles?.splits?.flatMap(\.videos) ?? []
    listed = Dictionary(videos.map { (Name($0.name), $0.duration) }) { first, _ in first }
  }

  var videos: [String] { reader.features.videos }
  func frameCount(of video: String) -> Int? { reader.features.frameCount(of: video) }
  func duration(of video: String) -> Double? { listed[Name(video)] }
  func sentences(of video: String) throws -> [SpokenSentence]? { try reader.subtitles?.sentences(of: video) }

  func marks(of video: String) throws -> IndexedVideo.Sources {
    let subtitles = reader.subtitles
    return IndexedVideo.Sources(
      features: try reader.features.mark(of: video),
      subtitles: try subtitles?.contains(video) == true ? subtitles?.mark(of: video) ?? "" : "")
  }

  func encode(
    _ videos: [String], _ pass: IndexPass, into writer: IndexWriter, _ report: inout Indexing.Report,
    _ progress: (Int, Int) throws -> Void
  ) throws -> Set<Name> {
    try IndexEncoding(model: model, reader: reader, pass: pass).run(videos, into: writer, &report, progress)
  }
}
