import Formats

/// The seconds that one row of features stands for, as a fraction; a whole number of 30ths, so that
/// clips of 30 pictures a second divide evenly.
public struct FrameInterval: Equatable, Sendable {
  /// In lowest terms with ``denominator``.
  public let numerator: Int
  /// In lowest terms with ``numerator``; a divisor of 30.
  public let denominator: Int

  /// Pictures a second of SlowFast's clips.
  static let clipRate = 30

  /// - Parameter seconds: 1.5 for TV, 2 for MSR-VTT.
  ///
  /// Nil where it is not a whole number of 30ths of a second, up to an hour.
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

  /// - Parameter text: seconds, `1.5`, or a fraction of them, `3/2`.
  public init?(_ text: String) {
    guard let (first, second) = PictureRate.fraction(text) else { return nil }
    self.init(seconds: first / second)
  }

  /// numerator / denominator.
  public var seconds: Double { Double(numerator) / Double(denominator) }

  /// Pictures of a clip.
  var clipLength: Int { numerator * Self.clipRate / denominator }

  /// Intervals of a video: ⌈duration/seconds⌉.
  func count(in duration: Double) -> Int { Int(min(max(0, duration / seconds), 1e12).rounded(.up)) }

  /// One picture an interval; of a video that is hardly longer than one, 2/max(⌊duration⌋, 1)
  /// pictures a second.
  func pictureRate(of duration: Double?) -> PictureRate {
    if let duration, duration > 0, duration < seconds + 0.1 {
      return PictureRate(numerator: 2, denominator: max(Int(duration), 1))
    }
    return PictureRate(numerator: denominator, denominator: numerator)
  }
}
