import Engine
import Formats
import Foundation

/// Adds videos to an index, and creates the index if there is none.
///
/// The writer collects videos and writes them together as a segment. They become valid once the
/// whole segment is on the disk (`IndexFormat`). A killed run loses only the videos collected since
/// the last segment, and the next run continues from there.
public final class IndexWriter {
  private let path: String
  private let layout: StoredRowLayout
  private let encoder: RowEncoder
  private let codeLayout: FrameCodeLayout
  private var descriptor: Int32
  private var slot: IndexSlot

  private var rows: [UInt8] = []
  private var entries: [UInt8] = []
  private var text: [UInt8] = []
  private var pending = (entries: 0, rows: 0)

  /// The number of bytes that are collected before they are written.
  static let segmentBytes = 64 << 20

  /// Opens the index with this head, or creates it.
  /// - Throws: `DataError` where the index has another model or is damaged, or another process is
  ///   writing it.
  public init(path: String, head: IndexHead) throws {
    self.path = path
    layout = StoredRowLayout(width: head.width)
    encoder = RowEncoder(width: head.width)
    codeLayout = FrameCodeLayout(width: head.width)
    if FileManager.default.fileExists(atPath: path) {
      try PlainFile.size(path)
    } else {
      try Self.create(path: path, head: head)
    }
    descriptor = open(path, O_RDWR | O_CLOEXEC)
    guard descriptor >= 0 else { throw DataError.system("write", file: path) }
    guard FileLock.take(descriptor) != .isTaken else {
      close(descriptor)
      throw DataError("another run is writing it", file: path, cure: "Wait until it ends")
    }
    do {
      // Reading with the lock held keeps other processes from adding videos in between.
      let file = try MappedFile(path: path)
      let newest = try IndexSlot.newest(in: file)
      let (known, _) = try IndexFile.head(of: file)
      try known.requireAddable(head, file: path)
      // Set last: a fully initialized object would run its `deinit` and close the file again.
      slot = newest
    } catch {
      FileLock.close(descriptor)
      throw error
    }
  }

  deinit { FileLock.close(descriptor) }

  private static func create(path: String, head: IndexHead) throws {
    let json = head.json.encodedBytes()
    var numbers = NumberBytes()
    numbers.append(UInt64(json.count))
    numbers.append(ContentHash.of(json))
    let start = IndexFormat.aligned(IndexFormat.headPlace + 16 + json.count)
    let slot = IndexSlot(length: start)
    var bytes = slot.bytes
    bytes += [UInt8](repeating: 0, count: IndexFormat.headPlace - bytes.count)
    bytes += numbers.bytes + json
    bytes += [UInt8](repeating: 0, count: start - bytes.count)
    try AtomicFile.write(bytes, to: path)
  }

  /// Adds a video.
  /// - Parameter frames: the encoded frames, [video.frames, width].
  public func add(_ video: IndexedVideo, frames: UnsafeBufferPointer<Float>) throws {
    try add(video, windows: [0..<video.frames], frames: frames)
  }

  /// Adds a video as windows that were encoded separately.
  /// - Parameters:
  ///   - windows: ranges of frames; the first begins at 0, each later one after the one before
  ///     begins.
  ///   - frames: the windows' encoded frames end to end, [Σ windows, width].
  func add(_ video: IndexedVideo, windows: [Range<Int>], frames: UnsafeBufferPointer<Float>) throws {
    precondition(frames.count == windows.reduce(0) { $0 + $1.count } * layout.width)
    encoder.append(frames, to: &rows)
    try enter(video, windows)
  }

  /// Copies the encoded frames of a video from another index of the same model.
  /// - Parameter video: what the index stores about the video.
  func copy(_ number: Int, of index: IndexFile, as video: IndexedVideo) throws {
    precondition(index.layout == layout)
    let places = index.places(of: number)
    let (segment, first) = index.place(of: places.lowerBound)
    let entries = first..<first + places.count
    try index.file.withBytes { bytes in
      for entry in entries {
        rows += bytes[segment.rows(entry, 0..<segment.frames(entry).count, layout)]
      }
    }
    try enter(video, places.map { index.window(of: $0) })
  }

