import Corpus
import Engine
import Formats
import Metrics
import Model
import Text

/// Writes captions for clips (the reference's `TvcGenerator`).
public struct CaptionGenerator {
  private let model: CaptionModel
  private let videos: VideoReader
  private let tokenizer: Tokenizer
  private let options: DecodingOptions
  private let frameInterval: Double
  private let videoBatch: Int
  private let clipBatch: Int
  private let skips: SkipReport

  /// - Parameters:
  ///   - options: how captions are searched for.
  ///   - frameInterval: seconds between frames.
  ///   - videoBatch: videos a pass.
  ///   - clipBatch: clips that are decoded together, at most.
  ///   - skips: told of every clip without a place in its video and every video that cannot be read; their captions
  ///     are left empty.
  public init(
    model: CaptionModel, videos: VideoReader, tokenizer: Tokenizer, options: DecodingOptions,
    frameInterval: Double, videoBatch: Int, clipBatch: Int = 256, skips: SkipReport = SkipReport()
  ) {
    self.model = model
    self.videos = videos
    self.tokenizer = tokenizer
    self.options = options
    self.frameInterval = frameInterval
    self.videoBatch = videoBatch
    self.clipBatch = max(1, clipBatch)
    self.skips = skips
  }

  /// The clips with a caption each, in the order given; captions that they come with are put aside.
  ///
  /// Every video is read and encoded once; the passes are divided among the ranks. A clip whose video cannot be read, that
  /// starts after its video's last frame or whose `ts` is no moment gets an empty caption, so that the result is about
  /// all clips.
  /// - Parameter progress: called with the number of clips done; what it throws ends the work.
  /// - Returns: the rows, and how many of them could not be described.
  /// - Throws: `DataError` where more than half of the clips cannot be described.
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

  /// The caption of a moment of a video, however late it is: what the model reads is as much of the video as it can, with the
  /// moment in it.
  /// - Parameter span: nil for the whole video.
  /// - Throws: `DataError` for a video that cannot be read, and a moment that begins after its end or is longer than what the
  ///   model reads.
  public func caption(_ video: String, _ span: TimeSpan?) throws -> String {
    try checkTokens([tokenizer.bos, tokenizer.eos], model.configuration, "the tokenizer")
    let whole = try videos.open(video)
    let frames = try whole.frames(of: span, interval: frameInterval)
    let (item, first) = try videos.read(whole, around: frames)
    try item.check(model.configuration)
    let batch = try VideoBatch([item], model: model.configuration)
    let own = frames.lowerBound - first..<frames.upperBound - first
    return tokenizer.decode(decode(batch, [(0, own)]).first ?? [])
  }

  /// Token ids of every clip's caption, without `BOS` and `EOS`; nil for clips that cannot be described.
  func captionTokens(
    _ clips: [CaptionRow], among communicator: any Communicator = SoleCommunicator.shared,
    progress: (Int) throws -> Void = { _ in }
  ) throws -> [[Int32]?] {
    try checkTokens([tokenizer.bos, tokenizer.eos], model.configuration, "the tokenizer")
    try videos.requireMost(clips.lazy.map(\.video), "clips", file: videos.features.path)
    var captions = [[Int32]?](repeating: nil, count: clips.count)
    let (work, spans) = try byVideo(clips)
    let batches = ItemBatches(count: work.count, size: videoBatch)
    let parcels = try communicator.divide(batches.batches) { own in
      let queue = Prefetch(own) {
        [videos, skips, configuration = model.configuration] number in
        let read = try work[batches[number]].compactMap { video, clips in
          try videos.read(video, for: configuration, skips).map { (item: $0, clips: clips) }
        }
        return (videos: read, batch: try VideoBatch(read.map(\.item), model: configuration))
      }
      var parcel = Parcel()
      var done = 0
      let total = work[batches.range(of: own)].reduce(0) { $0 + $1.clips.count }
      while let (read, batch) = try queue.next() {
        let (places, ranges) = shown(clips, spans, read)
        for (place, words) in zip(places, decode(batch, ranges)) {
          parcel.put([Int32(place)] + words)
        }
        done += read.reduce(0) { $0 + $1.clips.count }
        try progress(communicator.stretched(done, own: total, total: clips.count))
      }
      return parcel
    }
    for var parcel in parcels {
      while !parcel.isAtEnd {
        let words = parcel.take(Int32.self)
        captions[Int(words[0])] = Array(words.dropFirst())
      }
    }
    return captions
  }

  /// The clips of some videos that frames show, by their places, and those frames.
  private func shown(
    _ clips: [CaptionRow], _ spans: [TimeSpan?], _ read: [(item: VideoItem, clips: [Int])]
  ) -> (places: [Int], ranges: [(video: Int, frames: Range<Int>)]) {
    var ranges: [(video: Int, frames: Range<Int>)] = []
    var places: [Int] = []
    for (number, video) in read.enumerated() {
      for place in video.clips {
        let count = video.item.frameCount
        if let frames = spans[place].clip(frames: count, interval: frameInterval) {
          ranges.append((number, frames))
          places.append(place)
        } else {
          let error = DataError.clipBeyondVideo(video.item.name, frames: count)
          skips.skip("clip \(clips[place].clip)", file: videos.features.path, error)
        }
      }
    }
    return (places, ranges)
  }

  /// The videos, each with the places of its clips, in the order in which they first come up, and where in its video each
  /// clip is. Clips whose `ts` is no moment are left out.
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

  private func decode(_ batch: VideoBatch, _ clips: [(video: Int, frames: Range<Int>)]) -> [[Int32]] {
    guard !clips.isEmpty else { return [] }
    let tape = Tape.inference(model.store.backend)
    let bounds = CaptionBounds(beginning: tokenizer.bos, end: tokenizer.eos)
    let input = ClipInput(batch, clips: clips, for: model.configuration, on: model.store.backend)
    let memory = model.memory(tape, input)
    return stride(from: 0, to: clips.count, by: clipBatch).flatMap { first in
      let part = first..<min(clips.count, first + clipBatch)
      let rows = input.clips.offsets[part.lowerBound]..<input.clips.offsets[part.upperBound]
      return model.decode(
        tape, memory: memory.rowsView(rows),
        clips: Segments(lengths: part.map { input.clips[$0].count }, on: model.store.backend), bounds,
        options)
    }
  }
}

extension CaptionRow {
  /// Nil where the clip is the whole video.
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

extension CaptionStore {
  /// All clips, with the captions that the annotators gave them.
  /// - Parameter skips: told of every clip whose row cannot be read; it is left out.
  /// - Throws: `DataError` where more than half of the clips cannot be read.
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
