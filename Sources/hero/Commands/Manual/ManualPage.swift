/// A page of the manual: `hero.1`, `hero-finetune.1`.
struct ManualPage {
  /// The name of the page, such as `hero-finetune`.
  let name: String
  /// The page in the roff language of `man`.
  let text: String

  /// Returns the program's page and one for each command.
  static func all(of program: CommandDescription) -> [ManualPage] {
    let pages = program.displayedCommands.map { ManualPage(of: $0, in: program) }
    return [ManualPage(of: program, in: nil)] + pages
  }

  private init(of command: CommandDescription, in program: CommandDescription?) {
    let parts = [program?.commandName, command.commandName].compactMap { $0 }
    let (name, words) = (parts.joined(separator: "-"), parts.joined(separator: " "))
    var lines = [
      // Turns hyphenation off, as a hyphen would change a flag or the name of a file.
      ".nr HY 0",
      // No date, which would change with every build; the version identifies the program.
      ".TH \(Roff.quoted(name.uppercased())) 1 \"\" \(Roff.quoted("hero \(Version.number)"))",
      ".ad l",
      ".SH NAME", Self.title(name, command),
      ".SH SYNOPSIS", Self.synopsis(words, command),
    ]
    if let discussion = command.discussion {
      lines += [".SH DESCRIPTION"] + ManualText.lines(of: discussion)
    }
    if !command.displayedCommands.isEmpty {
      lines.append(".SH COMMANDS")
      for other in command.displayedCommands {
        lines += [".TP", "\(Roff.bold("\(name)-\(other.commandName)"))(1)", Roff.text(other.abstract ?? "")]
      }
    }
    let (arguments, options) = (
      command.displayedArguments.filter { $0.kind == .positional },
      command.displayedArguments.filter { $0.kind != .positional }
    )
    for (heading, list) in [("ARGUMENTS", arguments), ("OPTIONS", options)] where !list.isEmpty {
      lines.append(".SH \(heading)")
      for argument in list { lines += [".TP", Self.term(argument)] + Self.meaning(argument) }
    }
    lines.append(".SH SEE ALSO")
    let others =
      program.map { [$0.commandName] } ?? command.displayedCommands.map { "\(name)-\($0.commandName)" }
    lines.append(others.map { "\(Roff.bold($0))(1)" }.joined(separator: ",\n"))
    self.name = name
    text = lines.joined(separator: "\n") + "\n"
  }

  /// Returns the line that `apropos` searches.
  private static func title(_ name: String, _ command: CommandDescription) -> String {
    let abstract = command.abstract ?? ""
    return
      "\(Roff.text(name)) \\- \(Roff.text(abstract.hasSuffix(".") ? String(abstract.dropLast()) : abstract))"
  }

  private static func synopsis(_ words: String, _ command: CommandDescription) -> String {
    if !command.displayedCommands.isEmpty {
      return "\(Roff.bold(words)) \(Roff.italic("command")) [\(Roff.italic("options"))]"
    }
    let arguments = command.displayedArguments.map { argument in
      var usage: String
      switch argument.kind {
      case .positional: usage = Roff.italic(argument.valueName ?? "")
      case .flag: usage = Roff.bold(argument.preferredName?.spelling ?? "")
      case .option:
        usage =
          Roff.bold(argument.preferredName?.spelling ?? "") + " " + Roff.italic(argument.valueName ?? "")
      }
      if argument.isRepeating { usage += "\\ ..." }
      return argument.isOptional ? "[\(usage)]" : usage
    }
    return ([Roff.bold(words)] + arguments).joined(separator: "\n")
  }

  /// Returns the heading of an argument: `-h, --help`, `--config file`.
  private static func term(_ argument: CommandDescription.Argument) -> String {
    let value = Roff.italic(argument.valueName ?? "")
    guard argument.kind != .positional else { return value }
    let names = argument.spellings.map(Roff.bold).joined(separator: ", ")
    return argument.kind == .option ? "\(names) \(value)" : names
  }

  private static func meaning(_ argument: CommandDescription.Argument) -> [String] {
    var notes: [String] = []
    if let values = argument.allValues { notes.append("values: \(values.joined(separator: ", "))") }
    if let value = argument.defaultValue { notes.append("default: \(value)") }
    let sentence = [
      argument.abstract, argument.discussion, notes.isEmpty ? nil : "(\(notes.joined(separator: "; ")))",
    ]
    return [Roff.text(sentence.compactMap { $0 }.joined(separator: " "))]
  }
}
