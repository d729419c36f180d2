/// A linear warm-up to a peak, then a linear decay to 0 at the last update (reference:
/// `optim/sched.py`).
public struct LearningRateSchedule: Equatable, Sendable {
  /// The learning rate at the end of warm-up.
  public let peak: Double
  /// The number of warm-up updates.
  public let warmupSteps: Int
  /// The number of all updates.
  public let totalSteps: Int

  /// The reference's rate where the schedule gives 0, as at the last update.
  public static let floor = 1e-8

  /// Returns the learning rate of an update.
  ///
  /// - Parameter step: the number of the update, counted from 1.
  public func rate(at step: Int) -> Double {
    let rate = peak * factor(at: step)
    return rate > 0 ? rate : Self.floor
  }

  private func factor(at step: Int) -> Double {
    if step < warmupSteps { return Double(step) / Double(warmupSteps) }
    guard step < totalSteps else { return 0 }
    return Double(totalSteps - step) / Double(totalSteps - warmupSteps)
  }
}

extension LearningRateSchedule {
  init(_ configuration: RunConfiguration) {
    self.init(
      peak: configuration.learningRate, warmupSteps: configuration.warmupSteps,
      totalSteps: configuration.trainSteps)
  }
}
