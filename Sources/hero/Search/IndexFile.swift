import Corpus
import Engine
import Formats

/// A search index, mapped into memory. May be shared by threads.
///
/// Opening reads the head and the list of videos; names, subtitles and frames are read when they are asked for.
public final class IndexFile: Sendable {
  public let path: String
  public let head: IndexHead
  /// How rows and codes lie in it.
  public let layout: StoredRowLayout
  /// Videos.
  public let count: Int
  /// Frames of all videos.
  public let rows: Int
  /// Bytes of the file that count.
  public let length: Int
  let file: MappedFile
  let segments: [Segment]
  private let sequence: UInt64

  /// Videos that were added together.
  struct Segment: Sendable {
    let place: Int
    let head: IndexSegmentHead
    /// The number of its first video among all.
    let firstVideo: Int
    /// The number of each video's first row in the segment, and of all rows.
    let firstRows: [UInt32]

    func frames(_ video: Int) -> Range<Int> { Int(firstRows[video])..<Int(firstRows[video + 1]) }

    /// Bytes of the file that hold the code of a video.
    func code(_ video: Int, _ layout: StoredRowLayout) -> Range<Int> {
      let rows = frames(video)
      let start = place + head.codePlace + layout.codeBytes(videos: video, frames: rows.lowerBound)
      return start..<start + layout.codeBytes(frames: rows.count)
    }

    /// Bytes of the file that hold rows of a video.
    func rows(_ video: Int, _ frames: Range<Int>, _ layout: StoredRowLayout) -> Range<Int> {
      let first = Int(firstRows[video]) + frames.lowerBound
      let start = place + head.rowPlace + first * layout.rowBytes
      return start..<start + frames.count * layout.rowBytes
    }
  }

  /// - Throws: `DataError` for a file that is none, is cut short or damaged, or of another version.
  public init(path: String) throws {
    self.path = path
    file = try MappedFile(path: path)
    let slot = try IndexSlot.newest(in: file)
    length = Int(slot.length)
    sequence = slot.sequence
    let (head, start) = try Self.head(of: file)
    self.head = head
    let layout = StoredRowLayout(width: head.width)
    self.layout = layout
    var segments: [Segment] = []
    var (place, videos, rows) = (start, 0, 0)
    while segments.count < slot.segments {
      let segment = try Self.segment(file, at: place, end: length, layout: layout, firstVideo: videos)
      segments.append(segment)
      videos += segment.head.videos
      rows += segment.head.rows
      place = IndexFormat.aligned(place + segment.head.byteCount)
    }
    guard videos == slot.videos, rows == slot.rows else {
      throw DataError(
        "holds \(videos) videos of \(rows) frames where \(slot.videos) of \(slot.rows) are announced",
        file: path,
        cure: "The file is damaged: copy it again, or make it again")
    }
    (self.segments, count, self.rows) = (segments, videos, rows)
  }

  /// The head, and where the first segment begins.
  static func head(of file: MappedFile) throws -> (IndexHead, start: Int) {
    let length = try file.integer(at: IndexFormat.headPlace, as: UInt64.self)
    let damaged = DataError(
      "its head is damaged", file: file.path, cure: "Copy the file again, or make the index again")
    guard length <= IndexFormat.longestHead else { throw damaged }
    let text = try file.bytes(at: IndexFormat.headPlace + 16, count: Int(length))
    guard try file.integer(at: IndexFormat.headPlace + 8, as: UInt64.self) == ContentHash.of(text) else {
      throw damaged
    }
    let head = try IndexHead(try JSON.parse(text, file: file.path), file: file.path)
    return (head, IndexFormat.aligned(IndexFormat.headPlace + 16 + Int(length)))
  }

  private static func segment(
    _ file: MappedFile, at place: Int, end: Int, layout: StoredRowLayout, firstVideo: Int
  ) throws -> Segment {
    let head = try IndexSegmentHead(file, at: place, end: end, layout: layout)
    let size = head.videos * IndexEntry.byteCount
    let firstRows: [UInt32]? = try file.withBytes(at: place + head.entryPlace, count: size) { bytes in
      var hash = ContentHash()
      hash.update(bytes)
      guard hash.value == head.entryHash else { return nil }
      var firstRows: [UInt32] = [0]
      firstRows.reserveCapacity(head.videos + 1)
      var row = 0
      for video in 0..<head.videos {
        let entry = IndexEntry(
          UnsafeRawBufferPointer(
            rebasing: bytes[(video * IndexEntry.byteCount)...].prefix(IndexEntry.byteCount)),
          text: head.text)
        guard entry.firstRow == row, entry.frames > 0, entry.frames <= head.rows - row else { return nil }
        try IndexChecks.require(entry, in: file, text: place + head.textPlace)
        row += entry.frames
        guard let next = UInt32(exactly: row) else { return nil }
        firstRows.append(next)
      }
      return row == head.rows ? firstRows : nil
    }
    guard let firstRows else {
      throw DataError(
        "the list of videos from here on is damaged", file: file.path,
        place: "byte \(place + head.entryPlace)",
        cure: "Copy the file again, or make the index again")
    }
    return Segment(place: place, head: head, firstVideo: firstVideo, firstRows: firstRows)
  }

