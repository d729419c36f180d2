import ArgumentParser
import Foundation
import TestSupport
import Testing

@testable import hero

@Suite(.ownThreads) struct ProgramTests {
  @Test func underscoresOfFlagsBecomeDashes() {
    let words = ["create-txtdb", "--vid2dur_idx", "a_b", "--frame_length=1_5", "x_y", "--", "--a_b"]
    #expect(
      Program.dashed(words) == [
        "create-txtdb", "--vid2dur-idx", "a_b", "--frame-length=1_5", "x_y", "--", "--a_b",
      ])
  }

  @Test func helpAndVersionGoToStandardOutput() throws {
    for word in ["--help", "--version"] {
      let run = try HeroProcess(word)
      #expect(run.status == 0)
      #expect(!run.output.isEmpty)
      #expect(run.errors.isEmpty)
    }
  }

  /// Examples in the help fit 80 columns, so that they can be copied as one command.
  ///
  /// The help is 80 columns wide unless a terminal says otherwise, and breaks longer lines.
  @Test func examplesOfTheHelpCanBeCopied() throws {
    var lines = 0
    func check(_ command: any ParsableCommand.Type) {
      for line in command.configuration.discussion.split(separator: "\n") where line.hasPrefix("  ") {
        lines += 1
        #expect(line.count <= 80, "\(command._commandName): \(line)")
      }
      command.configuration.subcommands.forEach(check)
    }
    check(Hero.self)
    #expect(lines > 20)
  }

  @Test func theVersionNamesCommitAndLibraries() throws {
    let lines = try HeroProcess("--version").output.split(separator: "\n")
    #expect(lines.first?.wholeMatch(of: /hero \d+\.\d+\.\d+ \(commit [0-9A-Za-z-]+\)/) != nil, "\(lines)")
    for title in ["Swift", "OpenBLAS", "oneDNN", "FFmpeg", "LMDB", "zstd", "LZ4", "libzip", "CUDA", "MPI"] {
      #expect(lines.contains { $0.hasPrefix("\(title): ") && $0.count > title.count + 2 }, "\(title)")
    }
  }

  @Test(arguments: [
    ["nothing"], ["--nothing"], ["eval", "--task", "tvc"], ["eval", "--task", "tvc", "--predictions", "a"],
    ["eval", "--split", "val"],
    ["caption", "--model-dir", "a", "--target-clip", "b", "--output", "c", "--beam", "0"],
    ["caption", "--model-dir", "a", "--target-clip", "b", "--output", "c", "--max-gen-step", "0"],
    ["bench", "encode"], ["bench", "nothing", "--batch", "a"],
    ["bench", "encode", "--batch", "a", "--steps", "0"],
    ["bench", "mlm"], ["bench", "--table", "a", "--record", "b"],
    ["bench", "mlm", "--into", "a", "--batch", "b"],
    ["bench", "mlm", "vsm", "--batch", "b", "--profile", "p"], ["bench", "evaluation", "--queries", "0"],
    ["demo", "--tasks", "pretend"], ["demo", "--updates", "0"], ["demo", "--videos", "3"],
  ])
  func wrongCommandLinesExitWithTwo(words: [String]) throws {
    let run = try HeroProcess(arguments: words)
    #expect(run.status == 2)
    #expect(run.output.isEmpty)
    #expect(run.errors.hasPrefix("hero: error: "))
  }
  @Test(arguments: [
    (["eval", "--task", "tvc", "--predictions", "none.jsonl", "--references", "b.jsonl"], "none.jsonl"),
    (["eval", "--query-txt-db", "q.db", "--output-dir", "no-run"], "no-run"),
    (["caption", "--model-dir", "no-run", "--target-clip", "b.jsonl", "--output", "c"], "no-run"),
    (["bench", "encode", "--batch", "none.json"], "none.json"),
    (["bench", "--table", "none.jsonl"], "none.jsonl"),
  ])
  func whatIsMissingIsNamed(words: [String], name: String) throws {
    let run = try HeroProcess(arguments: words)
    #expect(run.status == 1 && run.output.isEmpty)
    #expect(run.errors.contains(name), "\(run.errors)")
  }

  @Test func theHistoryOfTheBenchIsATable() throws {
    let history = SharedData.repository.appendingPathComponent("Benchmarks/history.jsonl").path
    let run = try HeroProcess("bench", "--table", history)
    #expect(run.status == 0 && run.output.hasPrefix("Commit `") && run.output.contains("| finetune |"))
  }
}
