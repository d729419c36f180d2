import Corpus
import Engine
import Formats
import Metrics
import Model
import Text

/// Generation of captions for clips (the reference's `TvcGenerator`).
public struct CaptionGenerator {
  /// One of the models that write together, and the reader of its videos.
  public typealias Member = (model: CaptionModel, videos: VideoReader)

  private let members: [Member]
  private let tokenizer: Tokenizer
  private let options: DecodingOptions
  private let frameInterval: Double
  private let videoBatch: Int
  private let clipBatch: Int
  private let skips: SkipReport
  /// The first member's reader, for messages.
  private var videos: VideoReader { members[0].videos }

  /// - Parameters:
  ///   - members: the models that write together, at least one, of one vocabulary. A clip needs all
  ///     of them to read it.
  ///   - options: the settings of the search.
  ///   - frameInterval: seconds between frames.
  ///   - videoBatch: the number of videos of a pass.
  ///   - clipBatch: the most clips to decode together.
  ///   - skips: reports every clip without a place in its video and every video that cannot be
  ///     read; their captions are empty.
  public init(
    _ members: [Member], tokenizer: Tokenizer, options: DecodingOptions, frameInterval: Double,
    videoBatch: Int, clipBatch: Int = 256, skips: SkipReport = SkipReport()
  ) {
    precondition(!members.isEmpty)
    self.members = members
    self.tokenizer = tokenizer
    self.options = options
    self.frameInterval = frameInterval
    self.videoBatch = videoBatch
    self.clipBatch = max(1, clipBatch)
    self.skips = skips
  }

  /// Writes a caption for each clip, in the order given, in place of the clip's own captions.
  ///
  /// Each video is read and encoded once; the ranks share the passes. A clip gets an empty caption
  /// if its video cannot be read, if it starts after the video's last frame, or if its `ts` is no
  /// moment. The result therefore covers all clips.
  /// - Parameter progress: takes the number of clips done; what it throws ends the work.
  /// - Returns: the rows, and the number of clips that could not be described.
  /// - Throws: `DataError` if more than half of the clips cannot be described.
  public func run(
    _ clips: [CaptionRow], among communicator: any Communicator = SoleCommunicator.shared,
    progress: (Int) throws -> Void = { _ in }
  ) throws -> (rows: [CaptionRow], leftOut: Int) {
    let tokens = try captionTokens(clips, among: communicator, progress: progress)
    let leftOut = tokens.count { $0 == nil }
    try requireMost(clips.count - leftOut, of: clips.count, "clips", file: videos.features.path)
    let rows = zip(clips, tokens).map { clip, tokens in
      var row = clip
      row.captions = [tokenizer.decode(tokens ?? [])]
      return row
    }
    return (rows, leftOut)
  }

  /// Checks, before any work, whether most clips can be described.
  /// - Throws: `DataError` if more than half cannot.
  public func requireUsable(_ clips: [CaptionRow]) throws {
    for (model, videos) in members {
      try videos.requireMost(clips.lazy.map(\.video), "clips", file: videos.features.path)
      var readable = ReadableVideos(videos, for: model.configuration)
      try requireMost(of: clips, "clips", file: videos.features.path) { clip in
        let span = try clip.span()
        let frames = try readable.frames(of: clip.video)
        if span.clip(frames: frames, interval: frameInterval) == nil {
          throw DataError.clipBeyondVideo(clip.video, frames: frames)
        }
      }
    }
  }

  /// Writes the caption of a moment of a video.
  ///
  /// The moment may lie anywhere: the model reads as much of the video around it as it can.
  /// - Parameter span: the moment; nil for the whole video.
  /// - Throws: `DataError` for a video that cannot be read, and for a moment that begins after its
  ///   end or is longer than the model reads.
  public func caption(_ video: String, _ span: TimeSpan?) throws -> String {
    let shown = try members.map { model, videos in
      try checkTokens([tokenizer.bos, tokenizer.eos], model.configuration, "the tokenizer")
      let whole = try videos.open(video)
      let frames = try whole.frames(of: span, interval: frameInterval)
      let (item, first) = try videos.read(whole, around: frames)
      try item.check(model.configuration)
      let place: Place = (0, frames.lowerBound - first..<frames.upperBound - first)
      return (batch: try VideoBatch([item], model: model.configuration), places: [place])
    }
    return tokenizer.decode(decode(shown.map(\.batch), shown.map(\.places)).first ?? [])
  }

