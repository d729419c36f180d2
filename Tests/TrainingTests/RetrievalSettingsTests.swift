import Tasks
import Testing

@testable import Training

/// The settings of the retrieval losses that a run's options give.
struct RetrievalSettingsTests {
  private func run(_ arguments: [String], task: RunTask = .tvr) throws -> RetrievalSettings {
    let (configuration, _) = try RunConfiguration.load(task: task, file: nil, arguments: arguments)
    return try RetrievalSettings(configuration)
  }

  @Test func oneNegativeIsDrawnUnlessAllAreWanted() throws {
    let ranked = ["--lw-neg-q", "8"]
    #expect(try run(ranked).loss.ranking.useAllNegatives == false)
    #expect(try run(ranked + ["--use-all-neg"]).loss.ranking.useAllNegatives)
    #expect(try run(ranked + ["--no-use-all-neg"]).loss.ranking.useAllNegatives == false)
  }

  @Test func weightsAndKind() throws {
    let options = try run([
      "--lw-neg-ctx", "8", "--lw-neg-q", "7", "--lw-st-ed", "0.5", "--drop-svmr-prob", "0.8",
      "--train-span-start-step", "0", "--margin", "0.3",
    ]).loss
    #expect((options.contextWeight, options.queryWeight, options.spanWeight) == (8, 7, 0.5))
    #expect(options.ranking.margin == 0.3 && options.ranking.kind == .hinge)
    #expect(try run(["--lw-neg-q", "7", "--ranking-loss-type", "lse"]).loss.ranking.kind == .lse)
    #expect(options.spanDropProbability == 0.8)
    #expect(!options.ranking.useHardNegatives)
  }

  @Test func stagesOfHardNegatives() throws {
    let stages = try run([
      "--hard-negtiave-start-step", "2000", "4000", "6000", "--hard-pool-size", "40", "20", "10",
      "--hard-neg-weights",
      "5", "10", "20", "--train-span-start-step", "100", "--lw-neg-q", "8", "--use-all-neg",
    ]).curriculum
    #expect(stages.spanStart == 100)
    #expect(stages.hardNegatives.map(\.start) == [2000, 4000, 6000])
    #expect(stages.hardNegatives.map(\.poolSize) == [40, 20, 10])
    #expect(stages.hardNegatives.map(\.weight) == [5, 10, 20])
    // If not all negatives count, hard ones are drawn, not weighted.
    let options = stages.options(try run(["--lw-neg-q", "8"]).loss, update: 5000).ranking
    #expect(options.useHardNegatives && !options.useAllNegatives && options.hardPoolSize == 20)
  }

  /// Queries about whole videos have no spans.
  @Test func videoRetrievalHasNoSpans() throws {
    let run = try run(["--lw-neg-ctx", "8"], task: try #require(RunTask(rawValue: "msrvtt_video_sub")))
    #expect(run.loss.spanWeight == 0 && run.loss.spanDropProbability == 0)
    #expect(run.loss.contextWeight == 8)
    #expect(run.curriculum.options(run.loss, update: 10_000).spanWeight == 0)
  }
}
