import Engine
import Formats
import Foundation

/// Adds videos to an index, which is made where there is none.
///
/// Videos are collected and written together as a segment; what is written counts once the segment is on the disk whole
/// (`IndexFormat`). A run that is killed loses at most what was collected since, and the next one goes on from there.
public final class IndexWriter {
  private let path: String
  private let layout: StoredRowLayout
  private let encoder: RowEncoder
  private var descriptor: Int32
  private var slot: IndexSlot

  private var codes: [UInt8] = []
  private var rows: [UInt8] = []
  private var entries: [UInt8] = []
  private var text: [UInt8] = []
  private var pending = (videos: 0, rows: 0)

  /// Bytes that are collected before they are written.
  private static let segmentBytes = 64 << 20

  /// Opens the index of this head, or makes it.
  /// - Throws: `DataError` where the index is of another model, is damaged, or is being written by somebody else.
  public init(path: String, head: IndexHead) throws {
    self.path = path
    layout = StoredRowLayout(width: head.width)
    encoder = RowEncoder(width: head.width)
    if !FileManager.default.fileExists(atPath: path) { try Self.create(path: path, head: head) }
    descriptor = open(path, O_RDWR | O_CLOEXEC)
    guard descriptor >= 0 else { throw DataError.system("write", file: path) }
    guard FileLock.take(descriptor) != .isTaken else {
      close(descriptor)
      throw DataError("another run is writing it", file: path, cure: "Wait until it ends")
    }
    do {
      // Read with the lock held, so that nobody else adds anything in between.
      let file = try MappedFile(path: path)
      slot = try IndexSlot.newest(in: file)
      let (known, _) = try IndexFile.head(of: file)
      try known.requireSame(as: head, file: path)
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
    precondition(video.frames > 0 && frames.count == video.frames * layout.width)
    let encoded = encoder.encode(frames)
    codes += encoded.code
    rows += encoded.rows
    let name = Array(video.name.utf8)
    var information = JSONObject()
    information["file"] = video.file.map { .string($0.path) }
    if !video.sentences.isEmpty {
      information["sub"] = .array(
        video.sentences.map { .array([.double($0.start), .double($0.end), .string($0.text)]) })
    }
    let json = JSON.object(information).encodedBytes()
    let nameRange = text.count..<text.count + name.count
    text += name
    let informationRange = text.count..<text.count + json.count
    text += json
    entries +=
      IndexEntry(
        firstRow: pending.rows, frames: video.frames, name: nameRange, information: informationRange,
        duration: video.duration, fileSize: video.file?.size ?? 0
      ).bytes
    pending.videos += 1
    pending.rows += video.frames
    if codes.count + rows.count + text.count >= Self.segmentBytes { try commit() }
  }

  /// Makes all videos that were added count.
  public func commit() throws {
    guard pending.videos > 0 else { return }
    var head = IndexSegmentHead(
      videos: pending.videos, rows: pending.rows, codes: codes.count, rowBytes: rows.count, text: text.count)
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
    next.videos += UInt64(pending.videos)
    next.rows += UInt64(pending.rows)
    try write(next.bytes, at: next.sequence % 2 == 0 ? 0 : IndexFormat.slotSize)
    try synchronize()
    slot = next
    pending = (0, 0)
    codes.removeAll(keepingCapacity: true)
    rows.removeAll(keepingCapacity: true)
    entries.removeAll(keepingCapacity: true)
    text.removeAll(keepingCapacity: true)
  }

  private func synchronize() throws {
    guard fsync(descriptor) == 0 || errno == EINVAL else { throw DataError.system("write", file: path) }
  }

  private func write(_ bytes: [UInt8], at place: Int) throws {
    try bytes.withUnsafeBytes { bytes in
      var done = 0
      while done < bytes.count {
        let written = pwrite(
          descriptor, bytes.baseAddress.map { $0 + done }, bytes.count - done, off_t(place + done))
        if written < 0, errno == EINTR { continue }
        guard written > 0 else { throw DataError.system("write", file: path) }
        done += written
      }
    }
  }
}

extension IndexHead {
  /// Refuses another model than the one that the index was made with.
  func requireSame(as other: IndexHead, file: String) throws {
    guard let difference = model.difference(from: other.model) else { return }
    throw DataError(
      "was made with another model: its \(difference) differ", file: file,
      cure: "Use the model in \(modelFolder), or make another index with this one")
  }
}
