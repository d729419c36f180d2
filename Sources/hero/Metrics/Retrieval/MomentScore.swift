import Foundation

/// A product of probabilities and a video's weight, by which moments are ranked.
protocol MomentScore: Comparable {
  /// Below every score.
  static var lowest: Self { get }
  /// Above every score.
  static var highest: Self { get }
  /// The score of what is no answer.
  static var nothing: Self { get }
  static func * (a: Self, b: Self) -> Self
  /// What predictions say of it.
  var written: Float { get }
}

extension Float: MomentScore {
  static var lowest: Float { -.infinity }
  static var highest: Float { .infinity }
  static var nothing: Float { 0 }
  var written: Float { self }
}

/// A product by its natural logarithm, which neither overflows nor vanishes.
struct LogarithmicScore: MomentScore {
  let logarithm: Double

  static let lowest = LogarithmicScore(logarithm: -.infinity)
  static let highest = LogarithmicScore(logarithm: .infinity)
  static let nothing = lowest

  static func < (a: Self, b: Self) -> Bool { a.logarithm < b.logarithm }
  static func * (a: Self, b: Self) -> Self { Self(logarithm: a.logarithm + b.logarithm) }

  /// Not 0, which would say that there is no answer.
  var written: Float { VideoWeight.written(logarithm: logarithm) }
}

/// What a video's score s weighs its moments by, exp(α · s) (`q2c_alpha`).
///
/// Up to α = 80 the weight is a number of 32 bits for every cosine. Beyond, it overflows or
/// vanishes, so logarithms rank moments. Scores are then natural logarithms: α · s + ln p(start) +
/// ln p(end).
public struct VideoWeight: Sendable, Equatable {
  /// The largest α whose weights 32 bits hold: exp(±80) lies within 1e-35 … 1e35.
  public static let largestExponent: Float = 80

  /// α
  public let factor: Float

  /// - Parameter factor: α; 20 in the reference.
  public init(_ factor: Float) { self.factor = factor }

  /// Whether scores are logarithms.
  public var isLogarithmic: Bool { abs(factor) > Self.largestExponent }

  /// What multiplies the scores of a video's moments, or the logarithm of that.
  func multiplier(_ score: Float) -> Double {
    isLogarithmic ? Double(factor) * Double(score) : Double(exp(factor * score))
  }

  /// The score of a video as a whole.
  public func written(_ score: Float) -> Float {
    isLogarithmic ? Self.written(logarithm: multiplier(score)) : exp(factor * score)
  }

  fileprivate static func written(logarithm: Double) -> Float {
    let number = Float(logarithm)
    return number == 0 ? .leastNormalMagnitude : number
  }
}
