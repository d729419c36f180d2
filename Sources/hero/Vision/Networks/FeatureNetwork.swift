import Formats

/// What a network sees of a video.
public enum NetworkInput: Equatable, Sendable {
  /// One picture for each of the video's intervals, scaled so that its shorter side has so many
  /// pixels, and cut to a square from its middle if `isCropped`.
  case pictures(side: Int, isCropped: Bool)
  /// So many pictures for each interval, of which `ClipSampling` takes `frames`; scaled and cut to
  /// a square.
  case clips(side: Int, frames: Int)

  var side: Int {
    switch self {
    case .pictures(let side, _), .clips(let side, _): side
    }
  }

  var isCropped: Bool { if case .pictures(_, let isCropped) = self { isCropped } else { true } }
}

/// Pictures of one size, end to end: 3 bytes a pixel (red, green, blue), row by row.
public struct Pictures: Sendable {
  /// Pixels of each picture.
  public let width: Int
  /// Pixels of each picture.
  public let height: Int
  /// [count, height, width, 3]
  public var bytes: [UInt8]

  /// How many whole pictures the bytes are.
  public var count: Int { bytes.count / (3 * width * height) }
}

/// A network that makes a row of features of each interval of a video.
public protocol FeatureNetwork: AnyObject {
  /// As in the name of its folder, `NAME_features`.
  var name: String { get }
  /// Elements of a row.
  var width: Int { get }
  /// Single pictures, or clips.
  var input: NetworkInput { get }
  /// Intervals that are computed together.
  var batch: Int { get }
  /// What it was made of, in a few words.
  var summary: String { get }
  /// Rows of `width` elements end to end, one for each picture, or for each `frames` pictures of a
  /// clip.
  ///
  /// Throws `DataError` where the pictures are too small for the network, or memory is short. One
  /// thread at a time.
  func features(_ pictures: Pictures) throws -> [Float]
}

extension FeatureNetwork {
  /// Cuts pictures into batches of `batch`, smaller ones at the end: plans exist for powers of two
  /// only, and the last is filled up with whatever was there before.
  func inBatches(_ count: Int, _ body: (_ items: Range<Int>, _ planned: Int) throws -> Void) rethrows {
    var start = 0
    while start < count {
      let items = start..<min(count, start + batch)
      var planned = batch
      while planned / 2 >= items.count { planned /= 2 }
      try body(items, planned)
      start = items.upperBound
    }
  }
}

/// The plans of a network for the shapes it met last.
struct PlanCache<Planned> {
  private var plans: [(shape: [Int], planned: Planned)] = []
  /// A video has one shape of pictures, in one or two sizes of batch.
  private let most = 4

  mutating func plan(_ shape: [Int], _ make: () throws -> Planned) throws -> Planned {
    if let place = plans.firstIndex(where: { $0.shape == shape }) {
      let found = plans.remove(at: place)
      plans.append(found)
      return found.planned
    }
    if plans.count == most { plans.removeFirst() }
    let planned = try make()
    plans.append((shape, planned))
    return planned
  }
}