  /// Adds the entries of the rows that were collected last.
  private func enter(_ video: IndexedVideo, _ windows: [Range<Int>]) throws {
    precondition(
      windows.first?.lowerBound == 0 && windows.allSatisfy { !$0.isEmpty }
        && zip(windows, windows.dropFirst()).allSatisfy { $0.lowerBound < $1.lowerBound })
    let (name, json) = (Array(video.name.utf8), video.information.encodedBytes())
    let nameRange = text.count..<text.count + name.count
    text += name
    let informationRange = text.count..<text.count + json.count
    text += json
    for window in windows {
      entries +=
        IndexEntry(
          firstRow: pending.rows, frames: window.count, name: nameRange, information: informationRange,
          duration: video.duration, fileSize: video.file?.size ?? 0, offset: window.lowerBound
        ).bytes
      pending.entries += 1
      pending.rows += window.count
    }
    if codeLayout.bytes(frames: pending.rows) + rows.count + text.count >= Self.segmentBytes { try commit() }
  }

  /// Writes the collected videos as a segment and makes them valid.
  public func commit() throws {
    guard pending.entries > 0 else { return }
    let codes = FrameCodeEncoder(width: layout.width).encode(rows)
    var head = IndexSegmentHead(
      entries: pending.entries, rows: pending.rows, codes: codes.count, rowBytes: rows.count, text: text.count
    )
    head.entryHash = ContentHash.of(entries)
    var hash = ContentHash()
    for part in [codes, rows, text] { hash.update(part) }
    head.contentHash = hash.value
    var place = Int(slot.length)
    for part in [head.bytes, codes, rows, entries, text] {
      try write(part, at: place)
      place += part.count
    }
    let end = IndexFormat.aligned(place)
    // Truncating also removes what a killed run left.
    guard ftruncate(descriptor, off_t(end)) == 0 else { throw DataError.system("write", file: path) }
    try synchronize()
    var next = slot
    next.sequence += 1
    next.length = UInt64(end)
    next.segments += 1
    next.entries += UInt64(pending.entries)
    next.rows += UInt64(pending.rows)
    try write(next.bytes, at: next.sequence % 2 == 0 ? 0 : IndexFormat.slotSize)
    try synchronize()
    slot = next
    pending = (0, 0)
    rows.removeAll(keepingCapacity: true)
    entries.removeAll(keepingCapacity: true)
    text.removeAll(keepingCapacity: true)
  }

  private func synchronize() throws {
    guard fsync(descriptor) == 0 || errno == EINVAL else { throw DataError.system("write", file: path) }
  }

  private func write(_ bytes: [UInt8], at place: Int) throws {
    try bytes.withUnsafeBytes { try OpenFile(descriptor, path: path).write($0, at: place) }
  }
}

extension IndexHead {
  /// Refuses a model other than the one that made the index.
  /// - Throws: `DataError` saying what differs.
  public func requireSame(as other: IndexHead, file: String) throws {
    guard kind.isSameKind(as: other.kind) else {
      throw DataError(
        "was made with \(origin), not with \(other.origin)", file: file,
        cure: "Use what it was made with, or make another index: the two cannot be mixed")
    }
    guard let difference = model.difference(from: other.model) else { return }
    throw DataError(
      "was made with another model: its \(difference)", file: file,
      cure:
        "Use the model in \(modelFolder) with the options that it had, or make another index with this one. Options "
        + "that cut a video, such as --max-clip-len, are its configuration")
  }

  /// Refuses videos that cannot be added to the index.
  ///
  /// - Parameter other: the head of the model that encodes the videos.
  /// - Throws: `DataError` for another model, and where only one of the two precisions is int8.
  public func requireAddable(_ other: IndexHead, file: String) throws {
    try requireSame(as: other, file: file)
    guard let (own, given) = int8Difference(from: other) else { return }
    throw DataError(
      "its videos were encoded in \(own.rawValue), and others cannot be added in \(given.rawValue)",
      file: file, cure: "Give --precision \(own.rawValue), or make another index")
  }

  /// Returns both precisions if they differ and one is int8.
  ///
  /// The other precisions differ by less than the index's rows resolve, which are bfloat16.
  func int8Difference(from other: IndexHead) -> (own: Precision, given: Precision)? {
    guard let precision, let given = other.precision, precision != given,
      precision == .int8 || given == .int8
    else { return nil }
    return (precision, given)
  }
}
