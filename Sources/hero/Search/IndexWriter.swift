import Engine
import Formats
import Foundation

/// Adds videos to an index, and makes it where there is none.
///
/// Videos are collected and written together as a segment. They count once the segment is on the
/// disk whole (`IndexFormat`). A killed run loses at most what it collected since, and the next one
/// continues from there.
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

  /// Bytes that are collected before they are written.
  static let segmentBytes = 64 << 20

  /// Opens the index of this head, or makes it.
  /// - Throws: `DataError` where the index is of another model, is damaged, or another process is
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
      // Read with the lock held, so that no other process adds anything in between.
      let file = try MappedFile(path: path)
      let newest = try IndexSlot.newest(in: file)
      let (known, _) = try IndexFile.head(of: file)
      try known.requireAddable(head, file: path)
      // Last: an object that has everything is let go by itself, and would close the file again.
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
  /// - Parameter frames: its encoded frames, [video.frames, width].
  public func add(_ video: IndexedVideo, frames: UnsafeBufferPointer<Float>) throws {
    try add(video, windows: [0..<video.frames], frames: frames)
  }

  /// Adds a video as windows that were encoded each for itself.
  /// - Parameters:
  ///   - windows: frames of the video, the first from 0 on, each beginning after the one before.
  ///   - frames: the windows' encoded frames end to end, [Σ windows, width].
  func add(_ video: IndexedVideo, windows: [Range<Int>], frames: UnsafeBufferPointer<Float>) throws {
    precondition(frames.count == windows.reduce(0) { $0 + $1.count } * layout.width)
    encoder.append(frames, to: &rows)
    try enter(video, windows)
  }

  /// Adds a video of another index of the same model as it is encoded there.
  /// - Parameter video: what is to be known of it.
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

  /// Notes whose the rows are that were collected last.
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

  /// Makes all videos that were added count.
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
    // Also cuts off what a killed run left.
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
  /// Refuses another model than the one that the index was made with.
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

  /// Refuses videos that cannot lie beside the index's own.
  ///
  /// - Parameter other: of the model that encodes them.
  /// - Throws: `DataError` for another model's, and for int8's beside those of another precision.
  public func requireAddable(_ other: IndexHead, file: String) throws {
    try requireSame(as: other, file: file)
    guard let (own, given) = int8Difference(from: other) else { return }
    throw DataError(
      "its videos were encoded in \(own.rawValue), and others cannot be added in \(given.rawValue)",
      file: file, cure: "Give --precision \(own.rawValue), or make another index")
  }

  /// The precisions of both, where they differ and one is int8. The others lie within what an
  /// index's rows, which are bfloat16, tell apart.
  func int8Difference(from other: IndexHead) -> (own: Precision, given: Precision)? {
    guard let precision, let given = other.precision, precision != given,
      precision == .int8 || given == .int8
    else { return nil }
    return (precision, given)
  }
}