  /// Returns the token ids of every clip's caption, without `BOS` and `EOS`; nil for skipped clips.
  func captionTokens(
    _ clips: [CaptionRow], among communicator: any Communicator = SoleCommunicator.shared,
    progress: (Int) throws -> Void = { _ in }
  ) throws -> [[Int32]?] {
    for (model, videos) in members {
      try checkTokens([tokenizer.bos, tokenizer.eos], model.configuration, "the tokenizer")
      try videos.requireMost(clips.lazy.map(\.video), "clips", file: videos.features.path)
    }
    var captions = [[Int32]?](repeating: nil, count: clips.count)
    let (work, spans) = try byVideo(clips)
    let batches = ItemBatches(count: work.count, size: videoBatch)
    let readers = members.map { (reader: $0.videos, configuration: $0.model.configuration) }
    let found = try communicator.divide(batches.batches) { own -> [[Int32]] in
      let queue = Prefetch(own) { [skips] number in
        // What each member reads of the videos that all members can read.
        let read = try work[batches[number]].compactMap { video, clips in
          let items = try readers.compactMap { try $0.reader.read(video, for: $0.configuration, skips) }
          return items.count == readers.count ? (items: items, clips: clips) : nil
        }
        let videos = try readers.indices.map { member in
          try VideoBatch(read.map { $0.items[member] }, model: readers[member].configuration)
        }
        return (read: read, batches: videos)
      }
      var written: [[Int32]] = []
      var done = 0
      let total = work[batches.range(of: own)].reduce(0) { $0 + $1.clips.count }
      while let (read, videos) = try queue.next() {
        let (places, ranges) = shown(clips, spans, read)
        written += zip(places, decode(videos, ranges)).map { [Int32($0)] + $1 }
        done += read.reduce(0) { $0 + $1.clips.count }
        try progress(communicator.stretched(done, own: total, total: clips.count))
      }
      return written
    }
    for words in found.joined() { captions[Int(words[0])] = Array(words.dropFirst()) }
    return captions
  }

  /// A clip's place in a batch: its video, and its frames in that video.
  private typealias Place = (video: Int, frames: Range<Int>)

  /// Returns the places of the clips that frames show, and those frames in each member's videos.
  private func shown(
    _ clips: [CaptionRow], _ spans: [TimeSpan?], _ read: [(items: [VideoItem], clips: [Int])]
  ) -> (places: [Int], ranges: [[Place]]) {
    var ranges: [[Place]] = members.map { _ in [] }
    var places: [Int] = []
    for (number, video) in read.enumerated() {
      for place in video.clips {
        let frames = video.items.compactMap {
          spans[place].clip(frames: $0.frameCount, interval: frameInterval)
        }
        if frames.count == members.count {
          for member in members.indices { ranges[member].append((number, frames[member])) }
          places.append(place)
        } else {
          let fewest = video.items.min { $0.frameCount < $1.frameCount } ?? video.items[0]
          let error = DataError.clipBeyondVideo(fewest.name, frames: fewest.frameCount)
          skips.skip("clip \(clips[place].clip)", file: videos.features.path, error)
        }
      }
    }
    return (places, ranges)
  }

