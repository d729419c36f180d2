import Formats
import Foundation
import Text

/// The subtitle store (`prepro_sub.py`).
extension TextStoreBuilder {
  /// The most frames of a video; a larger number is taken for a mistake.
  private static let mostFrames = 1_000_000

  func buildSubtitles(
    in folder: OutputFolder, with tokenizer: Tokenizer, report: inout TextStoreReport,
    onSkip: (String) -> Void, onNote: (String) -> Void
  ) throws {
    let (frameCounts, source) = try knownFrameCounts()
    let sources: JSONObject = ["vid2nframe": .string(source), "frame_length": .double(frameLength)]
    try writeMeta(to: folder, tokenizer, sources: sources, task: "tv")
    try copyVideoDurations(to: folder) { frameCounts[Name($0)] }
    let entries = try TextEntryWriter(folder: folder.partial, compression: compression)
    let lengths = try JSONObjectFile(path: folder.file("vid2len.json"))
    let longest = try JSONObjectFile(path: folder.file("vid2max_frame_sub_len.json"))
    let information = try JSONObjectFile(path: folder.file("sub_info.json"))
    var missing: [String] = []
    var unsorted: [String] = []
    var odd = (reversed: 0, early: 0)
    var late = (sentences: 0, videos: [String]())
    var misplaced = (sentences: 0, first: "")
    try forEachSubtitleRow(frameCounts, report: &report, onSkip: onSkip, onNote: onNote) { row in
      let video = try row.id("vid_name")
      guard let frames = frameCounts[video] else {
        missing.append(video)
        throw BadRow("\(source) does not have \"\(video)\"")
      }
      var row = row
      if let sorted = row["sub"]?.array.flatMap(SentenceOrder.sorted) {
        row["sub"] = .array(sorted)
        unsorted.append(video)
      }
      let subtitles = try SubtitleRow(row, video: video, frameLength: frameLength)
      let entry = try subtitles.entry(
        frames: frames, group: frameGroup, tokenizer: tokenizer)
      try entries.put(video, entry.fields)
      odd = (odd.reversed + subtitles.reversed, odd.early + subtitles.early)
      if let first = subtitles.misplaced.first {
        if misplaced.sentences == 0 { misplaced.first = "\"\(video)\" from \(first.start) to \(first.end) s" }
        misplaced.sentences += subtitles.misplaced.count
      }
      let behind = subtitles.late(after: Double(entry.frames) * frameLength)
      if behind > 0 { late = (late.sentences + behind, late.videos + [video]) }
      try lengths.append(video, .int(entry.frames))
      try longest.append(video, .int(entry.longest))
      try information.append(video, .object(entry.information))
    }
    if odd.reversed > 0 {
      report.notes.append("\(odd.reversed) sentences end before they begin: no frame is theirs")
    }
    if odd.early > 0 { report.notes.append("\(odd.early) sentences begin before their video does") }
    if misplaced.sentences > 0 {
      report.notes.append(
        "\(misplaced.sentences) sentences, such as that of \(misplaced.first), are at no time of a video or longer "
          + "than one; they are left out")
    }
    if let first = late.videos.first {
      report.notes.append(
        "\(late.sentences) sentences of \(late.videos.count) videos, such as \"\(first)\", begin more than "
          + "\(Int(SubtitleRow.lateSeconds)) s after their video's last frame: no frame is theirs. Check that times "
          + "are seconds and that the subtitles are the video's")
    }
    report.noteNames(missing: missing, among: frameCounts.keys.lazy.map(\.text), in: source)
    if let first = unsorted.first {
      report.notes.append(
        "the sentences of \(unsorted.count) videos, such as \"\(first)\", did not come by their start; they are sorted"
      )
    }
    try entries.finish()
    try lengths.finish()
    try longest.finish()
    try information.finish()
  }

  /// Returns the number of frames of each video, and the file or store that has it.
  private func knownFrameCounts() throws -> (counts: [Name: Int], source: String) {
    if let vid2nframe {
      let cure = "Give the id2nframe.json that convert-videodb writes"
      let counts = try IdentifierTable.frameCounts(path: vid2nframe, limit: Self.mostFrames, cure: cure)
      return (counts, vid2nframe)
    }
    guard let featureStore else {
      throw DataError(
        "subtitles can only be matched to frames when the videos' numbers of frames are known",
        cure: "Give --vfeat-db, or --vid2nframe with the id2nframe.json that convert-videodb writes")
    }
    let store = try FeatureStore(path: featureStore, frameLength: frameLength)
    let counts = store.videos.map { (Name($0), store.frameCount(of: $0) ?? 0) }
    return (Dictionary(counts) { first, _ in first }, store.path)
  }

