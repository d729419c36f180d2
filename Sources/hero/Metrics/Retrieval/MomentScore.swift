import Foundation

/// A score that ranks moments: a product of probabilities and a video's weight.
protocol MomentScore: Comparable {
  /// A value below every score.
  static var lowest: Self { get }
  /// A value above every score.
  static var highest: Self { get }
  /// The score of a moment that is no answer.
  static var nothing: Self { get }
  static func * (a: Self, b: Self) -> Self
  /// The score as predictions state it.
  var written: Float { get }
}

extension Float: MomentScore {
  static var lowest: Float { -.infinity }
  static var highest: Float { .infinity }
  static var nothing: Float { 0 }
  var written: Float { self }
}

/// The natural logarithm of a product, which neither overflows nor underflows.
struct LogarithmicScore: MomentScore {
  let logarithm: Double

  static let lowest = LogarithmicScore(logarithm: -.infinity)
  static let highest = LogarithmicScore(logarithm: .infinity)
  static let nothing = lowest

  static func < (a: Self, b: Self) -> Bool { a.logarithm < b.logarithm }
  static func * (a: Self, b: Self) -> Self { Self(logarithm: a.logarithm + b.logarithm) }

  /// The score; never 0, which would mean no answer.
  var written: Float { VideoWeight.written(logarithm: logarithm) }
}

/// The weight exp(α · s) of a video's moments, for the video's score s (`q2c_alpha`).
///
/// Up to α = 80, float32 holds the weight for every cosine. Beyond, it overflows or underflows, so
/// logarithms rank moments. Scores are then natural logarithms: α · s + ln p(start) + ln p(end).
public struct VideoWeight: Sendable, Equatable {
  /// The largest α whose weights float32 holds: exp(±80) lies within 1e-35 … 1e35.
  public static let largestExponent: Float = 80

  /// The factor α.
  public let factor: Float

  /// - Parameter factor: α; 20 in the reference.
  public init(_ factor: Float) { self.factor = factor }

  /// Whether scores are logarithms.
  public var isLogarithmic: Bool { abs(factor) > Self.largestExponent }

  /// Returns the factor of the scores of a video's moments, or the logarithm of the factor.
  func multiplier(_ score: Float) -> Double {
    isLogarithmic ? Double(factor) * Double(score) : Double(exp(factor * score))
  }

  /// Returns the score of a video as a whole.
  public func written(_ score: Float) -> Float {
    isLogarithmic ? Self.written(logarithm: multiplier(score)) : exp(factor * score)
  }

  fileprivate static func written(logarithm: Double) -> Float {
    let number = Float(logarithm)
    return number == 0 ? .leastNormalMagnitude : number
  }
}
