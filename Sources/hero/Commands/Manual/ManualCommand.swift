import ArgumentParser
import Formats
import Foundation

/// `hero manual`: writes the pages of `man hero` and `man hero-finetune`, for releases.
struct ManualCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "manual",
    abstract: "Write a manual page for every command.",
    discussion: """
      The pages say what the commands themselves say of their options.

        hero manual --output ~/.local/share/man/man1
      """,
    shouldDisplay: false)

  @Option(folder: "Folder for hero.1, hero-finetune.1 and so on.")
  var output: String

  func run() throws {
    let program = try CommandDescription.program()
    let folder = URL(fileURLWithPath: output)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    for page in ManualPage.all(of: program) {
      try Data(page.text.utf8).write(to: folder.appendingPathComponent("\(page.name).1"), options: .atomic)
    }
  }
}
