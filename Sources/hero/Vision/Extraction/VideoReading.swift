import CFFmpeg
import Formats

/// A decoding of one video for several networks at once, which batches what each of them sees.
struct VideoReading {
  /// The properties of a network that its input depends on.
  struct Network: Sendable {
    var name: String
    var input: NetworkInput
    var batch: Int
  }

  struct Message: Sendable {
    enum Content: Sendable {
      /// A batch for one network, and the seconds that it covers divided by the number of networks.
      case pictures(network: String, Pictures, seconds: Double)
      case end(networks: [String], span: VideoSpan, stated: Double?, damages: Int, failure: DataError?)
    }

    var video: Int
    var content: Content
  }

  private let number: Int
  private let path: String
  private let networks: [Network]
  private let options: FeatureExtractor.Options

  /// - Parameter number: the video's number in messages.
  init(_ number: Int, _ path: String, _ networks: [Network], _ options: FeatureExtractor.Options) {
    (self.number, self.path, self.networks, self.options) = (number, path, networks, options)
  }

  /// Reads the video to its end. The last message holds the error, if any.
  ///
  /// - Throws: `BoundedQueue.Closed` only.
  func run(into queue: BoundedQueue<Message>) throws {
    var (span, damages) = (VideoSpan(start: 0, duration: 0), 0)
    var stated: Double?
    var failure: DataError?
    do {
      let file: any PictureSource =
        try options.frameRate.map { try FrameFolder(path: path, rate: $0) } ?? VideoFile(path: path)
      let decoder = try file.decoder(threads: options.decodingThreads)
      let feeds = try networks.map {
        try Feed($0, file, options, parts: networks.count, send: send(to: queue))
      }
      while let frame = try decoder.next() {
        for feed in feeds { try feed.stream.push(frame) }
      }
      let unit = file.timeBase.value ?? 0
      let end = decoder.end == FFmpeg.noTime ? nil : Double(decoder.end) * unit
      for feed in feeds { try feed.finish(at: decoder.end, seconds: end) }
      (damages, stated) = (decoder.damages, file.duration)
      span = VideoSpan(start: file.start, duration: end ?? 0)
    } catch let error as DataError {
      failure = error.located(file: path)
    }
    try queue.put(
      Message(
        video: number,
        content: .end(
          networks: networks.map(\.name), span: span, stated: stated, damages: damages, failure: failure)))
  }

  private func send(to queue: BoundedQueue<Message>) -> (String, Pictures, Double) throws -> Void {
    { try queue.put(Message(video: number, content: .pictures(network: $0, $1, seconds: $2))) }
  }

  /// The path of the pictures to one network.
  private struct Feed {
    let stream: PictureStream
    let gatherer: any PictureGatherer

    init(
      _ network: Network, _ file: any PictureSource, _ options: FeatureExtractor.Options, parts: Int,
      send: @escaping (String, Pictures, Double) throws -> Void
    ) throws {
      let size = PictureStream.size(of: file, for: network.input)
      let seconds = options.interval.seconds / Double(parts)
      let emit: ([UInt8], Int) throws -> Void = { bytes, items in
        try send(
          network.name, Pictures(width: size.width, height: size.height, bytes: bytes),
          Double(items) * seconds)
      }
      let rate: PictureRate
      switch network.input {
      case .pictures:
        rate = options.interval.pictureRate(of: try file.checkedDuration(from: options.interval))
        gatherer = BatchGatherer(size: network.batch, emit: emit)
      case .clips(_, let frames):
        rate = PictureRate(numerator: FrameInterval.clipRate, denominator: 1)
        gatherer = ClipGatherer(
          interval: options.interval, frames: frames,
          frameRate: file.frameRate ?? Double(FrameInterval.clipRate), duration: file.duration,
          pictureBytes: 3 * size.width * size.height
        ) { try emit($0, 1) }
      }
      let gatherer = gatherer
      stream = try PictureStream(file, rate: rate, input: network.input, scaling: options.scaling) {
        try gatherer.append($0)
      }
    }

    func finish(at time: Int64, seconds: Double?) throws {
      try stream.end(at: time)
      try gatherer.finish(at: seconds)
    }
  }
}