  /// Calls `handle` with the rows of the annotation, or of subtitle files and of videos without
  /// any.
  private func forEachSubtitleRow(
    _ frameCounts: [Name: Int], report: inout TextStoreReport, onSkip: (String) -> Void,
    onNote: (String) -> Void, _ handle: (JSONObject) throws -> Void
  ) throws {
    guard SubtitleFileList.isMeant(by: annotation) else {
      return try forEachRow(report: &report, onSkip: onSkip, handle)
    }
    let files = try SubtitleFileList(paths: [annotation] + moreSubtitles, onLeftOut: onSkip)
      .byVideo { frameCounts[$0] != nil }
    var silent = Set(frameCounts.keys)
    for (video, paths) in files {
      do {
        guard frameCounts[video] != nil else { throw BadRow("there is no video \"\(video)\"") }
        let (path, cues) = try SubtitleFileList.firstWithText(
          of: paths, encoding: encoding, frameRate: subtitleFrameRate.map { rate in { rate($0, video) } },
          onSkip: onSkip, onNote: onNote)
        for other in paths where other != path {
          onNote("\(other): the subtitles of \"\(video)\" are \(path)")
        }
        try handle(["vid_name": .string(video), "sub": .array(cues.map(\.json))])
        silent.remove(Name(video))
        report.rows += 1
      } catch let bad as BadRow {
        report.skip("\(paths[0]): \(bad.reason)", onSkip)
      } catch let error as DataError {
        report.skip("\(error)", onSkip)
      }
    }
    guard report.rows > 0 else { return }
    for video in silent.sorted() {
      try handle(["vid_name": .string(video.text), "sub": []])
    }
    if !silent.isEmpty { report.notes.append("\(silent.count) videos have no subtitles") }
  }

  private func copyVideoDurations(to folder: OutputFolder, frames: (String) -> Int?) throws {
    guard let vid2durIdx else { return }
    try ListedVideo.requireSeconds(
      ListedVideo.splits(path: vid2durIdx), file: vid2durIdx, frameLength: frameLength, frames: frames)
    try AtomicFile.write(try FileBytes.read(path: vid2durIdx), to: folder.file("vid2dur_idx.json"))
  }
}

/// A video's subtitles as the annotation has them.
struct SubtitleRow {
  /// The most tokens of a sentence: the model's attention grows with their square.
  private static let mostTokens = 4096

  private var row: JSONObject
  private let video: String
  private let frameLength: Double
  private var texts: [String] = []
  private var times: [SubtitleTime] = []
  /// The times of the sentences that are left out.
  private(set) var misplaced: [SubtitleTime] = []
  /// The number of sentences that end before they begin.
  var reversed: Int { times.count { $0.end < $0.start } }
  /// The number of sentences that begin before the video.
  var early: Int { times.count { $0.start < 0 } }
  /// The seconds after a video's last frame beyond which a sentence cannot belong to it.
  static let lateSeconds = 10.0

  /// Returns the number of sentences that begin more than `lateSeconds` after `end`, in seconds.
  func late(after end: Double) -> Int { times.count { Double($0.start) > end + Self.lateSeconds } }

  /// The end of the last sentence in seconds, as it is written.
  private var end = 0.0

  struct Entry {
    var fields: JSONObject
    var frames: Int
    /// The most tokens and frames that one sentence has together.
    var longest: Int
    var information: JSONObject
  }

  /// - Parameter frameLength: seconds per frame.
  init(_ row: JSONObject, video: String, frameLength: Double) throws {
    self.row = row
    self.video = video
    self.frameLength = frameLength
    guard let sentences = row["sub"]?.array else { throw BadRow("\"sub\" is not a list of sentences") }
    var kept: [JSON] = []
    for (index, sentence) in sentences.enumerated() {
      guard let fields = sentence.object else { throw BadRow("sentence \(index) is \(sentence.kind)") }
      let (text, start, stop) = (
        try fields.text("text"), try fields.number("start"), try fields.number("end")
      )
      let time = SubtitleTime(start: Float(start), end: Float(stop))
      guard SubtitleMatching.canMatch(time, frameLength: frameLength) else {
        misplaced.append(time)
        continue
      }
      texts.append(text)
      times.append(time)
      kept.append(sentence)
      end = stop
    }
    if !misplaced.isEmpty { self.row["sub"] = .array(kept) }
  }

