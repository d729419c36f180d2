import CZlib
import Engine
import Foundation
import Fuzzing

@testable import Corpus
@testable import Formats
@testable import Metrics
@testable import Search

/// Readers between a damaged file and the model.
extension Target {
  nonisolated(unsafe) static let behind: [String: Target] = [
    // The first two bytes choose the video's frames and their length; the rest is its subtitles.
    "subtitle-store": Target { bytes in
      guard bytes.count > 2 else { return }
      let frames = [0, 1, 7, 60, 400, 5000][Int(bytes[0]) % 6]
      let interval = [0.001, 0.5, 1.5, 7, 1e5][Int(bytes[1]) % 5]
      let cues = SubtitleFile.parse(Array(bytes.dropFirst(2)))
      do {
        try store(cues, frames: frames, interval: interval)
      } catch is BadRow {}
    },
    "ptb-tokenizer": Target { bytes in
      let captions = bytes.split(separator: 0x0A).map { String(decoding: $0, as: UTF8.self) }
      let lines = ptb.tokenize(captions)
      precondition(lines.count == captions.count, "a caption is lost")
    },
    "caption-words": Target { bytes in
      let text = String(decoding: bytes, as: UTF8.self)
      let row = { CaptionRow(video: "v", clip: "1", times: nil, captions: [$0]) }
      _ = try CaptionScorer([row(text)], references: [row("a man opens the door")], meteor: nil)
    },
    // Bytes 0xFF separate two captions, then the lists and the paraphrases of METEOR.
    "meteor": Target { bytes in
      let pieces = bytes.split(separator: 0xFF, omittingEmptySubsequences: false).map(Array.init)
      func piece(_ number: Int) -> [UInt8] { number < pieces.count ? pieces[number] : [] }
      try meteorFolder(lists: (2...5).map(piece), paraphrases: piece(6))
      let resources = try MeteorResources(folder: folder)
      let captions = (0...1).map { String(decoding: piece($0).prefix(400), as: UTF8.self) }
      var scorer = try MeteorScorer(resources: resources, captions: captions)
      let score = scorer.statistics(prediction: captions[0], references: [captions[1]]).score
      precondition(score >= 0 && score <= 1.0001, "METEOR is \(score)")
    },
    // Like "index", but with all hashes recomputed, so that the damage reaches what lies behind
    // them.
    "sealed-index": Target { bytes in
      var file = index
      for patch in stride(from: 0, to: bytes.count - 2, by: 3) {
        file[place(Int(bytes[patch]) << 8 | Int(bytes[patch + 1]), in: file)] = bytes[patch + 2]
      }
      seal(&file)
      try Target(file: search).read(file)
    },
  ]

  // MARK: Subtitles

  /// Makes an entry from cues as `create-txtdb` does, and reads it as training does.
  private static func store(_ cues: [SubtitleCue], frames: Int, interval: Double) throws {
    let row: JSONObject = ["vid_name": "v", "sub": .array(cues.map(\.json))]
    let entry = try SubtitleRow(row, video: "v", frameLength: interval).entry(
      frames: frames, group: 5, tokenizer: tokenizer)
    let bytes = MessagePack(.object(entry.fields)).encode()
    let record = StoreRecord(value: try MessagePack.decode(bytes), file: "store", key: "v")
    let text = try Subtitles(record, of: "v")
    for limit in [1, 50, frames] where limit <= entry.frames {
      for (sentence, own) in VideoReader.walk(text, frameCount: limit) {
        precondition(text.sentences.indices.contains(sentence), "a sentence that is not there")
        precondition(own.allSatisfy { (0..<limit).contains($0) }, "a frame that is not there")
      }
    }
  }

  // MARK: METEOR

  nonisolated(unsafe) private static let ptb = PTBTokenizer()
  private static let folder =
    NSTemporaryDirectory() + "hero-fuzz-meteor-\(ProcessInfo.processInfo.processIdentifier)"

  private static func meteorFolder(lists: [[UInt8]], paraphrases: [UInt8]) throws {
    let names = [
      "function/english.words", "synonym/english.synsets", "synonym/english.exceptions",
      "nonbreaking/english.prefixes",
    ]
    for (name, bytes) in zip(names, lists) { try write(bytes, to: "\(folder)/\(name)") }
    // Entries have three lines.
    let lines = paraphrases.split(separator: 0x0A, omittingEmptySubsequences: false)
    let whole = lines.prefix(lines.count / 3 * 3).flatMap { $0 + [0x0A] }
    let bytes = whole.isEmpty ? paraphrases : whole
    let path = "\(folder)/paraphrase-en.gz"
    if written[path] == bytes { return }
    written[path] = bytes
    guard let file = gzopen(path, "wb1") else { fatalError("no room") }
    _ = bytes.withUnsafeBytes { gzwrite(file, $0.baseAddress, UInt32($0.count)) }
    gzclose(file)
  }

