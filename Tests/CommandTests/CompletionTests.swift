import Foundation
import TestSupport
import Testing

@testable import hero

/// Shell completion: `hero --generate-completion-script`.
@Suite(.ownThreads) struct CompletionTests {
  /// Returns what bash offers for the last word of a line, by the program's own script.
  private static func offers(_ words: [String], folder: String) throws -> Set<String> {
    let script = try HeroProcess("--generate-completion-script", "bash")
    try #require(script.status == 0, "\(script.errors)")
    let list = words.map { "'\($0)'" }.joined(separator: " ")
    let line = words.joined(separator: " ")
    let asking = """
      \(script.output)
      complete -p hero >/dev/null
      COMP_WORDS=(\(list)) COMP_CWORD=\(words.count - 1) COMP_LINE='\(line)' COMP_POINT=\(line.count)
      _hero hero '\(words[words.count - 1])' '\(words[words.count - 2])'
      printf '%s\\n' "${COMPREPLY[@]}"
      """
    try asking.write(toFile: "\(folder)/ask", atomically: true, encoding: .utf8)
    let run = try HeroProcess(
      executable: URL(fileURLWithPath: "/bin/bash"), arguments: ["ask"], folder: folder)
    #expect(run.status == 0 && run.errors.isEmpty, "\(run.errors)")
    return Set(run.output.split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) })
  }

  @Test func bashOffersCommandsFlagsAndValues() throws {
    let folder = try TemporaryFolder()
    #expect(try Self.offers(["hero", "fine"], folder: folder.path("")) == ["finetune"])
    #expect(
      try Self.offers(["hero", "search", "--in"], folder: folder.path("")) == ["--index", "--interactive"])
    #expect(
      try Self.offers(["hero", "create-txtdb", "--compression", "z"], folder: folder.path("")) == ["zstd"])
  }

  @Test func bashOffersFilesAndFolders() throws {
    let folder = try TemporaryFolder()
    try Data().write(to: URL(fileURLWithPath: folder.path("runs.json")))
    try FileManager.default.createDirectory(atPath: folder.path("runs"), withIntermediateDirectories: true)
    #expect(
      try Self.offers(["hero", "finetune", "--config", "ru"], folder: folder.path("")) == [
        "runs", "runs.json",
      ])
    #expect(try Self.offers(["hero", "eval", "--output-dir", "ru"], folder: folder.path("")) == ["runs"])
  }

  @Test(arguments: ["bash", "zsh", "fish"]) func everyCommandIsKnown(shell: String) throws {
    let script = try HeroProcess("--generate-completion-script", shell)
    #expect(script.status == 0)
    for command in try CommandDescription.program().displayedCommands {
      #expect(script.output.contains(command.commandName), "\(command.commandName)")
    }
  }

  /// The installed shells; every machine has bash.
  private static let shells =
    ["bash"]
    + ["zsh", "fish"].filter { FileManager.default.isExecutableFile(atPath: "/usr/bin/\($0)") }

  @Test(arguments: shells) func aShellParsesItsScript(shell: String) throws {
    let script = try HeroProcess("--generate-completion-script", shell)
    let program = URL(fileURLWithPath: "/usr/bin/\(shell)")
    let folder = try TemporaryFolder()
    try script.output.write(toFile: folder.path("script"), atomically: true, encoding: .utf8)
    let run = try HeroProcess(executable: program, arguments: ["-n", folder.path("script")])
    #expect(run.status == 0 && run.errors.isEmpty, "\(run.errors)")
  }
}
