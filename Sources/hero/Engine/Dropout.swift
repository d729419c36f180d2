import CCUDA
import CKernels

/// One use of dropout: the random stream of a step that it draws from, and how much it drops.
public struct Dropout: Sendable {
  /// The run's seed, different on every rank.
  public var seed: UInt64
  /// The number of the update.
  public var step: UInt32
  /// The number of this use within the step.
  public var stream: UInt32
  /// The probability of dropping an element, 0 ..< 1 in steps of 1/65,536.
  public var probability: Float

  /// The bound on an element's 16 random bits: below it the element is dropped, else it is scaled
  /// by 65,536 / (65,536 − threshold).
  public var threshold: UInt32 { UInt32((probability * 65_536).rounded()) }

  /// Returns whether each element of such a tensor has its own random number (hero_dropout.h).
  static func covers(rows: Int, columns: Int) -> Bool { rows <= 1 << 32 && columns <= 1 << 19 }
}

extension Optional where Wrapped == Dropout {
  /// Calls `body` with the kernels' form of this dropout, or with nil if there is nothing to drop.
  func withKernelForm<Result>(_ body: (UnsafePointer<hero_dropout>?) -> Result) -> Result {
    guard let self, self.threshold > 0 else { return body(nil) }
    var form = hero_dropout(self)
    return withUnsafePointer(to: &form) { body($0) }
  }
}

extension hero_dropout {
  /// Makes the kernels' form; without a dropout it drops nothing.
  init(_ dropout: Dropout?) {
    self.init()
    guard let dropout else { return }
    key = (UInt32(truncatingIfNeeded: dropout.seed), UInt32(truncatingIfNeeded: dropout.seed >> 32))
    (stream, step, threshold) = (dropout.stream, dropout.step, dropout.threshold)
  }
}
