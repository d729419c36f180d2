import Corpus
import Engine
import Formats
import Foundation
import Model
import Tasks

/// Encodes the videos of stores into an index.
public struct Indexing {
  /// What came of it.
  public struct Report: Equatable, Sendable {
    public var added = 0
    /// Videos that were in the index before.
    public var known = 0
    /// Videos that could not be read.
    public var skipped = 0
  }

  private let model: SearchModel
  private let reader: VideoReader
  private let path: String
  /// The file to play of a video, where there is one.
  private let media: (String) -> IndexedVideo.MediaFile?
  /// Seconds of a video, where somebody knows it.
  private let durations: [Name: Double]

  /// - Parameters:
  ///   - path: the index, which is made where there is none.
  ///   - media: the file to play of a video, where there is one.
  ///   - durations: seconds of videos; of others it is told by their frames.
  public init(
    path: String, model: SearchModel, reader: VideoReader, durations: [Name: Double] = [:],
    media: @escaping (String) -> IndexedVideo.MediaFile? = { _ in nil }
  ) {
    (self.path, self.model, self.reader, self.media) = (path, model, reader, media)
    let listed = reader.subtitles?.splits?.flatMap(\.videos).map { (Name($0.name), $0.duration) } ?? []
    self.durations = durations.merging(listed) { first, _ in first }
  }

  /// Adds the videos that the index lacks.
  /// - Parameters:
  ///   - batchSize: videos a pass.
  ///   - onSkip: told of every video that cannot be read.
  ///   - progress: called with the number of videos done of how many; what it throws ends the work. What was encoded until then
  ///     stays.
  public func run(
    batchSize: Int, onSkip: @escaping (String) -> Void, progress: (Int, Int) throws -> Void = { _, _ in }
  ) throws -> Report {
    let writer = try IndexWriter(path: path, head: model.head)
    let known = try Self.names(in: path)
    let names = reader.features.videos.filter { !known.contains($0) }
    var report = Report()
    report.known = reader.features.videos.count - names.count
    let (shape, backend, reader) = (model.model.configuration, model.model.store.backend, reader)
    let tape = Tape.inference(backend)
    typealias Batch = (videos: [VideoItem], input: VideoInput?, skipped: [String])
    let batches = ItemBatches(count: names.count, size: batchSize)
    let queue = Prefetch<Batch>(0..<batches.batches) { number in
      var (videos, skipped): ([VideoItem], [String]) = ([], [])
      for name in names[batches[number]] {
        do {
          let video = try reader.read(name)
          _ = try VideoBatch([video], model: shape)
          videos.append(video)
        } catch let error as DataError {
          skipped.append("\(error)")
        }
      }
      let input =
        videos.isEmpty ? nil : try VideoBatch(videos, model: shape).prepared(for: shape, on: backend)
      return (videos, input, skipped)
    }
    do {
      while let batch = try queue.next() {
        batch.skipped.forEach(onSkip)
        report.skipped += batch.skipped.count
        if let input = batch.input {
          let frames = backend.values(of: model.model.videoEncoder(tape, input))
          try add(batch.videos, frames, to: writer)
          report.added += batch.videos.count
        }
        try progress(report.added + report.skipped, names.count)
      }
    } catch {
      queue.cancel()
      try writer.commit()
      throw error
    }
    try writer.commit()
    return report
  }

  private func add(_ videos: [VideoItem], _ frames: [Float], to writer: IndexWriter) throws {
    var row = 0
    let width = model.head.width
    for video in videos {
      let sentences = try reader.subtitles?.sentences(of: video.name) ?? []
      let all = reader.features.frameCount(of: video.name) ?? video.frameCount
      let indexed = IndexedVideo(
        name: video.name, duration: durations[video.name] ?? Double(all) * model.head.frameInterval,
        frames: video.frameCount, sentences: sentences, file: media(video.name))
      try frames.withUnsafeBufferPointer { frames in
        try writer.add(
          indexed,
          frames: UnsafeBufferPointer(rebasing: frames[row * width..<(row + video.frameCount) * width]))
      }
      row += video.frameCount
    }
  }

  /// The names of an index's videos.
  private static func names(in path: String) throws -> Set<Name> {
    let index = try IndexFile(path: path)
    return Set(try (0..<index.count).map { Name(try index.name(of: $0)) })
  }
}

/// Video files of folders, found by the name of their video.
public struct MediaFolder: Sendable {
  /// Endings of names that are taken for videos.
  public static let endings: Set<String> = [
    "3gp", "avi", "f4v", "flv", "m2ts", "m4v", "mkv", "mov", "mp4", "mpeg", "mpg", "mts", "ogg", "ogv", "ts",
    "vob",
    "webm", "wmv",
  ]

  /// Path by name, from the root.
  public let files: [Name: String]

  /// - Throws: `DataError` where it is no folder.
  public init(path: String) throws {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue else {
      throw DataError("there is no such folder", file: path, cure: "Check the path")
    }
    let names = (FileManager.default.enumerator(atPath: path)?.allObjects as? [String]) ?? []
    let root = SearchModel.absolute(path)
    var files: [Name: String] = [:]
    for name in names.sorted() where Self.endings.contains((name as NSString).pathExtension.lowercased()) {
      let stem = ((name as NSString).lastPathComponent as NSString).deletingPathExtension
      files[stem] = files[stem] ?? "\(root)/\(name)"
    }
    self.files = files
  }

  public func file(of video: String) -> IndexedVideo.MediaFile? {
    guard let path = files[video] else { return nil }
    let size = (try? FileManager.default.attributesOfItem(atPath: path)[.size] as? UInt64) ?? 0
    return IndexedVideo.MediaFile(path: path, size: Int(clamping: size))
  }
}
