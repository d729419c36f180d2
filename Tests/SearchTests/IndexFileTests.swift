import Corpus
import Engine
import Formats
import Foundation
import SearchTestSupport
import TestSupport
import Testing

@testable import Search

@Suite("The index file")
struct IndexFileTests {
  private let folder: TemporaryFolder
  private let head: IndexHead
  private var path: String { folder.path("index") }

  init() throws {
    folder = try TemporaryFolder()
    head = IndexHead(
      width: 24, frameInterval: 1.5,
      model: ModelIdentity(checkpoint: "a", configuration: "b", tokenizer: "c"), modelFolder: "/runs/tvr",
      tokenizer: "/tokenizer")
  }

  private func bytes() throws -> [UInt8] { try FileBytes.read(path: path) }

  private func write(_ bytes: [UInt8]) throws { try Data(bytes).write(to: URL(fileURLWithPath: path)) }

  @Test(arguments: [1, 3]) func roundTrip(_ segments: Int) throws {
    let file = IndexedVideo.MediaFile(path: "/videos/a.mp4", size: 12345)
    try SmallModel.add(0..<30, to: path, head: head, segments: segments) { $0 == 4 ? file : nil }
    let index = try IndexFile(path: path)
    #expect(index.head == head && index.count == 30 && index.segments.count == segments)
    let scanner = RowScanner(width: 24, threads: 1)
    for number in 0..<30 {
      let expected = SmallModel.video(number, file: number == 4 ? file : nil)
      #expect(try index.video(number) == expected)
      #expect(try index.name(of: number) == expected.name && index.frameCount(of: number) == expected.frames)
      let frames = SmallModel.frames(of: number, count: expected.frames, width: 24)
      let (segment, own) = index.place(of: number)
      var products = [Float](repeating: 0, count: expected.frames)
      let place = segment.rows(own, 0..<expected.frames, index.layout)
      try index.file.withBytes(at: place.lowerBound, count: place.count) { bytes in
        products.withUnsafeMutableBufferPointer {
          scanner.products([Float](repeating: 1, count: 24), rows: bytes, normalized: false, into: $0)
        }
      }
      for row in 0..<expected.frames {
        let sum = frames[row * 24..<(row + 1) * 24].reduce(0, +)
        #expect(abs(products[row] - sum) < 0.1)
      }
    }
    try index.check()
  }

  private static let precisions: [Precision?] = [nil, .fp32, .tf32, .bf16, .int8]

  /// int8 rows mix only with int8 rows; the header tells the precision, or nothing in an old index.
  @Test(arguments: precisions) func precisionsThatMix(_ own: Precision?) throws {
    var head = head
    head.precision = own
    try SmallModel.add(0..<5, to: path, head: head)
    let before = try bytes()
    #expect(try IndexFile(path: path).head == head)
    for given in Self.precisions {
      var other = head
      other.precision = given
      let fits = own == nil || given == nil || own == given || (own != .int8 && given != .int8)
      let opens = (try? IndexWriter(path: path, head: other)) != nil
      #expect(opens == fits, "\(String(describing: given))")
      #expect((head.int8Difference(from: other) == nil) == fits)
      // A side index of an interrupted run that does not fit is discarded.
      let side = folder.path("side")
      try SmallModel.add(5..<7, to: side, head: other)
      #expect(try IndexMerging.sideWriter(at: side, head: head).known.count == (fits ? 2 : 0))
      unlink(side)
    }
    #expect(try bytes() == before)
  }

  /// An unknown precision is refused.
  @Test func anUnknownPrecisionIsRefused() {
    var json = head.json.object ?? [:]
    json["precision"] = "int4"
    let error = #expect(throws: DataError.self) { try IndexHead(.object(json), file: path) }
    #expect(error.map { "\($0)".contains("int4") } == true)
  }

  @Test func videosAreAddedToWhatIsThere() throws {
    try SmallModel.add(0..<5, to: path, head: head)
    let before = try IndexFile(path: path)
    let first = try bytes()
    try SmallModel.add(5..<9, to: path, head: head)
    let after = try IndexFile(path: path)
    #expect(before.count == 5 && after.count == 9)
    #expect(try after.video(7) == SmallModel.video(7))
    // Old content does not move, and an open reader still reads it.
    #expect(try before.video(3) == SmallModel.video(3))
    #expect(try bytes()[4096..<first.count] == first[4096...])
    try after.check()
  }

