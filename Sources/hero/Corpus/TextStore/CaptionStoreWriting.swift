import Formats
import Text

/// The caption store, `cap.db` and `clip.db` (`prepro_tvc.py`).
extension TextStoreBuilder {
  func buildCaptions(
    in folder: OutputFolder, with tokenizer: Tokenizer, report: inout TextStoreReport,
    onSkip: (String) -> Void
  ) throws {
    guard let subtitles else {
      throw DataError(
        "captions need to know their video's subtitles", cure: "Give --subtitles, the subtitles' JSON lines")
    }
    try writeMeta(to: folder, tokenizer, sources: ["subtitles": .string(subtitles)], task: nil)
    let times = try sentenceTimes(path: subtitles, onSkip: onSkip)
    let writer = try CaptionWriter(folder: folder, compression: compression)
    var missing: [String] = []
    try forEachRow(report: &report, onSkip: onSkip) { row in
      let video = try row.id("vid_name")
      guard let sentences = times[video] else {
        missing.append(video)
        throw BadRow("\(subtitles) does not have \"\(video)\"")
      }
      try writer.put(try ClipRow(row, video: video, sentences: sentences), tokenizer: tokenizer)
    }
    report.noteNames(missing: missing, among: times.keys.lazy.map(\.text), in: subtitles)
    try writer.finish()
    report.notes += writer.notes(of: annotation)
  }
}

extension TextStoreBuilder {
  /// Builds a store of captions of whole videos (YC2C, VATEX): each video is its own clip, without
  /// `ts`.
  ///
  /// A row may be a single caption, as in VALUE's retrieval annotations, on which its captioners
  /// train.
  func buildVideoCaptions(
    in folder: OutputFolder, with tokenizer: Tokenizer, report: inout TextStoreReport,
    onSkip: (String) -> Void
  ) throws {
    try writeMeta(to: folder, tokenizer, task: task.rawValue)
    var places: [Name: Int] = [:]
    var clips: [ClipRow] = []
    try forEachRow(report: &report, onSkip: onSkip) { row in
      let video = try row.id("vid_name")
      let added = try ClipRow(wholeVideo: row, video: video)
      if let place = places[video] {
        clips[place].captions += added.captions
      } else {
        places[video] = clips.count
        clips.append(added)
      }
    }
    let writer = try CaptionWriter(folder: folder, compression: compression)
    for clip in clips { try writer.put(clip, tokenizer: tokenizer) }
    try writer.finish()
    report.notes += writer.notes(of: annotation)
  }
}

/// Returns the times of all sentences by video, and reports unusable rows.
///
/// If a video has two rows, the first counts, as in the subtitle store.
private func sentenceTimes(
  path: String, onSkip: (String) -> Void
) throws -> [Name: [(start: Double, end: Double)]] {
  var times: [Name: [(start: Double, end: Double)]] = [:]
  try JSONLines.read(path: path) { line, value in
    do {
      guard let row = value.object else { throw BadRow("is \(value.kind), not an object") }
      let video = try row.id("vid_name")
      guard times[video] == nil else { throw BadRow("the video \"\(video)\" occurs twice") }
      guard let listed = row["sub"]?.array else { throw BadRow("\"sub\" is not a list of sentences") }
      // The subtitle store has the same order.
      let sentences = SentenceOrder.sorted(listed) ?? listed
      times[video] = try sentences.enumerated().map { index, sentence in
        guard let fields = sentence.object else { throw BadRow("sentence \(index) is \(sentence.kind)") }
        return (try fields.number("start"), try fields.number("end"))
      }
    } catch let bad as BadRow {
      onSkip("\(path), line \(line): \(bad.reason)")
    }
  }
  return times
}

/// A clip with its captions as the annotation has them.
private struct ClipRow {
  let id: String
  let video: String
  let moment: JSON
  let duration: JSON
  /// The sentences that overlap the moment.
  let sentences: JSON
  var captions: [(id: String, row: JSONObject)]

  init(_ row: JSONObject, video: String, sentences: [(start: Double, end: Double)]) throws {
    id = try row.id("clip_id")
    self.video = video
    moment = row["ts"] ?? .null
    try Moment.check(moment, name: "ts")
    _ = try row.seconds("duration")
    duration = row["duration"] ?? .null
    let pair = moment.array ?? []
    let (start, end) = (pair.first?.double ?? 0, pair.last?.double ?? 0)
    self.sentences = .integers(
      sentences.indices.filter { index in
        let sentence = sentences[index]
        return (start < sentence.start && sentence.start < end)
          || (start < sentence.end && sentence.end < end)
          || (sentence.start < start && start < end && end < sentence.end)
      })
    captions = try Self.captions(of: row)
  }

  /// Reads one row's captions, with the whole video as their clip.
  init(wholeVideo row: JSONObject, video: String) throws {
    id = row["clip_id"] == nil ? video : try row.id("clip_id")
    self.video = video
    (moment, duration, sentences) = (.null, row["duration"] ?? .null, .array([]))
    captions =
      row["desc"] == nil
      ? try Self.captions(of: row)
      : [try Self.caption(row, kind: "object")]
  }

  /// Returns the captions of `descs`; none where it is missing or null, as on hidden test splits.
  private static func captions(of row: JSONObject) throws -> [(id: String, row: JSONObject)] {
    guard let value = row["descs"], !value.isNull else { return [] }
    guard let list = value.array else {
      throw BadRow("\"descs\" is \(value.kind), not a list of {\"desc_id\", \"desc\"}")
    }
    return try list.map { try caption($0.object, kind: $0.kind) }
  }

