import Corpus
import Engine
import Formats
import Foundation
import Model
import Tasks

/// Encodes the videos of stores into an index, and brings an existing index up to date.
///
/// Appends videos that the index lacks. If some were replaced, moved or removed, it first encodes
/// the new ones into `INDEX.updating`. Then a merged index replaces the old one as a whole. A run
/// that ends earlier changes nothing, and the next one continues from what was encoded.
public struct Indexing {
  /// The result of a run.
  public struct Report: Equatable, Sendable {
    /// The number of new videos.
    public var added = 0
    /// The number of videos that were in the index before and are unchanged.
    public var known = 0
    /// The number of videos whose frames or subtitles have changed.
    public var replaced = 0
    /// The number of videos whose files have another path.
    public var moved = 0
    /// The names of videos that were removed because their files are gone.
    public var removed: [String] = []
    /// The number of videos that could not be read.
    public var skipped = 0
    /// The names of new videos that are shorter than the shortest moment.
    public var short: [String] = []
    /// The number of new videos that are indexed as several windows.
    public var windowed = 0
  }

  /// The known properties of the videos' files.
  public struct Files {
    /// The known durations in seconds.
    ///
    /// Other durations follow from the number of frames.
    public var durations: [Name: Double] = [:]
    /// The file to play for a video, if there is one.
    public var media: (String) -> IndexedVideo.MediaFile? = { _ in nil }
    /// The videos of the stores to index; nil for all.
    public var names: Set<Name>?
    /// Whether a video of the index that the stores lack is to be removed.
    public var isGone: (IndexedVideo) -> Bool = { _ in false }
    /// Whether missing subtitles mean that a video has none.
    ///
    /// Otherwise the index keeps those that it has.
    public var subtitlesAreKnown = false

    /// Creates an empty description: no durations, no files to play, nothing to remove.
    public init() {}

    /// Returns the duration in seconds of a video with so many frames.
    ///
    /// The file's own duration counts only if it agrees with the frames within one interval. Some
    /// containers count from another beginning, or guess.
    func duration(of name: String, frames: Int, interval: Double) -> Double? {
      guard let told = durations[name] else { return nil }
      let seen = Double(frames) * interval
      return abs(told - seen) <= interval ? told : seen
    }
  }

  private let head: IndexHead
  private let source: any IndexSource
  private let path: String
  private let files: Files
  private var updating: String { "\(path).updating" }

  /// Indexes the videos of a trained model.
  /// - Parameter path: the index, which is created if there is none.
  public init(path: String, model: SearchModel, reader: VideoReader, files: Files = Files()) {
    self.init(path: path, head: model.head, source: StoredVideos(model: model, reader: reader), files: files)
  }

  /// Indexes CLIP's features.
  /// - Parameter path: the index, which is created if there is none.
  public init(path: String, model: CLIPModel, videos: CLIPVideos, files: Files) {
    self.init(path: path, head: model.head, source: videos, files: files)
  }

  private init(path: String, head: IndexHead, source: any IndexSource, files: Files) {
    (self.path, self.head, self.source, self.files) = (path, head, source, files)
  }

  /// Brings the index up to date.
  /// - Parameters:
  ///   - batchSize: the number of videos, or of windows of long ones, in a pass.
  ///   - onSkip: called for every video that cannot be read.
  ///   - progress: called with the number of videos done and the number of all; an error from it
  ///     ends the work. What was encoded until then stays.
  public func run(
    batchSize: Int, onSkip: @escaping (String) -> Void, progress: (Int, Int) throws -> Void = { _, _ in }
  ) throws -> Report {
    // Held to the end, so that no other process writes the index.
    let writer = try IndexWriter(path: path, head: head)
    let index = try IndexFile(path: path)
    let changes = try IndexChanges(index, names: names, files: files, source: source)
    var report = Report()
    report.known = changes.kept.count
    report.moved = changes.moved
    report.removed = changes.removed
    let isUpdate = !changes.replaced.isEmpty || !changes.refreshed.isEmpty || !changes.removed.isEmpty
    func encode(_ names: [String], into writer: IndexWriter, _ report: inout Report) throws -> Set<Name> {
      try source.encode(
        names, IndexPass(batchSize: batchSize, onSkip: onSkip, describe: described), into: writer, &report,
        progress)
    }
    var made: Set<Name>
    if isUpdate {
      let side = try IndexMerging.sideWriter(at: updating, head: head)
      let done = try IndexFile(path: updating)
      // What an earlier run made of the same stores is kept.
      made = try Set(
        changes.encoded.filter { name in
          try side.known[name].map { try done.video($0).sources == source.marks(of: name) } ?? false
        }.map { Name($0) })
      let names = changes.encoded.filter { !made.contains($0) }
      made.formUnion(try encode(names, into: side.writer, &report))
    } else {
      made = try encode(changes.encoded, into: writer, &report)
    }
    report.replaced = made.intersection(changes.replaced).count
    report.added = made.count - report.replaced
    let after = try IndexFile(path: path)
    if isUpdate || IndexMerging.isWorthwhile(after) && IndexMerging.hasRoom(after) {
      let side = isUpdate ? try IndexFile(path: updating) : nil
      try IndexMerging.merge(
        after, side, order: names, without: Set(changes.removed.map { Name($0) }),
        refreshed: changes.refreshed)
      if isUpdate { unlink(updating) }
    }
    withExtendedLifetime(writer) {}
    return report
  }

