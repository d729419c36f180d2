import CCUDA
import CKernels

/// One use of dropout: which of a step's random streams it draws from and how much it drops.
public struct Dropout: Sendable {
  /// The run's, different on every rank.
  public var seed: UInt64
  /// The update.
  public var step: UInt32
  /// The use within the step.
  public var stream: UInt32
  /// 0 ..< 1, in steps of 1/65,536.
  public var probability: Float

  /// Elements whose 16 random bits lie below this are dropped; the others are scaled by 65,536 /
  /// (65,536 − threshold).
  public var threshold: UInt32 { UInt32((probability * 65_536).rounded()) }

  /// Whether a tensor of this shape has random numbers of its own everywhere (hero_dropout.h).
  static func covers(rows: Int, columns: Int) -> Bool { rows <= 1 << 32 && columns <= 1 << 19 }
}

extension Optional where Wrapped == Dropout {
  /// Calls `body` with the kernels' form of this dropout, or with nil where nothing is to be
  /// dropped.
  func withKernelForm<Result>(_ body: (UnsafePointer<hero_dropout>?) -> Result) -> Result {
    guard let self, self.threshold > 0 else { return body(nil) }
    var form = hero_dropout(self)
    return withUnsafePointer(to: &form) { body($0) }
  }
}

extension hero_dropout {
  /// The kernels' form, in which nothing is dropped where there is no dropout.
  init(_ dropout: Dropout?) {
    self.init()
    guard let dropout else { return }
    key = (UInt32(truncatingIfNeeded: dropout.seed), UInt32(truncatingIfNeeded: dropout.seed >> 32))
    (stream, step, threshold) = (dropout.stream, dropout.step, dropout.threshold)
  }
}