  private static func caption(_ row: JSONObject?, kind: String) throws -> (id: String, row: JSONObject) {
    guard let row else { throw BadRow("a caption is \(kind)") }
    _ = try row.text("desc")
    return (try row.id("desc_id"), row)
  }
}

/// A writer of the two stores and their side files.
private final class CaptionWriter {
  private let folder: OutputFolder
  private let captionEntries: TextEntryWriter
  private let clipEntries: TextEntryWriter
  private let clipVideos: JSONObjectFile
  private var captionVideos = JSONObject()
  private var videoCaptions = JSONObject()
  private var videoClips = JSONObject()
  /// The number of captions that repeat an earlier id; as in the reference, the last counts.
  private var repeatedCaptions = 0
  /// The ids of captions without words, of clips that end after their videos, of clips without
  /// length, and of clips without captions.
  private var (wordless, late, instant, uncaptioned) = ([String](), [String](), [String](), [String]())
  private var clipCount = 0
  private var names = SpelledNames()

  init(folder: OutputFolder, compression: Compression) throws {
    self.folder = folder
    captionEntries = try TextEntryWriter(folder: folder.folder("cap.db"), compression: compression)
    clipEntries = try TextEntryWriter(folder: folder.folder("clip.db"), compression: compression)
    clipVideos = try JSONObjectFile(path: folder.file("clip.db/clip2vid.json"))
  }

  func put(_ clip: ClipRow, tokenizer: Tokenizer) throws {
    let ids = clip.captions.map { tokenizer.encode($0.row["desc"]?.string ?? "") }
    try clipEntries.put(clip.id, clipFields(clip, ids: ids))
    try clipVideos.append(clip.id, .string(clip.video))
    names.add(clip.id, clip.video)
    clipCount += 1
    if clip.captions.isEmpty { uncaptioned.append(clip.id) }
    videoClips.append(.string(clip.id), to: clip.video)
    if let span = TimeSpan(clip.moment) {
      if span.start == span.end { instant.append(clip.id) }
      if let duration = clip.duration.double, span.end > duration + TextStoreBuilder.looseSeconds {
        late.append(clip.id)
      }
    }
    for (caption, ids) in zip(clip.captions, ids) {
      let isNew = try captionEntries.replace(caption.id, captionFields(caption.row, of: clip, ids: ids))
      if !isNew { repeatedCaptions += 1 }
      if ids.isEmpty || caption.row["desc"]?.string?.utf8.allSatisfy({ $0 <= 0x20 }) ?? true {
        wordless.append(caption.id)
      }
      captionVideos[caption.id] = .string(clip.video)
      videoCaptions.append(.string(caption.id), to: clip.video)
    }
  }

  private func captionFields(_ row: JSONObject, of clip: ClipRow, ids: [Int32]) -> JSONObject {
    var fields = row
    fields["input_ids"] = .integers(ids)
    fields["vid_name"] = .string(clip.video)
    fields["clip_id"] = .string(clip.id)
    fields["ts"] = clip.moment
    fields["sub_indices"] = clip.sentences
    fields["duration"] = clip.duration
    return fields
  }

  private func clipFields(_ clip: ClipRow, ids: [[Int32]]) -> JSONObject {
    let captions = zip(clip.captions, ids).map { caption, ids in
      JSON.object([
        "id": caption.row["desc_id"] ?? .null, "input_ids": .integers(ids),
        "text": caption.row["desc"] ?? .null,
      ])
    }
    return [
      "vid_name": .string(clip.video), "ts": clip.moment, "sub_indices": clip.sentences,
      "duration": clip.duration, "captions": .array(captions),
    ]
  }

  /// Returns the lines to report about what was written.
  func notes(of annotation: String) -> [String] {
    var notes = names.notes(in: annotation)
    if repeatedCaptions > 0 {
      notes.append("\(repeatedCaptions) captions have an id that an earlier one has; the last counts")
    }
    if let first = wordless.first {
      notes.append("\(wordless.count) captions, the first \"\(first)\", have no words; they are kept")
    }
    if let first = late.first {
      notes.append(
        "\(late.count) clips, the first \"\(first)\", end after their video does (\"duration\"); they are kept"
      )
    }
    if let first = instant.first {
      notes.append("\(instant.count) clips, the first \"\(first)\", end when they begin; they are kept")
    }
    if let first = uncaptioned.first, uncaptioned.count < clipCount {
      notes.append(
        "\(uncaptioned.count) of \(clipCount) clips, the first \"\(first)\", have no captions, the others do; they are "
          + "kept")
    }
    return notes
  }

  func finish() throws {
    try captionEntries.finish()
    try clipEntries.finish()
    try clipVideos.finish()
    try write([:], to: "cap.db/id2len.json")
    try write(captionVideos, to: "cap.db/cap2vid.json")
    try write(videoCaptions, to: "cap.db/vid2caps.json")
    try write(videoClips, to: "clip.db/vid2clips.json")
  }

  private func write(_ object: JSONObject, to name: String) throws {
    try AtomicFile.write(JSON.object(object).encodedBytes(style: .python), to: folder.file(name))
  }
}

extension JSONObject {
  /// Adds a value to the list under `key`, which begins empty.
  fileprivate mutating func append(_ value: JSON, to key: String) {
    var list = self[key]?.array ?? []
    list.append(value)
    self[key] = .array(list)
  }
}
