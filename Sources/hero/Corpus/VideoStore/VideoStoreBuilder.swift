import Formats
import Foundation

/// A builder of the feature store that training and evaluation read: what `hero convert-videodb`
/// runs.
///
/// It does the work of the reference's `collect_video_feature_paths.py` and `convert_videodb.py`.
/// Several threads, of one or more processes, read feature files; one writes them in order. Memory
/// holds a few videos and all names. Unreadable files are named, listed in `corrupted.json` and
/// skipped. The store appears under its name only when it is complete. An existing `corrupted.json`
/// gains names; nothing else that exists is overwritten.
public struct VideoStoreBuilder: Sendable {
  /// The options: what the store is made of, and where.
  public var options: VideoStoreOptions

  /// Takes the options; opens no file.
  public init(_ options: VideoStoreOptions) {
    self.options = options
  }

  /// Makes the store, which does not depend on the number of processes and threads.
  ///
  /// - Parameters:
  ///   - ranks: the processes that make it together; the first writes and reports.
  ///   - onSkip: called with one line for every video that cannot be read.
  ///   - onNote: called with one line for whatever was guessed or passed over; `onSkip` if nil.
  ///   - progress: called after every video; what it throws ends the run, which then leaves no
  ///     store behind.
  /// - Throws: `DataError` for options that do not fit, a source that is missing, an output that
  ///   exists or disagrees with what is beside it, a full disk, or a source without a single video
  ///   that can be read.
  @discardableResult
  public func run(
    among ranks: EncodingRanks = .alone,
    onSkip: (String) -> Void = { _ in }, onNote: ((String) -> Void)? = nil,
    progress: (VideoStoreProgress) throws -> Void = { _ in }
  ) throws -> VideoStoreReport {
    try options.check()
    let (videos, lost, notes) = try FeatureFileList(options.source, parts: options.features).videos()
    var encoded = try EncodedVideos(
      videos, FeatureEncoder(options: options), threads: options.threadCount, among: ranks)
    guard ranks.rank == 0 else {
      for _ in videos { _ = try encoded.next() }
      return VideoStoreReport(path: options.storePath)
    }
    let folder = try OutputFolder(path: options.storePath)
    func tell(_ note: String) { if let onNote { onNote(note) } else { onSkip(note) } }
    for note in notes { tell(note) }
    let widths = FeatureWidths(videos, parts: options.features, threads: options.threadCount)
    if let (part, rows) = widths.exchanged.first {
      throw DataError(
        "every file of \(part) has \(rows) rows, and hardly two as many columns: rows and columns look exchanged",
        file: options.source.path, cure: "Save [frames, width], a row for each frame")
    }
    let output = try VideoStoreOutput(
      folder: folder, datasetFolder: options.datasetPath, parts: options.features, widths: widths)
    for video in lost {
      output.skip(video.name)
      onSkip("video \"\(video.name)\" is left out: it has no feature file that can be taken")
    }
    for (index, video) in videos.enumerated() {
      do {
        if let entries = try encoded.next()?.get() {
          try output.put(entries, video: video.name)
          for note in entries.notes { tell("video \"\(video.name)\": \(note)") }
        }
      } catch let bad as UnreadableVideo {
        output.skip(video.name, because: bad.reason)
        onSkip("video \"\(video.name)\" is left out: \(bad.reason)")
      }
      try progress(VideoStoreProgress(done: index + 1, total: videos.count))
    }
    return try output.finish(source: options.source.path)
  }
}

/// The progress of a run, in videos.
public struct VideoStoreProgress: Equatable, Sendable {
  /// The number of videos read or given up.
  public var done: Int
  /// The number of videos listed.
  public var total: Int
}

/// The result of a run.
public struct VideoStoreReport: Equatable, Sendable, CustomStringConvertible {
  /// The folder of the store.
  public internal(set) var path: String
  /// The number of entries in the store: videos, or their pieces.
  public internal(set) var entries = 0
  /// The number of frames in all entries.
  public internal(set) var frames = 0
  /// The number of features per frame.
  public internal(set) var width = 0
  /// The videos that could not be read.
  public internal(set) var corrupted: [String] = []
  /// Further notes for the user, a line each.
  public internal(set) var notes: [String] = []

  /// The counts and the notes, a line each.
  public var description: String {
    let head =
      "\(path): \(entries) entries, \(frames) frames of \(width), \(corrupted.count) videos unreadable"
    return ([head] + notes).joined(separator: "\n")
  }
}

/// A video whose features cannot be used; the others still can.
struct UnreadableVideo: Error {
  var reason: String

  init(_ reason: String) { self.reason = reason }
}
