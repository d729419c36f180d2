/// Linear warm-up to a peak, then linear decay to nothing at the last update (reference:
/// `optim/sched.py`).
public struct LearningRateSchedule: Equatable, Sendable {
  /// The rate at the end of warm-up.
  public let peak: Double
  /// Updates of warm-up.
  public let warmupSteps: Int
  /// Updates in all.
  public let totalSteps: Int

  /// What the reference trains with where the schedule gives nothing, as at the last update.
  public static let floor = 1e-8

  /// The learning rate of an update.
  ///
  /// - Parameter step: which update, counted from 1.
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
