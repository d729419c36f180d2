import Formats

/// The part of a video that a network sees.
public enum NetworkInput: Equatable, Sendable {
  /// One picture an interval, whose shorter side is scaled to `side` pixels.
  ///
  /// If `isCropped`, the picture is cropped to its central square.
  case pictures(side: Int, isCropped: Bool)
  /// A clip an interval, of whose pictures `ClipSampling` takes `frames`, scaled and cropped to a
  /// square.
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
  /// The width of each picture, in pixels.
  public let width: Int
  /// The height of each picture, in pixels.
  public let height: Int
  /// [count, height, width, 3]
  public var bytes: [UInt8]

  /// The number of whole pictures in the bytes.
  public var count: Int { bytes.count / (3 * width * height) }
}

/// A network that computes a row of features for each interval of a video.
public protocol FeatureNetwork: AnyObject {
  /// The name as in its folder, `NAME_features`.
  var name: String { get }
  /// The number of elements of a row.
  var width: Int { get }
  /// The input: single pictures, or clips.
  var input: NetworkInput { get }
  /// The number of intervals that are computed together.
  var batch: Int { get }
  /// The kind and size of the network, in a few words.
  var summary: String { get }
  /// Returns rows of `width` elements end to end: one for each picture, or for each clip of
  /// `frames`.
  ///
  /// Throws `DataError` if the pictures are too small for the network, or memory is short. Call it
  /// from one thread at a time.
  func features(_ pictures: Pictures) throws -> [Float]
}

extension FeatureNetwork {
  /// Splits pictures into batches of `batch`, with a smaller one at the end.
  ///
  /// Plans exist for powers of two only. The last batch is padded with whatever its memory holds.
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

/// A cache of a network's plans for the shapes that it saw last.
struct PlanCache<Planned> {
  private var plans: [(shape: [Int], planned: Planned)] = []
  /// The capacity: a video has one shape of pictures, in one or two batch sizes.
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
