import Foundation
import TestSupport
import Testing

@testable import hero

/// The pages for `man`, compared with what `--help` shows.
@Suite(.ownThreads) struct ManualTests {
  private static let pages: [String: String] = {
    let pages = (try? CommandDescription.program()).map(ManualPage.all(of:)) ?? []
    return Dictionary(uniqueKeysWithValues: pages.map { ($0.name, $0.text) })
  }()

  /// Returns the plain text of a page, apart from spaces and line breaks.
  private static func plain(_ page: String) -> String {
    var text = page.replacing(/\\f[BIR]/, with: "").replacing("\\-", with: "-").replacing("\\&", with: "")
    for (name, sign) in [("aq", "'"), ("ga", "`"), ("ha", "^"), ("ti", "~"), ("dq", "\""), ("rs", "\\")] {
      text = text.replacing("\\[\(name)]", with: sign)
    }
    return text
  }

  /// Returns the names in the list of subcommands.
  private static func commands() throws -> [String] {
    let help = try HeroProcess("--help").output
    let list = help.split(separator: "SUBCOMMANDS:").last ?? ""
    return list.split(separator: "\n").compactMap {
      $0.wholeMatch(of: #/  ([a-z-]+)( .*)?/#).map { String($0.1) }
    }
  }

  @Test func everyCommandHasAPage() throws {
    let commands = try Self.commands()
    #expect(commands.count >= 15)
    #expect(Set(Self.pages.keys) == Set(["hero"] + commands.map { "hero-\($0)" }))
    let page = Self.plain(Self.pages["hero"] ?? "")
    for command in commands { #expect(page.contains("\nhero-\(command)(1)\n")) }
  }

  /// A page has every flag and every value that its command's help names.
  @Test func everyOptionIsInItsPage() throws {
    for command in try [""] + Self.commands() {
      let help = try HeroProcess(arguments: (command.isEmpty ? [] : [command]) + ["--help"]).output
      let page = Self.pages[command.isEmpty ? "hero" : "hero-\(command)"] ?? ""
      let words = Set(Self.plain(page).split { !$0.isLetter && !$0.isNumber && $0 != "-" }.map(String.init))
      let flags = Set(help.matches(of: /(?:^|[\s\[(])(--?[a-z][a-z0-9-]*)/).map { String($0.1) })
      #expect(flags.contains("--help") && flags.contains("-h"))
      for flag in flags { #expect(words.contains(flag), "\(command): \(flag)") }
      // The usage names the values, with "<options>" for all flags if it is long. A discussion may
      // have others in file names.
      let usage = help.split(separator: "USAGE: ").last?.prefix { $0 != "\n" } ?? ""
      for value in Set(usage.matches(of: /<([a-z0-9-]+)>/).map({ String($0.1) }))
      where !["subcommand", "options"].contains(value) {
        #expect(page.contains("\\fI\(Roff.text(value))\\fR"), "\(command): \(value)")
      }
    }
  }

  /// A page keeps the sentences of a help's discussion whole.
  @Test func discussionsAreWhole() throws {
    let finetune = Self.plain(Self.pages["hero-finetune"] ?? "")
    #expect(finetune.contains("\n.SS \"Losses\"\n"))
    #expect(finetune.contains("\n.TP\n--nms-thd\nIoU above which the lower of two moments is dropped"))
    #expect(finetune.contains("\n.EX\nhero finetune --config Configs/finetune-tvr-small.json"))
    #expect(Self.pages["hero-search"]?.contains("exp(\\[u03B1] \\[u00B7] cosine") == true)
  }

  @Test func aTextMeansNothingButItself() {
    #expect(Roff.text(".x 'y' \\z a-b") == "\\&.x \\[aq]y\\[aq] \\[rs]z a\\-b")
    #expect(Roff.text("…😀") == "\\[u2026]\\[u1F600]")
    #expect(
      ManualText.lines(of: "  --a-b  one\n         two\n  --c\n         three") == [
        ".TP", "\\fB\\-\\-a\\-b\\fR", "one two", ".TP", "\\fB\\-\\-c\\fR", "three",
      ])
  }

  private static let groff = URL(fileURLWithPath: "/usr/bin/groff")

  /// groff warns of nothing in any page, and shows the page.
  @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: groff.path), "groff is not installed"))
  func pagesAreWellFormed() throws {
    let folder = try TemporaryFolder()
    let made = try HeroProcess("manual", "--output", folder.path("man1"))
    try #require(made.status == 0, "\(made.errors)")
    for name in Self.pages.keys {
      let run = try HeroProcess(
        executable: Self.groff, arguments: ["-man", "-Tutf8", "-ww", folder.path("man1/\(name).1")])
      #expect(run.status == 0 && run.errors.isEmpty, "\(name): \(run.errors)")
      #expect(run.output.contains("\(name.uppercased())(1)"), "\(name)")
    }
  }

  /// groff reports an error in a page, so the test above can fail.
  @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: groff.path), "groff is not installed"))
  func groffWarns() throws {
    let folder = try TemporaryFolder()
    try ".TH A 1\n.SH NAME\na \\[nothing] b\n".write(
      toFile: folder.path("a.1"), atomically: true, encoding: .utf8)
    let run = try HeroProcess(
      executable: Self.groff, arguments: ["-man", "-Tutf8", "-ww", folder.path("a.1")])
    #expect(run.errors.contains("nothing"))
  }
}