  /// The contents of the files, since most inputs change only one.
  nonisolated(unsafe) private static var written: [String: [UInt8]] = [:]

  private static func write(_ bytes: [UInt8], to path: String) throws {
    if written[path] == bytes { return }
    written[path] = bytes
    let url = URL(fileURLWithPath: path)
    if !FileManager.default.fileExists(atPath: path) {
      try FileManager.default.createDirectory(
        at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
    }
    try Data(bytes).write(to: url)
  }

  // MARK: Index

  /// Returns a place for a patch, mostly in the headers and lists of the index.
  private static func place(_ number: Int, in file: [UInt8]) -> Int {
    guard number < 0xC000 else { return number * 7 % file.count }
    let starts = [0, 2048, 4096] + segments(of: file).flatMap { [$0.start, $0.list] }
    return min(starts[number % starts.count] + number / 16 % 256, file.count - 1)
  }

  private static func number(_ file: [UInt8], _ place: Int) -> Int {
    guard place >= 0, place + 8 <= file.count else { return .max }
    return (0..<8).reduce(0) { $0 | Int(file[place + $1]) << (8 * $1) }
  }

  private static func put(_ hash: UInt64, into file: inout [UInt8], at place: Int) {
    guard place >= 0, place + 8 <= file.count else { return }
    for byte in 0..<8 { file[place + byte] = UInt8(truncatingIfNeeded: hash >> (8 * byte)) }
  }

  private static func hash(_ file: [UInt8], _ range: Range<Int>) -> UInt64 {
    ContentHash.of(Array(file[range.clamped(to: 0..<file.count)]))
  }

  private typealias Segment = (start: Int, list: Int, text: Int, end: Int)

  /// Returns where each segment, its list of videos and its text begin, as far as its header is
  /// valid.
  private static func segments(of file: [UInt8]) -> [Segment] {
    let head = number(file, 4096)
    guard (0..<file.count).contains(head) else { return [] }
    var segments: [Segment] = []
    var start = IndexFormat.aligned(4096 + 16 + head)
    while start + IndexSegmentHead.byteCount <= file.count, segments.count < 8 {
      let sizes = (1...5).map { number(file, start + 8 * $0) }
      guard sizes.allSatisfy({ (0...file.count).contains($0) }) else { break }
      let list = start + IndexSegmentHead.byteCount + sizes[2] + sizes[3]
      let text = list + sizes[0] * IndexEntry.byteCount
      segments.append((start, list, text, text + sizes[4]))
      guard text + sizes[4] <= file.count else { break }
      start = IndexFormat.aligned(text + sizes[4])
    }
    return segments
  }

  private static func seal(_ file: inout [UInt8]) {
    for (start, list, text, end) in segments(of: file) where end <= file.count {
      put(hash(file, list..<text), into: &file, at: start + 48)
      var content = ContentHash()
      content.update(Array(file[start + IndexSegmentHead.byteCount..<list]))
      content.update(Array(file[text..<end]))
      put(content.value, into: &file, at: start + 56)
      put(hash(file, start..<start + 64), into: &file, at: start + 64)
    }
    let head = number(file, 4096)
    if (0..<file.count).contains(head) { put(hash(file, 4112..<4112 + head), into: &file, at: 4104) }
    for slot in [0, 2048] { put(hash(file, slot..<slot + 56), into: &file, at: slot + 56) }
  }

  /// Opens an index, reads all of it and searches it.
  private static func search(_ path: String) throws {
    let index = try IndexFile(path: path)
    for video in 0..<index.count {
      let known = try index.video(video)
      _ = known.said(from: 0, to: known.duration)
      _ = index.places(of: video).map { index.window(of: $0) }
    }
    try index.check()
    guard index.count > 0, index.head.width <= 64 else { return }
    let unit = [Float](repeating: 0.25, count: index.head.width)
    for rows in [2, 40_000] {
      let videos = IndexedVideos(index, rowsRead: rows, threads: 1)
      for found in try videos.best([unit], kept: 3)[0] { _ = videos.number(of: found.place) }
      for video in 0..<index.count { _ = try videos.cosines(unit, video: video) }
    }
  }
}
