import Training
import Testing

@testable import hero

struct ConfigArgumentsTests {
  @Test func keysMixWithTheCommandsOwnFlags() throws {
    let words = [
      "--nms_thd", "-1", "--resume", "--betas", "0.8", "0.9", "--config", "a.json", "--use-all-neg",
      "--lr_mul=2",
    ]
    let arguments = try ConfigArguments.parse(Program.dashed(words))
    #expect(arguments.resume)
    #expect(arguments.config == "a.json")
    #expect(
      arguments.overrides == ["--nms-thd", "-1", "--betas", "0.8", "0.9", "--use-all-neg", "--lr-mul=2"])
  }

  @Test func keysReachTheConfiguration() throws {
    let arguments = try ConfigArguments.parse(["--task", "tvr", "--grad-norm", "-1", "--no-use-all-neg"])
    let run = try arguments.load(log: RunLog())
    #expect(run.task == .tvr)
    #expect(run.gradientNorm == -1)
    #expect(throws: UsageError.self) { try ConfigArguments.parse(["--tsk", "tvr"]).load(log: RunLog()) }
  }
}