  /// - Parameter group: the number of frames of each empty sentence in a video without subtitles; 0
  ///   for no such sentences.
  func entry(frames: Int, group: Int, tokenizer: Tokenizer) throws -> Entry {
    var frames = frames
    if frames == 0, !times.isEmpty {
      guard abs(end) < 1e6 else { throw BadRow("the last sentence ends at \(end) s") }
      frames = max(0, Int(end.rounded(.towardZero) / frameLength))
    }
    guard !times.isEmpty, frames > 0 else {
      return emptyEntry(frames: frames, group: group)
    }
    let matching = try SubtitleMatching(times: times, frames: frames, frameLength: frameLength)
    let ids = texts.map(tokenizer.encodeSubtitle)
    if let index = ids.firstIndex(where: { $0.count > Self.mostTokens }) {
      throw BadRow(
        "sentence \(index) of \"\(video)\" has \(ids[index].count) tokens, more than \(Self.mostTokens)")
    }
    let touched = matching.touched.map { $0 ?? [] }
    let longest = zip(ids, touched).map { $0.count + $1.count }.max() ?? 0
    let unmatched = matching.unmatched
    let fields = self.fields(
      ids: ids, owned: matching.owned, touched: touched, unmatched: unmatched, frames: frames,
      longest: longest)
    return Entry(
      fields: fields, frames: frames, longest: longest,
      information: information(matching, unmatched: unmatched))
  }

  private func emptyEntry(frames: Int, group: Int) -> Entry {
    let pieces =
      group == 0
      ? [] : stride(from: 0, to: frames, by: group).map { Array($0..<min($0 + group, frames)) }
    let longest = pieces.map(\.count).max() ?? 0
    let fields = self.fields(
      ids: pieces.map { _ in [] }, owned: pieces, touched: pieces, unmatched: [], frames: frames,
      longest: longest)
    let information: JSONObject = [
      "num_of_frames": .int(frames), "max_sub_length": 0, "max_sub_duration": 0, "max_gap_time": 0,
      "max_overlap_time": 0, "max_matched_frame_len": 0, "max_unmatched_group_len": .double(frameLength),
      "extra_long_subs": 0,
    ]
    return Entry(fields: fields, frames: frames, longest: longest, information: information)
  }

  /// Returns the row with the fields that the matching adds, in the reference's order and spelling.
  private func fields(
    ids: [[Int32]], owned: [[Int]], touched: [[Int]], unmatched: [Int], frames: Int, longest: Int
  ) -> JSONObject {
    func pairs(_ lists: [[Int]]) -> JSON {
      .array(lists.enumerated().map { .array([.int($0), .integers($1)]) })
    }
    var fields = row
    fields["unmatched_frames"] = .integers(unmatched)
    fields["input_ids"] = .array(ids.map { .integers($0) })
    fields["unique_sub2frames"] = pairs(owned)
    fields["sub2frames"] = pairs(touched)
    fields["v_id"] = .string(video)
    fields["duration"] = .int(frames)
    fields["max_mtached_sub_len"] = .int(longest)
    return fields
  }

  /// Returns the video's part of `sub_info.json`.
  private func information(_ matching: SubtitleMatching, unmatched: [Int]) -> JSONObject {
    func object(_ members: some Sequence<(Int, JSON)>) -> JSON {
      .object(JSONObject(members.map { (key: String($0), value: $1) }))
    }
    func seconds(_ value: Float?) -> JSON { value.map { .double(Double($0)) } ?? 0 }
    let touched = matching.touched.enumerated().compactMap { index, frames in
      frames.map { (index, JSON.integers($0)) }
    }
    let subtitles = matching.subtitles.enumerated().filter { !$1.isEmpty }
    let owners = matching.owner.enumerated().compactMap { frame, owner in
      owner.map { (frame, JSON.int($0)) }
    }
    let words = texts.map { $0.unicodeScalars.count { $0 == " " } + 1 }
    return [
      "num_of_frames": .int(matching.subtitles.count),
      "unique_sub2frames": object(matching.owned.enumerated().map { ($0, .integers($1)) }),
      "sub2frames": object(touched),
      "frame2subs": object(subtitles.map { ($0, .integers($1)) }),
      "frame2unique_sub": object(owners),
      "unmatched_frames": .integers(unmatched),
      "max_sub_length": .int(words.max() ?? 0),
      "max_sub_duration": seconds(matching.statistics.maxDuration),
      "max_gap_time": seconds(matching.statistics.maxGap),
      "max_overlap_time": seconds(matching.statistics.maxOverlap),
      "max_matched_frame_len": .int(matching.owned.map(\.count).max() ?? 0),
      "max_unmatched_group_len": .int(matching.longestUnmatchedRun),
      "extra_long_subs": .int(matching.statistics.extraLong),
    ]
  }
}