  /// A run killed at any point of its writing changes nothing.
  @Test func whatWasNotFinishedDoesNotCount() throws {
    try SmallModel.add(0..<5, to: path, head: head)
    let old = try bytes()
    try SmallModel.add(5..<9, to: path, head: head)
    let new = try bytes()
    for length in stride(from: old.count, through: new.count, by: 509) {
      // Part of the segment is written, and the slots are unchanged.
      try write(old + Array(new[old.count..<length]))
      #expect(try IndexFile(path: path).count == 5)
      try SmallModel.add(5..<9, to: path, head: head)
      let index = try IndexFile(path: path)
      #expect(index.count == 9)
      #expect(try index.video(8) == SmallModel.video(8))
      try index.check()
    }
    // Part of the slot is written.
    for length in 1..<IndexSlot.byteCount {
      var torn = new
      let place = IndexFormat.slotSize
      torn.replaceSubrange(
        place..<place + IndexSlot.byteCount, with: old[place..<place + IndexSlot.byteCount])
      torn.replaceSubrange(place..<place + length, with: new[place..<place + length])
      try write(torn)
      let count = try IndexFile(path: path).count
      #expect(count == 5 || count == 9)
    }
  }

  @Test func truncationIsTold() throws {
    try SmallModel.add(0..<5, to: path, head: head)
    for damaged in Damage.truncations(try bytes(), most: 300) {
      try write(damaged)
      #expect(throws: DataError.self) { try IndexFile(path: path) }
    }
  }

