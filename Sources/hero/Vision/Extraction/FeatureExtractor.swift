import Formats
import Foundation
import Synchronization

/// Rows of features of one video by one network.
public struct VideoFeatures: Sendable {
  /// Elements of a row.
  public let width: Int
  /// Row by row, float32.
  public let values: [Float]

  /// One row an interval.
  public var rows: Int { values.count / width }

  /// As files hold them: [rows, width].
  /// - Parameter isHalf: float16, else float32.
  public func array(isHalf: Bool = true) throws -> NDArray {
    let array = NDArray(floats: values, shape: [rows, width])
    return isHalf ? array.asFloat16() : array
  }
}

/// Where a video's pictures lie in time.
public struct VideoSpan: Equatable, Sendable {
  /// Seconds on the container's own clock at which the file, and with it the first row, begins.
  public var start: Double
  /// Seconds from there to the end of the last picture that was decoded; 0 where there was none.
  public var duration: Double

  /// - Parameters:
  ///   - start: seconds.
  ///   - duration: seconds.
  public init(start: Double, duration: Double) { (self.start, self.duration) = (start, duration) }
}

/// What became of one video.
public struct ExtractedVideo {
  /// As the caller gave it.
  public let path: String
  /// Of each network that was asked for, by its name; empty where the video could not be read.
  public let features: [String: VideoFeatures]
  /// Where it begins and how long it is, as it was decoded.
  public let span: VideoSpan
  /// The seconds that its container says it has; nil where it does not say.
  public let stated: Double?
  /// Packets and pictures that were damaged and left out.
  public let damages: Int
  /// Why there are no features.
  public let failure: DataError?

  /// Whether its pictures end long before the container says, as in a download that was not
  /// finished: by a tenth, and by more than `seconds`.
  public func isCut(by seconds: Double) -> Bool {
    failure == nil && (stated.map { $0 - span.duration > max(seconds, $0 / 10) } ?? false)
  }
}

/// Features of videos, by one or several networks: decoding on some threads, the networks on the
/// calling one beside them.
public final class FeatureExtractor {
  /// How videos are sampled and how much is done at once.
  public struct Options: Sendable {
    /// Seconds for one row.
    public var interval: FrameInterval
    /// How pictures are brought to a network's size.
    public var scaling = Scaling.bicubic
    /// Videos that are decoded at the same time.
    public var jobs = 1
    /// Threads that decode one video.
    public var decodingThreads = 2
    /// Where paths are folders of pictures, how many of these are a second; nil where they are
    /// files of videos.
    public var frameRate: PictureRate?

    /// - Parameter interval: seconds for one row.
    public init(interval: FrameInterval) { self.interval = interval }
  }

  /// In the order given; every video goes through each.
  public let networks: [any FeatureNetwork]
  /// As given; every video is sampled by them.
  public let options: Options

  /// - Parameter networks: of different names.
  public init(_ networks: [any FeatureNetwork], _ options: Options) {
    precondition(Set(networks.map(\.name)).count == networks.count)
    self.networks = networks
    self.options = options
  }

  /// The features of one video by every network, by the networks' names.
  ///
  /// Throws `DataError` if the video cannot be read.
  public func extract(video path: String) throws -> [String: VideoFeatures] {
    var result: [String: VideoFeatures] = [:]
    try extract([(path, Set(networks.map(\.name)))]) { video in
      if let failure = video.failure { throw failure }
      result = video.features
    }
    return result
  }

  /// The features of many videos.
  ///
  /// - Parameters:
  ///   - videos: paths, and the names of the networks that are wanted of each.
  ///   - progress: is called after each batch with the seconds of video that it covered; what it
  ///     throws ends the work.
  ///   - body: is given each video when it is done, in the order in which that happens; what it
  ///     throws ends the work.
  public func extract(
    _ videos: [(path: String, networks: Set<String>)],
    progress: (_ seconds: Double) throws -> Void = { _ in },
    _ body: (ExtractedVideo) throws -> Void
  ) throws {
    let inputs = networks.map { VideoReading.Network(name: $0.name, input: $0.input, batch: $0.batch) }
    let (options, jobs) = (options, max(1, min(options.jobs, videos.count)))
    let queue = BoundedQueue<VideoReading.Message>(capacity: 2 * jobs + networks.count, producers: jobs)
    let numbers = Numbers()
    let list = videos.map { (path: $0.path, networks: $0.networks) }
    for job in 0..<jobs {
      let thread = Thread {
        defer { queue.finish() }
        while case let number = numbers.next(), number < list.count {
          let wanted = inputs.filter { list[number].networks.contains($0.name) }
          let reading = VideoReading(number, list[number].path, wanted, options)
          guard (try? reading.run(into: queue)) != nil else { return }
        }
      }
      thread.stackSize = 8 << 20
      thread.name = "hero-decode-\(job)"
      thread.start()
    }
    // Whatever happens, no thread is left behind.
    defer { queue.close() }
    try compute(list.map(\.path), from: queue, progress: progress, body)
  }

  /// Runs the networks over what is decoded.
  private func compute(
    _ paths: [String], from queue: BoundedQueue<VideoReading.Message>, progress: (Double) throws -> Void,
    _ body: (ExtractedVideo) throws -> Void
  ) throws {
    var rows: [Int: [String: [Float]]] = [:]
    var failures: [Int: DataError] = [:]
    while let message = queue.take() {
      let video = message.video
      switch message.content {
      case .pictures(let name, let pictures, let seconds):
        guard failures[video] == nil, let network = networks.first(where: { $0.name == name }) else {
          continue
        }
        do {
          rows[video, default: [:]][name, default: []] += try network.features(pictures)
        } catch let error as DataError {
          failures[video] = error.located(file: paths[video])
        }
        try progress(seconds)
      case .end(let names, let span, let stated, let damages, let failure):
        let all = rows.removeValue(forKey: video) ?? [:]
        var failure = failures.removeValue(forKey: video) ?? failure
        if failure == nil, names.contains(where: { all[$0] == nil }) {
          failure = DataError("no picture of it could be decoded", file: paths[video])
        }
        var features: [String: VideoFeatures] = [:]
        if failure == nil {
          for network in networks {
            features[network.name] = all[network.name].map { VideoFeatures(width: network.width, values: $0) }
          }
        }
        try body(
          ExtractedVideo(
            path: paths[video], features: features, span: span, stated: stated, damages: damages,
            failure: failure))
      }
    }
  }

  /// Numbers that threads take, each once. A thread may have it longer than the work lasts.
  private final class Numbers: Sendable {
    private let taken = Atomic<Int>(0)

    func next() -> Int { taken.add(1, ordering: .relaxed).oldValue }
  }
}