  /// Reads everything and compares it with its hashes.
  /// - Parameter progress: called with the number of videos checked; what it throws ends the work.
  /// - Throws: `DataError` naming the place that is damaged.
  public func check(progress: (Int) throws -> Void = { _ in }) throws {
    for segment in segments {
      let head = segment.head
      var hash = ContentHash()
      try file.withBytes(at: segment.place + head.codePlace, count: head.codes + head.rowBytes) {
        hash.update($0)
      }
      try file.withBytes(at: segment.place + head.textPlace, count: head.text) { hash.update($0) }
      guard hash.value == head.contentHash else {
        throw DataError(
          "the videos from number \(segment.firstVideo + 1) on are damaged", file: path,
          place: "byte \(segment.place)", cure: "Copy the file again, or make the index again")
      }
      try progress(segment.firstVideo + head.videos)
    }
  }

  // MARK: Videos

  /// The segment of a video, and its number there.
  func place(of video: Int) -> (segment: Segment, video: Int) {
    precondition((0..<count).contains(video))
    var (low, high) = (0, segments.count - 1)
    while low < high {
      let middle = (low + high + 1) / 2
      if segments[middle].firstVideo <= video { low = middle } else { high = middle - 1 }
    }
    return (segments[low], video - segments[low].firstVideo)
  }

  /// Frames of a video.
  public func frameCount(of video: Int) -> Int {
    let (segment, number) = place(of: video)
    return segment.frames(number).count
  }

  private func entry(of video: Int) throws -> (IndexEntry, text: Int) {
    let (segment, number) = place(of: video)
    let at = segment.place + segment.head.entryPlace + number * IndexEntry.byteCount
    let entry = try file.withBytes(at: at, count: IndexEntry.byteCount) {
      IndexEntry($0, text: segment.head.text)
    }
    return (entry, segment.place + segment.head.textPlace)
  }

  /// The name of a video.
  public func name(of video: Int) throws -> String {
    let (entry, text) = try entry(of: video)
    return try file.withBytes(at: text + entry.name.lowerBound, count: entry.name.count) {
      String(decoding: $0, as: UTF8.self)
    }
  }

  /// Everything that is known of a video but its frames.
  public func video(_ number: Int) throws -> IndexedVideo {
    let (entry, text) = try entry(of: number)
    let json = try file.withBytes(at: text + entry.information.lowerBound, count: entry.information.count) {
      try JSON.parse($0, file: path)
    }
    let sentences = (json["sub"]?.array ?? []).compactMap { item -> SpokenSentence? in
      guard let parts = item.array, parts.count == 3, let start = parts[0].double, let end = parts[1].double,
        let words = parts[2].string, TimeSpan.isTime(start), TimeSpan.isTime(end)
      else { return nil }
      return SpokenSentence(start: start, end: end, text: words)
    }
    return IndexedVideo(
      name: try name(of: number), duration: entry.duration, frames: frameCount(of: number),
      sentences: sentences, file: json["file"]?.string.map { .init(path: $0, size: entry.fileSize) })
  }
}

/// What an index knows of a video.
public struct IndexedVideo: Sendable, Equatable {
  public var name: String
  /// Seconds.
  public var duration: Double
  /// Encoded frames.
  public var frames: Int
  public var sentences: [SpokenSentence]
  /// The file with the video, if there is one.
  public var file: MediaFile?

  /// A file to play.
  public struct MediaFile: Sendable, Equatable {
    /// From the root.
    public var path: String
    /// Bytes when the video was added.
    public var size: Int

    public init(path: String, size: Int) {
      self.path = path
      self.size = size
    }
  }

  public init(
    name: String, duration: Double, frames: Int, sentences: [SpokenSentence], file: MediaFile? = nil
  ) {
    self.name = name
    self.duration = duration
    self.frames = frames
    self.sentences = sentences
    self.file = file
  }

  /// What is said within a stretch of the video.
  public func said(from start: Double, to end: Double) -> String {
    sentences.filter { $0.start < end && $0.end > start }.map(\.text).joined(separator: " ")
  }
}