  /// Readers and writers name the kind of a file that is not an index, and never wait for a pipe.
  @Test(.timeLimit(.minutes(30))) func otherFiles() throws {
    func check(_ says: String) throws {
      for open in [
        { _ = try IndexFile(path: self.path) }, { _ = try IndexWriter(path: self.path, head: self.head) },
      ] as [() throws -> Void] {
        let error = try #require(throws: DataError.self) { try open() }
        #expect(error.description.contains(says) && error.file == path, "\(error)")
      }
      try FileManager.default.removeItem(atPath: path)
    }
    #expect(mkfifo(path, 0o600) == 0)
    try check("is a pipe, not a plain file")
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    try check("is a folder, not a plain file")
    try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: "/dev/null")
    try check("is a device, not a plain file")
    try write(Array("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12\n".utf8))
    try check("is a pointer of Git LFS")
    try write([])
    try check("is no search index")
  }

  /// A changed byte is found when the file is opened or checked, unless nothing depends on it.
  ///
  /// Nothing ever traps.
  @Test func damageIsFound() throws {
    try SmallModel.add(0..<5, to: path, head: head)
    let whole = try bytes()
    var missed = 0
    for place in stride(from: 0, to: whole.count, by: 7) {
      var damaged = whole
      damaged[place] ^= 0x41
      try write(damaged)
      do {
        let index = try IndexFile(path: path)
        for number in 0..<index.count { _ = try? index.video(number) }
        try index.check()
        // The gaps between parts are empty. Only one of the two slots counts, and the other
        // replaces it if it is damaged.
        let isSlot = place % IndexFormat.slotSize < IndexSlot.byteCount && place < IndexFormat.headPlace
        if whole[place] != 0, !isSlot { missed += 1 }
      } catch is DataError {}
    }
    #expect(missed == 0)
  }

  /// A file with right hashes but impossible numbers is refused.
  @Test(arguments: [1e-60, 0, -1.5, .nan, .infinity, 1e300] as [Double])
  func framesAtImpossibleTimes(_ interval: Double) throws {
    var head = head
    head.frameInterval = interval
    let error = try #require(throws: DataError.self) {
      try SmallModel.add(0..<3, to: path, head: head)
      _ = try IndexFile(path: path)
    }
    #expect(error.file == path)
  }

  @Test(arguments: [-1, .nan, .infinity, 1e12] as [Double])
  func videosThatLastNoTime(_ duration: Double) throws {
    try SmallModel.add(0..<3, to: path, head: head)
    let writer = try IndexWriter(path: path, head: head)
    var video = SmallModel.video(3)
    video.duration = duration
    let frames = SmallModel.frames(of: 3, count: video.frames, width: head.width)
    try frames.withUnsafeBufferPointer { try writer.add(video, frames: $0) }
    try writer.commit()
    let error = try #require(throws: DataError.self) { try IndexFile(path: path) }
    #expect(error.place == "video \"\(video.name)\"" && error.problem.contains("\(duration)"))
  }

  @Test func foreignFiles() throws {
    for content in ["", "hello", String(repeating: "x", count: 10_000)] {
      _ = try folder.file("index", content)
      #expect(throws: DataError.self) { try IndexFile(path: path) }
      #expect(throws: DataError.self) { try IndexWriter(path: path, head: head) }
    }
    #expect(throws: DataError.self) { try IndexFile(path: folder.path("missing")) }
    #expect(throws: DataError.self) { try IndexFile(path: folder.root) }
  }

  @Test func anotherModelIsRefused() throws {
    try SmallModel.add(0..<2, to: path, head: head)
    var other = head
    other.model.checkpoint = "z"
    do {
      _ = try IndexWriter(path: path, head: other)
      Issue.record("it was taken")
    } catch let error as DataError {
      #expect("\(error)".contains("its weights differ") && "\(error)".contains("/runs/tvr"))
    }
  }

  @Test func onlyOneWritesAtATime() throws {
    let writer = try IndexWriter(path: path, head: head)
    #expect(throws: DataError.self) { try IndexWriter(path: path, head: head) }
    withExtendedLifetime(writer) {}
  }

  @Test func anotherVersionIsTold() throws {
    try SmallModel.add(0..<2, to: path, head: head)
    var newer = try bytes()
    for place in [0, IndexFormat.slotSize] where newer[place] != 0 {
      newer[place + 8] = 4
      let hash = ContentHash.of(Array(newer[place..<place + 56]))
      for byte in 0..<8 { newer[place + 56 + byte] = UInt8(truncatingIfNeeded: hash >> UInt64(8 * byte)) }
    }
    try write(newer)
    do {
      _ = try IndexFile(path: path)
      Issue.record("it was read")
    } catch let error as DataError {
      #expect("\(error)".contains("version 4"))
    }
  }

  /// An index of version 1, which has no windows, can be read and extended.
  @Test func version1() throws {
    try write(try Fixtures.bytes("Search/version1.index"))
    for isGrown in [false, true] {
      if isGrown { try SmallModel.add(12..<15, to: path, head: head) }
      let index = try IndexFile(path: path)
      #expect(index.head == head && index.count == (isGrown ? 15 : 12) && index.places == index.count)
      for number in 0..<index.count {
        let file = IndexedVideo.MediaFile(path: "/videos/a.mp4", size: 12345)
        #expect(try index.video(number) == SmallModel.video(number, file: number == 4 ? file : nil))
      }
      try index.check()
      let unit = SmallModel.unit(of: 3, width: 24)
      let best = try IndexedVideos(index).best([unit], kept: 3)[0]
      #expect(best.first?.place == 3 && abs((best.first?.score ?? 0) - 1) < 0.01)
    }
  }

  /// An index with codes by video can be searched and extended, and copying renews its codes.
  @Test func version2() throws {
    try write(try Fixtures.bytes("Search/version2.index"))
    // The best of six queries, as found by the program that wrote the index with 60 rows read.
    let expected = [
      [37, 7, 10, 5, 36], [13, 28, 24, 23, 41], [4, 33, 14, 15, 9], [21, 30, 4, 35, 34], [4, 26, 31, 25, 35],
      [24, 35, 42, 11, 4],
    ]
    let units = (0..<6).map { SmallModel.unit(of: 10_000 + $0, width: 24) }
    let old = try IndexFile(path: path)
    #expect(old.count == 41 && old.places == 43 && old.segments.allSatisfy(\.head.isOld))
    for rowsRead in [60, 40_000] {
      let found = try IndexedVideos(old, rowsRead: rowsRead).best(units, kept: 5)
      #expect(found.map { $0.map(\.place) } == expected)
    }
    try old.check()
    let copy = folder.path("copy")
    let writer = try IndexWriter(path: copy, head: head)
    for number in 0..<old.count { try writer.copy(number, of: old, as: try old.video(number)) }
    try writer.commit()

    try SmallModel.add(41..<45, to: path, head: head)
    let grown = try IndexFile(path: path)
    #expect(grown.segments.map(\.head.isOld) == [true, true, false] && grown.places == 47)
    try grown.check()
    for (path, count) in [(copy, 43), (path, 47)] {
      let index = try IndexFile(path: path)
      let all = try IndexedVideos(index).best(units, kept: 5)
      let some = try IndexedVideos(index, rowsRead: 60).best(units, kept: 5)
      #expect(index.places == count && all.map { $0.map(\.place) } == some.map { $0.map(\.place) })
      if path == copy { #expect(all.map { $0.map(\.place) } == expected) }
    }

    // A merged index has only codes of the current version, and is not merged again for them.
    #expect(old.oldFrames == old.rows && grown.oldFrames == old.rows)
    #expect(IndexMerging.isWorthwhile(old) && IndexMerging.isWorthwhile(grown))
    try IndexMerging.merge(grown, nil, order: [], without: [], refreshed: [:])
    let merged = try IndexFile(path: path)
    #expect(merged.oldFrames == 0 && merged.places == 47 && !IndexMerging.isWorthwhile(merged))
    try merged.check()
    let (before, after) = (
      try IndexedVideos(grown).best(units, kept: 5), try IndexedVideos(merged).best(units, kept: 5)
    )
    #expect(before.map { $0.map(\.place) } == after.map { $0.map(\.place) })
  }

  @Test func windowsAreOneVideo() throws {
    let writer = try IndexWriter(path: path, head: head)
    let windows = [0..<10, 6..<16, 12..<19]
    var file = IndexedVideo.MediaFile(path: "/videos/b.mkv", size: 7, time: 1.5, hash: "0a")
    file.start = 100
    let long = IndexedVideo(
      name: "long", duration: 28, frames: 19, sentences: [.init(start: 25, end: 26, text: "late")],
      file: file,
      sources: .init(features: "f", subtitles: "s"))
    for number in 0..<3 {
      if number == 1 {
        let frames = SmallModel.frames(of: 100, count: 27, width: 24)
        try frames.withUnsafeBufferPointer { try writer.add(long, windows: windows, frames: $0) }
      }
      let video = SmallModel.video(number)
      try SmallModel.frames(of: number, count: video.frames, width: 24).withUnsafeBufferPointer {
        try writer.add(video, frames: $0)
      }
    }
    try writer.commit()
    let index = try IndexFile(path: path)
    #expect(index.count == 4 && index.places == 6)
    #expect(try index.video(1) == long)
    #expect(try index.video(3) == SmallModel.video(2))
    #expect(index.places(of: 1) == 1..<4 && (1..<4).allSatisfy { index.video(at: $0) == 1 })
    #expect((1..<4).map { index.window(of: $0) } == windows && index.frameCount(of: 1) == 19)
    try index.check()

    // A copy has the same content.
    let copy = folder.path("copy")
    let copying = try IndexWriter(path: copy, head: head)
    for number in [3, 1] { try copying.copy(number, of: index, as: try index.video(number)) }
    try copying.commit()
    let copied = try IndexFile(path: copy)
    #expect(try copied.video(1) == long && copied.places(of: 1) == 1..<4)
    let videos = (IndexedVideos(index), IndexedVideos(copied))
    let unit = SmallModel.unit(of: 100, width: 24)
    #expect(try videos.0.cosines(unit, video: 1) == videos.1.cosines(unit, video: 1))
    #expect(try abs(videos.0.cosines(unit, video: 1)[0] - 1) < 0.01)
  }

  /// Windows that begin a segment, go backwards or lie behind their predecessor's end are refused.
  ///
  /// Otherwise a video would have more frames than rows.
  @Test func misplacedWindows() throws {
    try SmallModel.add(0..<3, to: path, head: head)
    let index = try IndexFile(path: path)
    let whole = try bytes()
    let segment = index.segments[0]
    let frames = UInt32(segment.frames(0).count)
    for (offsets, count) in [
      ([0, frames, 0], 2), ([0, 1, 2], 1), ([3, 0, 0], nil), ([0, 2, 2], nil), ([0, 2, 1], nil),
      ([0, frames + 1, 0], nil), ([0, .max - 1, 0], nil),
    ] as [([UInt32], Int?)] {
      var changed = whole
      let entries = segment.place + segment.head.entryPlace
      for (number, offset) in offsets.enumerated() {
        let place = entries + number * IndexEntry.byteCount + 56
        changed.replaceSubrange(place..<place + 4, with: withUnsafeBytes(of: offset.littleEndian, Array.init))
      }
      let size = segment.head.entries * IndexEntry.byteCount
      var head = segment.head
      head.entryHash = ContentHash.of(Array(changed[entries..<entries + size]))
      changed.replaceSubrange(segment.place..<segment.place + head.bytes.count, with: head.bytes)
      try write(changed)
      if let count {
        #expect(try IndexFile(path: path).count == count)
      } else {
        #expect(throws: DataError.self, "\(offsets)") { try IndexFile(path: path) }
      }
    }
  }
}
