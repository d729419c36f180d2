import Corpus
import Engine
import Formats

/// A search index, mapped into memory.
///
/// Threads may share it. Opening reads the head and the list of videos. Names, subtitles and frames
/// are read on request.
public final class IndexFile: Sendable {
  /// The path as the user named it.
  public let path: String
  /// The properties that all videos share: width, frame interval and model.
  public let head: IndexHead
  /// The layout of an exact row.
  public let layout: StoredRowLayout
  /// The number of videos.
  public let count: Int
  /// The number of entries.
  ///
  /// A video has one, or several windows if it is longer than the model's input.
  let places: Int
  /// The number of frames of all entries.
  ///
  /// A frame that two windows share counts twice.
  public let rows: Int
  /// The number of frames with codes of an older version.
  ///
  /// Searching those reads four times as much.
  public var oldFrames: Int {
    segments.lazy.filter(\.head.isOld).reduce(0) { $0 + $1.head.rows }
  }
  /// The number of valid bytes in the file.
  public let length: Int
  let file: MappedFile
  let segments: [Segment]
  /// The first entry of each video, then the number of entries; nil if every video has one entry.
  private let firstPlaces: [Int32]?
  /// The video of each entry; nil if every video has one entry.
  private let videos: [Int32]?

  /// A group of videos that were added together.
  struct Segment: Sendable {
    let place: Int
    let head: IndexSegmentHead
    /// The number of its first entry among all entries.
    let firstPlace: Int
    /// The number within the segment of each entry's first row and, last, the number of rows.
    let firstRows: [UInt32]
    /// The frame of its video at which each entry begins; empty if all begin at 0.
    let offsets: [UInt32]

    func frames(_ entry: Int) -> Range<Int> { Int(firstRows[entry])..<Int(firstRows[entry + 1]) }

    func offset(_ entry: Int) -> Int { offsets.isEmpty ? 0 : Int(offsets[entry]) }

    /// Returns the entry of a row.
    func entry(ofRow row: Int) -> Int {
      var (low, high) = (0, head.entries - 1)
      while low < high {
        let middle = (low + high + 1) / 2
        if firstRows[middle] <= row { low = middle } else { high = middle - 1 }
      }
      return low
    }

    /// Returns the codes of all frames.
    ///
    /// The segment must not have an older version.
    func codes(_ bytes: UnsafeRawBufferPointer, width: Int) -> FrameCodes {
      let start = place + head.codePlace
      return FrameCodes(
        layout: FrameCodeLayout(width: width), count: head.rows,
        bytes: UnsafeRawBufferPointer(rebasing: bytes[start..<start + head.codes]))
    }

    /// Returns the code of an entry in a segment of an older version.
    func videoCode(_ entry: Int, _ bytes: UnsafeRawBufferPointer, width: Int) -> UnsafeRawBufferPointer {
      let layout = VideoCodeLayout(width: width)
      let frames = frames(entry)
      let start = place + head.codePlace + layout.bytes(videos: entry, frames: frames.lowerBound)
      return UnsafeRawBufferPointer(
        rebasing: bytes[start..<start + layout.bytes(frames: frames.count)])
    }

    /// Returns the byte range in the file of rows of an entry.
    func rows(_ entry: Int, _ frames: Range<Int>, _ layout: StoredRowLayout) -> Range<Int> {
      let first = Int(firstRows[entry]) + frames.lowerBound
      return rows(first..<first + frames.count, layout)
    }

    /// Returns the byte range in the file of rows of the segment.
    func rows(_ rows: Range<Int>, _ layout: StoredRowLayout) -> Range<Int> {
      let start = place + head.rowPlace + rows.lowerBound * layout.rowBytes
      return start..<start + rows.count * layout.rowBytes
    }
  }

  /// Returns whether a file begins as an index does.
  package static func recognizes(_ path: String) throws -> Bool {
    let file = try MappedFile(path: path)
    let magic = (0..<8).map { UInt8(truncatingIfNeeded: IndexFormat.magic >> (8 * $0)) }
    return try file.bytes(at: 0, count: min(8, file.count)) == magic
  }

  /// Opens an index.
  ///
  /// - Throws: `DataError` for a file that is not an index, is truncated or damaged, or has an
  ///   unknown version.
  public init(path: String) throws {
    self.path = path
    file = try MappedFile(path: path)
    let slot = try IndexSlot.newest(in: file)
    length = Int(slot.length)
    let (head, start) = try Self.head(of: file)
    self.head = head
    let layout = StoredRowLayout(width: head.width)
    self.layout = layout
    var segments: [Segment] = []
    var (place, entries, rows) = (start, 0, 0)
    while segments.count < slot.segments {
      let segment = try Self.segment(file, at: place, end: length, layout: layout, firstPlace: entries)
      segments.append(segment)
      entries += segment.head.entries
      rows += segment.head.rows
      place = IndexFormat.aligned(place + segment.head.byteCount)
    }
    guard entries == slot.entries, rows == slot.rows else {
      throw DataError(
        "holds \(entries) videos of \(rows) frames where \(slot.entries) of \(slot.rows) are announced",
        file: path,
        cure: "The file is damaged: copy it again, or make it again")
    }
    (self.segments, places, self.rows) = (segments, entries, rows)
    (firstPlaces, videos) = Self.windows(of: segments, entries: entries)
    count = firstPlaces.map { $0.count - 1 } ?? entries
  }

