import Corpus
import Formats
import Tasks

/// Videos that can be encoded into an index.
protocol IndexSource {
  /// Their names, in the order in which they are indexed.
  var videos: [String] { get }
  /// Frames of a video, where that is known before it is read.
  func frameCount(of video: String) -> Int?
  /// Seconds of a video, where a list has it.
  func duration(of video: String) -> Double?
  /// What a video would be encoded from.
  /// - Throws: `DataError` where it cannot be read.
  func marks(of video: String) throws -> IndexedVideo.Sources
  /// What is said in a video; nil where it is unknown.
  func sentences(of video: String) throws -> [SpokenSentence]?
  /// Encodes videos. What was encoded is committed, also where `progress` ends the work.
  /// - Returns: the names of those that could be read.
  func encode(
    _ videos: [String], _ pass: IndexPass, into writer: IndexWriter, _ report: inout Indexing.Report,
    _ progress: (Int, Int) throws -> Void
  ) throws -> Set<Name>
}

/// How videos are encoded.
struct IndexPass {
  /// Videos, or windows of long ones, a pass.
  let batchSize: Int
  /// Reports every video that cannot be read.
  let onSkip: (String) -> Void
  /// What the index is to know of a video of so many frames.
  let describe: (_ video: String, _ frames: Int) throws -> IndexedVideo
}

/// The videos of a feature store with the subtitles of another, which a trained model encodes.
struct StoredVideos: IndexSource {
  private let model: SearchModel
  private let reader: VideoReader
  /// As the subtitle store lists them.
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
