import ArgumentParser
import Engine
import Formats
import Foundation
import Training

/// From words of a command line to an exit status.
enum Program {
  /// Runs a command in this process, or in its part of a job of several.
  static func launch(arguments: [String]) -> Int32 {
    // Writing beyond `ulimit -f` fails with a message, as on a full disk.
    signal(SIGXFSZ, SIG_IGN)
    do {
      try Processes.join()
    } catch {
      return complain("\(error)", status: 1)
    }
    var status = run(arguments: arguments)
    if !StandardStreams.isWritten, status == 0 {
      status = complain(
        "standard output: cannot write all of the results. Check the disk or the program that takes them",
        status: 1)
    }
    // A signal was agreed on, and all ranks stop; any other failure is one rank's, which the others
    // would wait for.
    let isFailure = status != 0 && status <= 128
    Processes.leave(status, isFailure: isFailure)
    return status
  }

  /// Runs a command; results go to standard output, all else to standard error.
  ///
  /// - Returns: 0, 1 for bad input, 2 for a wrong command line, 128 + signal where one ended the
  ///   work.
  static func run(arguments: [String]) -> Int32 {
    do {
      let words = try CommandWords.joiningNegativeNumbers(CommandWords.withoutAuto(dashed(arguments)))
      try CommandWords.refuseEmptyValues(in: words)
      for repetition in try CommandWords.repetitions(in: words) { Console.standardError.print(repetition) }
      try CommandWords.refuseUnknownCommand(in: words)
      var command = try Hero.parseAsRoot(words)
      // 'devices' lists what is wrong beside what can be used.
      if !["help", "devices"].contains(words.first) { try CPUBackend.requireSettings() }
      // Also where the work ends early.
      defer { Notice.tellRest() }
      try command.run()
      return 0
    } catch let interruption as Interruption {
      return interruption.exitStatus
    } catch let error as UsageError {
      return complain(
        "\(ownersNote(error.unknownFlag) ?? "\(error)")\nSee '\(helpCommand(arguments))' for more information.",
        status: 2)
    } catch let error as DataError {
      return complain("\(error)", status: 1)
    } catch {
      return report(error)
    }
  }

  /// Flags with the dashes that the parser knows: the reference's scripts have underscores.
  static func dashed(_ arguments: [String]) -> [String] {
    var flags = true
    return arguments.map { word in
      if word == "--" { flags = false }
      guard flags, word.hasPrefix("--") else { return word }
      let end = word.firstIndex(of: "=") ?? word.endIndex
      return String(word[..<end]).replacing("_", with: "-") + word[end...]
    }
  }

  /// What ArgumentParser throws, help and version included, and what the system throws.
  private static func report(_ error: any Error) -> Int32 {
    if let code = error as? ExitCode { return code.rawValue }
    let message = Hero.fullMessage(for: error)
    switch Hero.exitCode(for: error) {
    case .success:
      print(message)
      // Opening libraries takes a moment, so that they are asked only here.
      if message == Version.line { LibraryVersions.lines().forEach { print($0) } }
      return 0
    case .validationFailure:
      let head = "Error: "
      let text = message.hasPrefix(head) ? String(message.dropFirst(head.count)) : message
      // ArgumentParser's own words, of commands that take no options of runs.
      guard let match = text.firstMatch(of: /^Unknown option '(--[^']+)'/),
        let note = ownersNote(String(match.1))
      else { return complain(text, status: 2) }
      return complain(text.replacing(match.0, with: note), status: 2)
    default:
      let isSystems = error is CocoaError || error is POSIXError || error is any LocalizedError
      return complain(isSystems ? error.localizedDescription : "\(error)", status: 1)
    }
  }

  private static func complain(_ message: String, status: Int32) -> Int32 {
    let rank = Processes.communicator.rank
    // What is wrong with all ranks is said by the first, whose end is theirs.
    if rank > 0 { usleep(500_000) }
    let speaker = Processes.communicator.size > 1 ? "rank \(rank): " : ""
    // The wish to tell may fail like any other writing; the status still tells.
    try? FileHandle.standardError.write(
      contentsOf: Data("hero: error: \(speaker)\(message.printable)\n".utf8))
    return status
  }

  /// Which commands have a flag that the one asked for lacks.
  private static func ownersNote(_ flag: String?) -> String? {
    guard let flag, let owners = try? CommandWords.owners(of: flag), !owners.isEmpty else { return nil }
    return "unknown option '\(flag)', which is one of " + owners.map { "'\($0)'" }.joined(separator: ", ")
  }

  private static func helpCommand(_ arguments: [String]) -> String {
    let subcommand = arguments.first { !$0.hasPrefix("-") }.flatMap {
      CommandWords.commands.contains($0) ? $0 : nil
    }
    return (["hero"] + (subcommand.map { [$0] } ?? []) + ["--help"]).joined(separator: " ")
  }
}
