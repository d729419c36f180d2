import ArgumentParser
import Foundation
import Training

/// ArgumentParser's description of a command, its arguments and its subcommands.
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

      /// The name as a user types it.
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

    /// All names as a user types them.
    var spellings: [String] { (names ?? []).map(\.spelling) }
  }

  /// Returns the program's description, from `--experimental-dump-help`.
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

  /// The arguments of the command and of all its subcommands.
  var allArguments: [Argument] { (arguments ?? []) + (subcommands ?? []).flatMap(\.allArguments) }

  var displayedArguments: [Argument] { (arguments ?? []).filter(\.shouldDisplay) }

  /// The subcommands that have a page.
  ///
  /// `hero help` only repeats the pages.
  var displayedCommands: [CommandDescription] {
    (subcommands ?? []).filter { $0.shouldDisplay && $0.commandName != "help" }
  }
}
