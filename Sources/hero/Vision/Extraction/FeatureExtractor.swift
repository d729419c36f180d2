import Formats
import Foundation
import Synchronization

/// The features of one video by one network.
public struct VideoFeatures: Sendable {
  /// The number of elements of a row.
  public let width: Int
  /// The elements row by row, in float32.
  public let values: [Float]

  /// The number of rows, one for each interval.
  public var rows: Int { values.count / width }

  /// Returns the array that feature files hold: [rows, width].
  ///
  /// - Parameter isHalf: whether it is float16, else float32.
  public func array(isHalf: Bool = true) throws -> NDArray {
    let array = NDArray(floats: values, shape: [rows, width])
    return isHalf ? array.asFloat16() : array
  }
}

/// The start and duration of a video's pictures.
public struct VideoSpan: Equatable, Sendable {
  /// The time of the first row on the container's own clock, in seconds.
  public var start: Double
  /// The seconds from `start` to the end of the last decoded picture; 0 if there was none.
  public var duration: Double

  /// - Parameters:
  ///   - start: seconds.
  ///   - duration: seconds.
  public init(start: Double, duration: Double) { (self.start, self.duration) = (start, duration) }
}

/// The result of one video.
public struct ExtractedVideo {
  /// The path as the caller gave it.
  public let path: String
  /// The features by the name of the network; empty if the video could not be read.
  public let features: [String: VideoFeatures]
  /// The start and duration of the decoded pictures.
  public let span: VideoSpan
  /// The duration that the container states, in seconds; nil if it states none.
  public let stated: Double?
  /// The number of damaged packets and pictures that were skipped.
  public let damages: Int
  /// The reason why there are no features.
  public let failure: DataError?

  /// Returns whether the pictures end long before the container says, as in an unfinished download.
  ///
  /// Long means more than a tenth of the stated duration and more than `seconds`.
  public func isCut(by seconds: Double) -> Bool {
    failure == nil && (stated.map { $0 - span.duration > max(seconds, $0 / 10) } ?? false)
  }
}

/// An extractor of features by one or several networks.
///
/// It decodes on threads of its own, and runs the networks on the calling thread at the same time.
public final class FeatureExtractor {
  /// The sampling of videos, and the number of threads.
  public struct Options: Sendable {
    /// The seconds of a row.
    public var interval: FrameInterval
    /// The interpolation with which pictures are scaled to a network's size.
    public var scaling = Scaling.bicubic
    /// The number of videos decoded at the same time.
    public var jobs = 1
    /// The number of threads that decode one video.
    public var decodingThreads = 2
    /// The pictures a second if paths are folders of pictures; nil if they are video files.
    public var frameRate: PictureRate?

    /// - Parameter interval: the seconds of a row.
    public init(interval: FrameInterval) { self.interval = interval }
  }

  /// The networks in the given order.
  public let networks: [any FeatureNetwork]
  /// The options, which hold for every video.
  public let options: Options

  /// - Parameter networks: networks with different names.
  public init(_ networks: [any FeatureNetwork], _ options: Options) {
    precondition(Set(networks.map(\.name)).count == networks.count)
    self.networks = networks
    self.options = options
  }

  /// Returns the features of one video by the networks' names.
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

  /// Extracts the features of many videos.
  ///
  /// - Parameters:
  ///   - videos: the paths, with the names of the networks to run on each.
  ///   - progress: is called after each batch with the seconds of video that it covered; an error
  ///     that it throws ends the work.
  ///   - body: receives each video once it is done, in the order of completion; an error that it
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
    // No thread outlives this call, even after an error.
    defer { queue.close() }
    try compute(list.map(\.path), from: queue, progress: progress, body)
  }

  /// Runs the networks on the decoded pictures.
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

  /// A counter that gives each number to one thread. A thread may keep it longer than the work
  /// lasts.
  private final class Numbers: Sendable {
    private let taken = Atomic<Int>(0)

    func next() -> Int { taken.add(1, ordering: .relaxed).oldValue }
  }
}
