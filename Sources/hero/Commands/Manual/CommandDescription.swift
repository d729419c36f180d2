import ArgumentParser
import Foundation
import Training

/// What ArgumentParser tells of a command, its arguments and its subcommands.
struct CommandDescription: Decodable {
  let commandName: String
  let abstract: String?
  let discussion: String?
  let shouldDisplay: Bool
  let arguments: [Argument]?
  let subcommands: [CommandDescription]?

  struct Argument: Decodable {
    enum Kind: String, Decodable {
      case positional, option, flag
    }

    struct Name: Decodable {
      let kind: String
      let name: String

      /// As it is typed.
      var spelling: String { (kind == "long" ? "--" : "-") + name }
    }

    let kind: Kind
    let shouldDisplay: Bool
    let isOptional: Bool
    let isRepeating: Bool
    let names: [Name]?
    let preferredName: Name?
    let valueName: String?
    let defaultValue: String?
    let allValues: [String]?
    let abstract: String?
    let discussion: String?

    /// Its names as they are typed.
    var spellings: [String] { (names ?? []).map(\.spelling) }
  }

  /// The program's, of `--experimental-dump-help`.
  static func program() throws -> CommandDescription {
    struct Dump: Decodable {
      let serializationVersion: Int
      let command: CommandDescription
    }
    do {
      _ = try Hero.parseAsRoot(["--experimental-dump-help"])
    } catch {
      let dump = try JSONDecoder().decode(Dump.self, from: Data(Hero.message(for: error).utf8))
      guard dump.serializationVersion == 0 else {
        throw UsageError("ArgumentParser describes commands in a newer form: \(dump.serializationVersion)")
      }
      return dump.command
    }
    throw UsageError("ArgumentParser does not describe commands")
  }

  /// Those of the command and of all its subcommands.
  var allArguments: [Argument] { (arguments ?? []) + (subcommands ?? []).flatMap(\.allArguments) }

  var displayedArguments: [Argument] { (arguments ?? []).filter(\.shouldDisplay) }

  /// Those that have a page: `hero help` shows what the pages say.
  var displayedCommands: [CommandDescription] {
    (subcommands ?? []).filter { $0.shouldDisplay && $0.commandName != "help" }
  }
}
