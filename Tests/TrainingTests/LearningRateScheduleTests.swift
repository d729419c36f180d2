import Formats
import Foundation
import TestSupport
import Testing

@testable import Training

struct LearningRateScheduleTests {
  @Test
  func ratesAreTheReferences() throws {
    let path = SharedData.golden.appendingPathComponent("expected/adamw.json").path
    let golden = try JSON.read(path: path)
    let schedule = LearningRateSchedule(
      peak: try #require(golden["learning_rate"]?.double),
      warmupSteps: try #require(golden["warmup_steps"]?.int),
      totalSteps: try #require(golden["num_train_steps"]?.int))
    let steps = try #require(golden["steps"]?.array)
    #expect(!steps.isEmpty)
    for step in steps {
      let number = try #require(step["step"]?.int)
      let expected = try #require(step["lr"]?.double)
      #expect(abs(schedule.rate(at: number) - expected) <= 1e-15 * max(expected, 1))
    }
  }

  @Test func theEndsAreDefined() {
    let usual = LearningRateSchedule(peak: 1, warmupSteps: 2, totalSteps: 4)
    #expect((1...5).map(usual.rate(at:)) == [0.5, 1, 0.5, 1e-8, 1e-8])
    #expect(LearningRateSchedule(peak: 1, warmupSteps: 0, totalSteps: 2).rate(at: 1) == 0.5)
    let onlyWarmup = LearningRateSchedule(peak: 1, warmupSteps: 4, totalSteps: 4)
    #expect(onlyWarmup.rate(at: 3) == 0.75)
    #expect(onlyWarmup.rate(at: 4) == 1e-8)
  }
}
