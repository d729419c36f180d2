import Formats
import Training

/// Checks of a command line's words before any command parses them.
enum CommandWords {
  /// Returns a warning for each flag repeated with different values, of which the last counts.
  ///
  /// Flags that collect several values are not among them.
  static func repetitions(in words: [String]) throws -> [String] {
    var values: [String: [String]] = [:]
    for (flag, value) in flags(of: words) {
      // A flag and its negation are two values of one option.
      values[canonical(flag), default: []].append(flag.hasPrefix("--no-") ? "no" + value : value)
    }
    let repeated = values.filter { Set($0.value).count > 1 }
    guard !repeated.isEmpty else { return [] }
    let adding = Set(try arguments(of: words.first ?? "").filter(\.isRepeating).flatMap(\.spellings))
    return repeated.keys.filter { !adding.contains($0) }.sorted().map { flag in
      "warning: \(flag) is given \(values[flag]?.count ?? 0) times; the last counts"
    }
  }

  /// Refuses an empty value, such as an unset variable of a shell.
  /// - Throws: `UsageError` naming the flag. Options of runs may be empty, which means none.
  static func refuseEmptyValues(in words: [String]) throws {
    for (flag, value) in flags(of: words) where RunOptions.named(key(flag)) == nil {
      guard value != emptyValue else { throw UsageError("\(flag) has an empty value") }
    }
  }

  /// Returns the words with `--resume` for `--resume auto`.
  ///
  /// A command with it can be repeated: it continues a run, or begins one if there is none.
  static func withoutAuto(_ words: [String]) -> [String] {
    var last = ""
    return words.compactMap { word in
      defer { last = word }
      if word == "--resume=auto" { return "--resume" }
      return last == "--resume" && word == "auto" ? nil : word
    }
  }

  /// Joins a negative number to the preceding option of the command: `--length-penalty=-1`.
  ///
  /// The parser takes a word with a leading dash for a flag. Options of runs parse such words
  /// themselves.
  static func joiningNegativeNumbers(_ words: [String]) throws -> [String] {
    var joined: [String] = []
    for word in words {
      if let flag = joined.last, flag.hasPrefix("--"), !joined.contains("--"), isNegative(word),
        RunOptions.named(key(flag)) == nil, try takesValue(flag, of: words.first ?? "")
      {
        joined[joined.count - 1] = flag + "=" + word
      } else {
        joined.append(word)
      }
    }
    return joined
  }

  private static func isNegative(_ word: String) -> Bool { word.hasPrefix("-") && Double(word) != nil }

  private static func takesValue(_ flag: String, of command: String) throws -> Bool {
    try arguments(of: command).contains { $0.kind == .option && $0.spellings.contains(flag) }
  }

  private static func arguments(of command: String) throws -> [CommandDescription.Argument] {
    let commands = try CommandDescription.program().subcommands ?? []
    return commands.filter { $0.commandName == command }.flatMap(\.allArguments)
  }

  /// Returns the commands that have a flag which the requested command lacks.
  static func owners(of flag: String) throws -> [String] {
    func owners(_ command: CommandDescription, _ path: String) -> [String] {
      let own = (command.arguments ?? []).contains { $0.spellings.contains(flag) }
      return (own ? [path] : [])
        + command.displayedCommands.flatMap { owners($0, path + " " + $0.commandName) }
    }
    let commands = try CommandDescription.program().displayedCommands
    let own = commands.flatMap { owners($0, "hero " + $0.commandName) }
    guard own.isEmpty, RunOptions.named(key(flag)) != nil else { return own }
    return ["hero finetune", "hero eval"]
  }

  /// Refuses the name of a command that does not exist, including in `hero help NAME`.
  ///
  /// - Throws: `UsageError` naming the command.
  static func refuseUnknownCommand(in words: [String]) throws {
    let asked = words.first == "help" ? words.dropFirst().first : words.first
    guard let asked, !asked.hasPrefix("-"), asked != "help" else { return }
    guard !commands.contains(asked) else { return }
    let hint = nearestName(to: asked, among: commands).map { "; did you mean '\($0)'?" } ?? ""
    throw UsageError("there is no command '\(asked)'\(hint)")
  }

  static var commands: [String] { Hero.configuration.subcommands.map { $0._commandName } }

  private static let emptyValue = " "

  /// Returns each flag with the words between it and the next flag.
  private static func flags(of words: [String]) -> [(flag: String, value: String)] {
    var found: [(flag: String, value: String)] = []
    for word in words.prefix(while: { $0 != "--" }) {
      if word.hasPrefix("--") {
        let end = word.firstIndex(of: "=")
        found.append((String(word[..<(end ?? word.endIndex)]), ""))
        if let end { found[found.count - 1].value = " " + word[word.index(after: end)...] }
      } else if !found.isEmpty {
        found[found.count - 1].value += " " + word
      }
    }
    return found
  }

  private static func key(_ flag: String) -> String { String(flag.dropFirst(2)).replacing("-", with: "_") }

  /// Returns the same name for all aliases of an option and for its negation.
  private static func canonical(_ flag: String) -> String {
    let key = key(flag)
    let positive = key.hasPrefix("no_") ? String(key.dropFirst(3)) : key
    return (RunOptions.named(key) ?? RunOptions.named(positive))?.flag ?? flag
  }
}
