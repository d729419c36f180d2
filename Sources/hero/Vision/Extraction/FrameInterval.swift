import Formats

/// The seconds of a row of features, as a fraction.
///
/// It is a whole number of 30ths, so that clips of 30 pictures a second divide evenly.
public struct FrameInterval: Equatable, Sendable {
  /// The numerator, in lowest terms with ``denominator``.
  public let numerator: Int
  /// The denominator, in lowest terms with ``numerator``; a divisor of 30.
  public let denominator: Int

  /// The picture rate of SlowFast's clips, a second.
  static let clipRate = 30

  /// Returns nil unless `seconds` is a whole number of 30ths of a second, and less than an hour.
  ///
  /// - Parameter seconds: 1.5 for TV, 2 for MSR-VTT.
  public init?(seconds: Double) {
    let parts = seconds * Double(Self.clipRate)
    guard parts.isFinite, parts > 0.5, parts < Double(3600 * Self.clipRate),
      abs(parts - parts.rounded()) < 1e-6
    else {
      return nil
    }
    var (a, b) = (Int(parts.rounded()), Self.clipRate)
    while b > 0 { (a, b) = (b, a % b) }
    numerator = Int(parts.rounded()) / a
    denominator = Self.clipRate / a
  }

  /// - Parameter text: seconds such as `1.5`, or a fraction such as `3/2`.
  public init?(_ text: String) {
    guard let (first, second) = PictureRate.fraction(text) else { return nil }
    self.init(seconds: first / second)
  }

  /// The interval in seconds: numerator / denominator.
  public var seconds: Double { Double(numerator) / Double(denominator) }

  /// The number of pictures of a clip.
  var clipLength: Int { numerator * Self.clipRate / denominator }

  /// Returns the number of intervals of a video: ⌈duration/seconds⌉.
  func count(in duration: Double) -> Int { Int(min(max(0, duration / seconds), 1e12).rounded(.up)) }

  /// Returns the picture rate for a video: one picture an interval.
  ///
  /// A video hardly longer than one interval gets 2/max(⌊duration⌋, 1) pictures a second.
  func pictureRate(of duration: Double?) -> PictureRate {
    if let duration, duration > 0, duration < seconds + 0.1 {
      return PictureRate(numerator: 2, denominator: max(Int(duration), 1))
    }
    return PictureRate(numerator: denominator, denominator: numerator)
  }
}
