import Corpus
import Engine
import Formats
import Model
import Tasks

/// Encodes videos and hands them to an index's writer.
///
/// A video longer than the model's input is encoded as windows.
struct IndexEncoding {
  let model: SearchModel
  let reader: VideoReader
  let pass: IndexPass

  private var batchSize: Int { pass.batchSize }

  /// Returns windows of `clip` frames that cover a video.
  ///
  /// Windows overlap by `overlap` frames, but by at most three quarters of a window. So a moment of
  /// up to `overlap` frames lies whole in one of them. A video that fits into one window has one.
  static func windows(of frames: Int, clip: Int, overlap: Int) -> [Range<Int>] {
    let stride = max(clip - max(0, overlap), (clip + 3) / 4)
    var windows: [Range<Int>] = []
    var start = 0
    while true {
      windows.append(start..<min(frames, start + clip))
      if frames - start <= clip { return windows }
      start += stride
    }
  }

  /// The maximum number of frames of a window.
  private var clip: Int {
    let most = model.model.configuration.mostFrames
    return min(reader.maxClipLength ?? most, most)
  }

  /// The number of frames of the longest moment.
  private var overlap: Int { model.opened.options.maxLength }

  /// A batch of videos that a loading thread prepares.
  private struct Batch: Sendable {
    var videos: [(video: VideoReader.LongVideo, windows: [Range<Int>])] = []
    /// The windows of `videos`, ready to be encoded.
    var input: VideoInput?
    /// Videos that have more windows than a pass takes.
    var long: [(video: VideoReader.LongVideo, windows: [Range<Int>])] = []
    var skipped: [String] = []
  }

  /// Encodes videos.
  ///
  /// Commits what was encoded even where `progress` throws.
  /// - Returns: the names of the videos that could be read.
  func run(
    _ names: [String], into writer: IndexWriter, _ report: inout Indexing.Report,
    _ progress: (Int, Int) throws -> Void
  ) throws -> Set<Name> {
    var made: Set<Name> = []
    let groups = groups(names)
    let (shape, backend, reader, size) = (
      model.model.configuration, model.model.store.backend, reader, batchSize
    )
    let (clip, overlap) = (clip, overlap)
    let queue = Prefetch<Batch>(0..<groups.count) { number in
      var batch = Batch()
      var items: [VideoItem] = []
      for name in names[groups[number]] {
        do {
          let video = try reader.open(name)
          let own = Self.windows(of: video.frameCount, clip: clip, overlap: overlap)
          guard own.count <= size else {
            batch.long.append((video, own))
            continue
          }
          let parts = try own.map { try reader.read($0, of: video) }
          _ = try VideoBatch(parts, model: shape)
          items += parts
          batch.videos.append((video, own))
        } catch let error as DataError {
          batch.skipped.append("\(error)")
        }
      }
      if !items.isEmpty {
        batch.input = try VideoBatch(items, model: shape).prepared(for: shape, on: backend)
      }
      return batch
    }
    do {
      var done = 0
      while let batch = try queue.next() {
        batch.skipped.forEach(pass.onSkip)
        report.skipped += batch.skipped.count
        done += batch.skipped.count
        if let input = batch.input {
          var frames = encode(input)[...]
          for (video, windows) in batch.videos {
            let own = frames.prefix(windows.reduce(0) { $0 + $1.count } * model.head.width)
            try add(video, windows, Array(own), to: writer, &report)
            made.insert(Name(video.name))
            frames = frames.dropFirst(own.count)
          }
          done += batch.videos.count
        }
        for (video, windows) in batch.long {
          let isDone = try encode(video, windows, into: writer, &report) { try progress(done, names.count) }
          if isDone { made.insert(Name(video.name)) }
          done += 1
        }
        try progress(done, names.count)
      }
    } catch {
      queue.cancel()
      try writer.commit()
      throw error
    }
    try writer.commit()
    return made
  }

  /// Groups consecutive videos that fill about one pass together, by the side file's frame counts.
  private func groups(_ names: [String]) -> [Range<Int>] {
    var groups: [Range<Int>] = []
    var (first, size) = (0, 0)
    for (number, name) in names.enumerated() {
      let frames = max(1, reader.features.frameCount(of: name) ?? 1)
      let own = Self.windows(of: frames, clip: clip, overlap: overlap).count
      if number > first, size + own > batchSize {
        groups.append(first..<number)
        (first, size) = (number, 0)
      }
      size += own
    }
    if first < names.count { groups.append(first..<names.count) }
    return groups
  }

  private func encode(_ input: VideoInput) -> [Float] {
    let backend = model.model.store.backend
    return backend.values(of: model.model.videoEncoder(Tape.inference(backend), input))
  }

  /// Encodes a video of many windows, a batch at a time.
  /// - Returns: whether the video could be read.
  private func encode(
    _ video: VideoReader.LongVideo, _ windows: [Range<Int>], into writer: IndexWriter,
    _ report: inout Indexing.Report, _ progress: () throws -> Void
  ) throws -> Bool {
    let (shape, backend) = (model.model.configuration, model.model.store.backend)
    var frames: [Float] = []
    frames.reserveCapacity(windows.reduce(0) { $0 + $1.count } * model.head.width)
    for first in stride(from: 0, to: windows.count, by: batchSize) {
      try progress()
      do {
        let items = try windows[first..<min(windows.count, first + batchSize)].map {
          try reader.read($0, of: video)
        }
        frames += encode(try VideoBatch(items, model: shape).prepared(for: shape, on: backend))
      } catch let error as DataError {
        pass.onSkip("\(error)")
        report.skipped += 1
        return false
      }
    }
    try add(video, windows, frames, to: writer, &report)
    return true
  }

  private func add(
    _ video: VideoReader.LongVideo, _ windows: [Range<Int>], _ frames: [Float], to writer: IndexWriter,
    _ report: inout Indexing.Report
  ) throws {
    let described = try pass.describe(video.name, video.frameCount)
    try frames.withUnsafeBufferPointer { try writer.add(described, windows: windows, frames: $0) }
    if windows.count > 1 { report.windowed += 1 }
    if video.frameCount <= model.opened.options.minLength { report.short.append(video.name) }
  }
}
