import ArgumentParser
import Demo
import Foundation
import TestSupport
import Testing

@testable import Training
@testable import hero

/// The commands that README and Docs show.
@Suite(.ownThreads) struct DocumentationTests {
  @Test func everyPageOfATaskHasCommands() {
    let pages = DocumentedCommand.pages.filter { $0.hasPrefix("Docs/Tasks/") && !$0.hasSuffix("README.md") }
    #expect(pages.count >= 7)
    for page in pages + ["README.md"] {
      #expect(DocumentedCommand.all.contains { $0.page == page && $0.words.first == "finetune" }, "\(page)")
    }
  }

  /// Every command exists and knows every flag given to it.
  @Test(arguments: DocumentedCommand.all) func itParses(command: DocumentedCommand) throws {
    let parsed = try Hero.parseAsRoot(Program.dashed(command.words))
    switch parsed {
    case let finetune as Finetune:
      _ = try load(finetune.options, task: nil)
    case let pretrain as Pretrain:
      _ = try load(pretrain.options, task: .pretrain)
    case let eval as Eval:
      if eval.predictions != nil {
        #expect(eval.overrides.isEmpty)
      } else {
        try check(eval.overrides, of: eval.task?.task ?? .tvr, for: .evaluation)
      }
    case let caption as Caption:
      try check(caption.overrides, of: .tvc, for: .description)
    default: break
    }
  }

  /// Launchers and environment variables before a command do not hide it.
  @Test func commandsOfSeveralProcessesAreFound() {
    #expect(
      DocumentedCommand.all.contains {
        $0.page == "README.md" && $0.words.contains("Configs/finetune-tvr.json")
      })
    #expect(DocumentedCommand.all.count { $0.page == "Docs/Scaling.md" } >= 2)
  }

  @Test func everyTargetOfMakeIsOne() throws {
    #expect(DocumentedCommand.makeTargets.count > 10)
    let file = SharedData.repository.appendingPathComponent("Makefile")
    let lines = try String(contentsOf: file, encoding: .utf8).split(separator: "\n")
    for (page, target) in DocumentedCommand.makeTargets {
      #expect(lines.contains { $0.hasPrefix("\(target):") }, "\(page): make \(target)")
    }
  }

  @Test func everyCommandInASentenceIsOne() throws {
    #expect(DocumentedCommand.namedInSentences.count > 20)
    let known = try CommandDescription.program().subcommands?.map(\.commandName) ?? []
    for (page, word) in DocumentedCommand.namedInSentences where !word.hasPrefix("--") {
      #expect(known.contains(word), "\(page): hero \(word)")
    }
  }

  /// Loads the options of a command, with its configuration file if the checkout ships it.
  private func load(_ options: ConfigArguments, task: RunTask?) throws -> RunConfiguration {
    let file = options.config.map { SharedData.repository.appendingPathComponent($0).path }
    let shipped = file.flatMap { FileManager.default.fileExists(atPath: $0) ? $0 : nil }
    if options.config?.hasPrefix("Configs/") == true { #expect(shipped != nil, "\(options.config ?? "")") }
    let (run, _) = try RunConfiguration.load(task: task, file: shipped, arguments: options.overrides)
    _ = try TrainingRun(run, log: RunLog())
    return run
  }

  private func check(_ overrides: [String], of task: RunTask, for work: RunWork) throws {
    var configuration = RunConfiguration(task: task)
    try configuration.apply(try RunArguments(overrides), for: work)
    _ = try TrainingRun(configuration, log: RunLog())
  }

  /// The commands of each task's page run from first to last on a corpus of a few videos.
  ///
  /// Training stops after two updates; everything else runs unchanged.
  @Test(
    .timeLimit(.minutes(30)),
    arguments: DocumentedCommand.pages.filter { $0.hasPrefix("Docs/Tasks/") && !$0.hasSuffix("README.md") })
  func itRuns(page: String) throws {
    let folder = try TemporaryFolder()
    var options = DemoOptions()
    (options.trainVideos, options.valVideos, options.testVideos) = (16, 4, 4)
    (options.appearanceWidth, options.motionWidth, options.queriesPerVideo, options.merges) = (8, 8, 2, 40)
    try makeDemoCorpus(at: folder.path("corpus"), options: options) { _ in }
    let place = folder.path("corpus")
    try FileManager.default.createSymbolicLink(
      atPath: place + "/Configs",
      withDestinationPath: SharedData.repository.appendingPathComponent("Configs").path)
    for command in DocumentedCommand.commands(of: page) {
      var words = command.words
      if ["finetune", "pretrain"].contains(words[0]) {
        words += ["--num-train-steps", "2", "--valid-steps", "2", "--train-batch-size", "4"]
      }
      let run = try HeroProcess(arguments: words, folder: place)
      try #require(run.status == 0, "\(command.testDescription): \(run.errors)")
      for flag in ["--submission", "--output", "--output-dir"] {
        guard let flagPlace = words.firstIndex(of: flag) else { continue }
        let written = words[flagPlace + 1]
        #expect(
          FileManager.default.fileExists(atPath: "\(place)/\(written)"),
          "\(command.testDescription): \(written)")
      }
    }
  }
}
