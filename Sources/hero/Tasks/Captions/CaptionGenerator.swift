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
  ///   - skips: told of every clip that no frame shows and every video that cannot be read; their captions are left
  ///     empty.
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
  /// Every video is read and encoded once; the passes are divided among the ranks. A clip that starts after its video's
  /// last frame gets an empty caption, so that the result is about all clips.
  /// - Parameter progress: called with the number of clips done; what it throws ends the work.
  /// - Throws: `DataError` naming a video that the stores lack, or a clip whose `ts` is no pair.
  public func run(
    _ clips: [CaptionRow], among communicator: any Communicator = SoleCommunicator.shared,
    progress: (Int) throws -> Void = { _ in }
  ) throws -> [CaptionRow] {
    let tokens = try captionTokens(clips, among: communicator, progress: progress)
    return zip(clips, tokens).map { clip, tokens in
      var row = clip
      row.captions = [tokenizer.decode(tokens)]
      return row
    }
  }

  /// Token ids of every clip's caption, without `BOS` and `EOS`.
  func captionTokens(
    _ clips: [CaptionRow], among communicator: any Communicator = SoleCommunicator.shared,
    progress: (Int) throws -> Void = { _ in }
  ) throws -> [[Int32]] {
    try checkTokens([tokenizer.bos, tokenizer.eos], model.configuration, "the tokenizer")
    let spans = try clips.map { try $0.span() }
    var captions = [[Int32]](repeating: [], count: clips.count)
    let work = byVideo(clips)
    try videos.check(work.map(\.video))
    let batches = ItemBatches(count: work.count, size: videoBatch)
    let parcels = try communicator.divide(batches.batches) { own in
      let queue = Prefetch(own) {
        [videos, skips, configuration = model.configuration] number in
        let read = work[batches[number]].compactMap { video, clips -> (item: VideoItem, clips: [Int])? in
          do {
            return (try videos.read(video), clips)
          } catch {
            skips.skip("video \"\(video)\"", file: videos.features.path, error)
            return nil
          }
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

  /// The videos, each with the places of its clips, in the order in which they first come up.
  private func byVideo(_ clips: [CaptionRow]) -> [(video: String, clips: [Int])] {
    var numbers: [Name: Int] = [:]
    var work: [(video: String, clips: [Int])] = []
    for (place, clip) in clips.enumerated() {
      if let number = numbers[clip.video] {
        work[number].clips.append(place)
      } else {
        numbers[clip.video] = work.count
        work.append((clip.video, [place]))
      }
    }
    return work
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
    guard times.count == 2 else {
      throw DataError(
        "\"ts\" is not a start and an end", place: "clip \(clip)",
        cure: "Give rows with vid_name, clip_id and ts, or without ts for whole videos")
    }
    return TimeSpan(start: times[0], end: times[1])
  }
}

extension CaptionStore {
  /// All clips, with the captions that the annotators gave them.
  public func rows() throws -> [CaptionRow] {
    try clipIDs.map { id in
      let clip = try clip(id)
      return CaptionRow(
        video: clip.video, clip: QueryID(id), times: clip.span.map { [$0.start, $0.end] },
        captions: clip.captions.compactMap(\.text))
    }
  }
}