  /// The videos of the source that are meant.
  private var names: [String] { source.videos.filter { files.names?.contains(Name($0)) ?? true } }

  private func described(_ name: String, frames: Int) throws -> IndexedVideo {
    let interval = head.frameInterval
    let duration =
      files.duration(of: name, frames: frames, interval: interval)
      ?? source.duration(of: name).flatMap { IndexChecks.isDuration($0) ? $0 : nil } ?? Double(frames)
      * interval
    return IndexedVideo(
      name: name, duration: duration, frames: frames, sentences: try sentences(of: name, until: duration),
      file: files.media(name), sources: try source.marks(of: name))
  }

  /// Returns what is said before a video ends.
  ///
  /// A later sentence would lead to a moment without pictures.
  private func sentences(of name: String, until duration: Double) throws -> [SpokenSentence] {
    let all = try source.sentences(of: name) ?? []
    // The last frame stands for a whole interval, as the others do.
    let end = duration + head.frameInterval
    let within = all.filter { $0.start < end }
    if within.count < all.count {
      Notice.tell(
        "\(path): \(all.count - within.count) of \(all.count) sentences of \(name.spelled) begin after its end at "
          + "\(duration) s and are left out. Check that times are seconds and that "
          + "the subtitles are the video's", among: "videos of \(path) with sentences after their end")
    }
    return within.map { SpokenSentence(start: $0.start, end: min($0.end, end), text: $0.text) }
  }
}

/// The changes that bring an index up to date.
struct IndexChanges {
  /// The videos to encode, in the order of the stores: new ones and replaced ones.
  private(set) var encoded: [String] = []
  /// Those of them that the index has.
  private(set) var replaced: Set<Name> = []
  /// The videos that are unchanged.
  private(set) var kept: Set<Name> = []
  /// The new information about videos in `kept` for which it has changed.
  private(set) var refreshed: [Name: IndexedVideo] = [:]
  /// The number of those whose files have another path.
  private(set) var moved = 0
  private(set) var removed: [String] = []

  /// Compares an index with its source.
  ///
  /// - Parameters:
  ///   - names: the existing videos.
  ///   - source: what they would be encoded from.
  init(_ index: IndexFile, names: [String], files: Indexing.Files, source: any IndexSource) throws {
    var places: [Name: Int] = [:]
    for number in 0..<index.count { places[try index.name(of: number)] = number }
    for name in names {
      guard let number = places.removeValue(forKey: Name(name)) else {
        encoded.append(name)
        continue
      }
      var video = try index.video(number)
      // Encoding reports videos that cannot be read.
      guard var sources = try? source.marks(of: name) else {
        encoded.append(name)
        replaced.insert(Name(name))
        continue
      }
      if !files.subtitlesAreKnown, sources.subtitles.isEmpty {
        sources.subtitles = video.sources?.subtitles ?? ""
      }
      // Version 1 has no hashes, and only the beginnings of long videos.
      let isSame =
        try video.sources.map { $0 == sources }
        ?? (video.frames == source.frameCount(of: name)
          && (sources.subtitles.isEmpty || video.sentences == source.sentences(of: name)))
      guard isSame else {
        encoded.append(name)
        replaced.insert(Name(name))
        continue
      }
      kept.insert(Name(name))
      let before = video
      video.sources = sources
      if let file = files.media(name) { video.file = file }
      if let duration = files.duration(
        of: name, frames: video.frames, interval: index.head.frameInterval)
      {
        video.duration = duration
      }
      let (old, new) = (before.file, video.file)
      if old?.path != new?.path || old?.size != new?.size || old?.start != new?.start
        || abs(before.duration - video.duration) > 0.01 || (old?.hash != nil && old?.hash != new?.hash)
      {
        refreshed[name] = video
        if let old, old.path != new?.path { moved += 1 }
      }
    }
    for number in places.values.sorted() {
      let video = try index.video(number)
      if files.isGone(video) { removed.append(video.name) }
    }
  }
}