  /// Returns which entries belong to which video; nil if every video has one entry.
  private static func windows(of segments: [Segment], entries: Int) -> (first: [Int32]?, videos: [Int32]?) {
    guard segments.contains(where: { !$0.offsets.isEmpty }) else { return (nil, nil) }
    var (first, videos) = ([Int32](), [Int32]())
    videos.reserveCapacity(entries)
    for segment in segments {
      for entry in 0..<segment.head.entries {
        if segment.offset(entry) == 0 { first.append(Int32(clamping: videos.count)) }
        videos.append(Int32(clamping: first.count - 1))
      }
    }
    first.append(Int32(clamping: videos.count))
    return (first, videos)
  }

  /// Returns the head and the offset of the first segment.
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
    _ file: MappedFile, at place: Int, end: Int, layout: StoredRowLayout, firstPlace: Int
  ) throws -> Segment {
    let head = try IndexSegmentHead(file, at: place, end: end, layout: layout)
    let size = head.entries * IndexEntry.byteCount
    typealias List = (firstRows: [UInt32], offsets: [UInt32])
    let list: List? = try file.withBytes(at: place + head.entryPlace, count: size) { bytes in
      var hash = ContentHash()
      hash.update(bytes)
      guard hash.value == head.entryHash else { return nil }
      var firstRows: [UInt32] = [0]
      firstRows.reserveCapacity(head.entries + 1)
      var offsets: [UInt32] = []
      var (row, before) = (0, 0..<0)
      for video in 0..<head.entries {
        let entry = IndexEntry(
          UnsafeRawBufferPointer(
            rebasing: bytes[(video * IndexEntry.byteCount)...].prefix(IndexEntry.byteCount)),
          text: head.text)
        guard entry.firstRow == row, entry.frames > 0, entry.frames <= head.rows - row else { return nil }
        try IndexChecks.require(entry, in: file, text: place + head.textPlace)
        row += entry.frames
        guard let next = UInt32(exactly: row) else { return nil }
        firstRows.append(next)
        // Windows follow each other without a gap and the first begins its video. So a video has no
        // more frames than rows.
        if entry.offset > 0 {
          guard video > 0, entry.offset > before.lowerBound, entry.offset <= before.upperBound else {
            return nil
          }
          if offsets.isEmpty { offsets = [UInt32](repeating: 0, count: head.entries) }
          offsets[video] = UInt32(clamping: entry.offset)
        }
        before = entry.offset..<entry.offset + entry.frames
      }
      return row == head.rows ? (firstRows, offsets) : nil
    }
    guard let list else {
      throw DataError(
        "the list of videos from here on is damaged", file: file.path,
        place: "byte \(place + head.entryPlace)",
        cure: "Copy the file again, or make the index again")
    }
    return Segment(
      place: place, head: head, firstPlace: firstPlace, firstRows: list.firstRows, offsets: list.offsets)
  }

  /// Reads the whole file and compares it with its hashes.
  /// - Parameter progress: called with the number of videos checked; an error from it ends the
  ///   check.
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
          "the videos from number \(video(at: segment.firstPlace) + 1) on are damaged", file: path,
          place: "byte \(segment.place)", cure: "Copy the file again, or make the index again")
      }
      let end = segment.firstPlace + head.entries
      try progress(end == places ? count : video(at: end))
    }
  }

  // MARK: Entries and videos

  /// Returns the segment of an entry and the entry's number there.
  func place(of entry: Int) -> (segment: Segment, entry: Int) {
    precondition((0..<places).contains(entry))
    var (low, high) = (0, segments.count - 1)
    while low < high {
      let middle = (low + high + 1) / 2
      if segments[middle].firstPlace <= entry { low = middle } else { high = middle - 1 }
    }
    return (segments[low], entry - segments[low].firstPlace)
  }

  /// Returns the video of an entry.
  func video(at entry: Int) -> Int { videos.map { Int($0[entry]) } ?? entry }

  /// Returns the entries of a video: its windows in order.
  func places(of video: Int) -> Range<Int> {
    precondition((0..<count).contains(video))
    return firstPlaces.map { Int($0[video])..<Int($0[video + 1]) } ?? video..<video + 1
  }

  /// Returns the frames of its video that an entry covers.
  func window(of entry: Int) -> Range<Int> {
    let (segment, own) = place(of: entry)
    let first = segment.offset(own)
    return first..<first + segment.frames(own).count
  }

  /// Returns the number of frames of a video.
  public func frameCount(of video: Int) -> Int {
    places(of: video).reduce(0) { max($0, window(of: $1).upperBound) }
  }

  private func entry(of video: Int) throws -> (IndexEntry, text: Int) {
    let (segment, number) = place(of: places(of: video).lowerBound)
    let at = segment.place + segment.head.entryPlace + number * IndexEntry.byteCount
    let entry = try file.withBytes(at: at, count: IndexEntry.byteCount) {
      IndexEntry($0, text: segment.head.text)
    }
    return (entry, segment.place + segment.head.textPlace)
  }

  /// Returns the name of a video.
  public func name(of video: Int) throws -> String {
    let (entry, text) = try entry(of: video)
    return try file.withBytes(at: text + entry.name.lowerBound, count: entry.name.count) {
      String(decoding: $0, as: UTF8.self)
    }
  }

  /// Returns everything that the index stores about a video except its frames.
  public func video(_ number: Int) throws -> IndexedVideo {
    let (entry, text) = try entry(of: number)
    let place = text + entry.information.lowerBound
    let json = try file.withBytes(at: place, count: entry.information.count) { bytes in
      guard let json = try? JSON.parse(bytes) else {
        throw DataError(
          "what is known of video number \(number + 1) is damaged", file: path, place: "byte \(place)",
          cure: "Copy the file again, or make the index again")
      }
      return json
    }
    return IndexedVideo(
      name: try name(of: number), duration: entry.duration, frames: frameCount(of: number),
      fileSize: entry.fileSize, information: json)
  }
}
