import ArgumentParser
@preconcurrency import Foundation

/// The program, with one command for each kind of work.
@main
struct Hero: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "hero",
    abstract:
      "Find moments in videos, answer questions about them and caption them, by text and sight (HERO, EMNLP 2020).",
    discussion: """
      Flags may be written with dashes or, as in the reference's scripts, with underscores. \
      The exit status is 0 for success, 1 for bad input, 2 for a wrong command line, 130 after Ctrl-C.
      """,
    version: Version.line,
    subcommands: [
      CreateTxtdb.self, ExtractFeatures.self, ConvertVideodb.self, Finetune.self, Eval.self,
      TuneCommand.self, ExportCommand.self, CheckCommand.self,
      BenchCommand.self, Caption.self, Pretrain.self, IndexCommand.self, BenchSearch.self, SearchCommand.self,
      ServeCommand.self, DemoCommand.self, DevicesCommand.self, GPUCheckCommand.self, ManualCommand.self,
    ])

  static func main() {
    StandardStreams.occupy()
    // Line buffering keeps results and messages in order, even if both go into one file.
    setvbuf(stdout, nil, Int32(_IOLBF), 0)
    Foundation.exit(Program.launch(arguments: Array(CommandLine.arguments.dropFirst())))
  }
}