  /// Groups the clips by video, in order of first occurrence, and returns each clip's span.
  ///
  /// Clips whose `ts` is no moment are skipped.
  private func byVideo(
    _ clips: [CaptionRow]
  ) throws -> (work: [(video: String, clips: [Int])], spans: [TimeSpan?]) {
    var numbers: [Name: Int] = [:]
    var work: [(video: String, clips: [Int])] = []
    var spans = [TimeSpan?](repeating: nil, count: clips.count)
    for (place, clip) in clips.enumerated() {
      do {
        spans[place] = try clip.span()
      } catch let error as DataError {
        skips.skip("clip \(clip.clip)", file: videos.features.path, error)
        continue
      }
      if let number = numbers[clip.video] {
        work[number].clips.append(place)
      } else {
        numbers[clip.video] = work.count
        work.append((clip.video, [place]))
      }
    }
    return (work, spans)
  }

  /// - Parameters:
  ///   - batches: the videos, as each member reads them.
  ///   - clips: the clips' places in each member's batch.
  private func decode(_ batches: [VideoBatch], _ clips: [[Place]]) -> [[Int32]] {
    guard !clips[0].isEmpty else { return [] }
    let bounds = CaptionBounds(beginning: tokenizer.bos, end: tokenizer.eos)
    let tape = Tape.inference(members[0].model.store.backend)
    let encoded = members.indices.map { member in
      let model = members[member].model
      let input = ClipInput(
        batches[member], clips: clips[member], for: model.configuration, on: model.store.backend)
      return (clips: input.clips, memory: model.memory(tape, input))
    }
    return stride(from: 0, to: clips[0].count, by: clipBatch).flatMap { first in
      let part = first..<min(clips[0].count, first + clipBatch)
      let streams = zip(members, encoded).map { member, encoded in
        let rows = encoded.clips.offsets[part.lowerBound]..<encoded.clips.offsets[part.upperBound]
        return CaptionWriter.Stream(
          model: member.model, memory: encoded.memory.rowsView(rows),
          clips: Segments(
            lengths: part.map { encoded.clips[$0].count }, on: member.model.store.backend))
      }
      return CaptionWriter(streams).decode(tape, bounds, options)
    }
  }
}

extension CaptionRow {
  /// Returns the clip's times; nil where the clip is the whole video.
  fileprivate func span() throws -> TimeSpan? {
    guard let times else { return nil }
    guard times.count == 2, times.allSatisfy(TimeSpan.isTime), times[0] <= times[1] else {
      throw DataError(
        "\"ts\" is \(times), not a start and an end", place: "clip \(clip)",
        cure: "Give rows with vid_name, clip_id and ts in seconds, or without ts for whole videos")
    }
    return TimeSpan(start: times[0], end: times[1])
  }
}

extension CaptionRow {
  /// Reads the usable rows of a file.
  /// - Parameter skips: reports every other row.
  /// - Throws: `DataError` if the file or more than half of its rows cannot be read.
  public static func read(path: String, skips: SkipReport) throws -> [CaptionRow] {
    var errors: [DataError] = []
    let rows = try read(path: path) { place, error in
      errors.append(error.located(file: path, place: place))
      skips.skip([place, error.place].compactMap { $0 }.joined(separator: ", "), file: path, error)
    }
    try requireMost(rows.count, of: rows.count + errors.count, "rows", file: path, first: errors.first)
    return rows
  }
}

extension CaptionStore {
  /// Reads all clips, with the annotators' captions.
  /// - Parameter skips: reports every clip whose row cannot be read; such clips are skipped.
  /// - Throws: `DataError` if more than half of the clips cannot be read.
  public func rows(skips: SkipReport = SkipReport()) throws -> [CaptionRow] {
    let rows = try clipIDs.compactMap { id -> CaptionRow? in
      do {
        let clip = try clip(id)
        return CaptionRow(
          video: clip.video, clip: QueryID(id), times: clip.span.map { [$0.start, $0.end] },
          captions: clip.captions.compactMap(\.text))
      } catch let error as DataError {
        skips.skip("clip \(id)", file: path, error)
        return nil
      }
    }
    try requireMost(rows.count, of: clipIDs.count, "clips", file: path)
    return rows
  }
}
