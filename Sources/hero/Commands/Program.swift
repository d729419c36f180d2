import ArgumentParser
import Engine
import Formats
import Foundation
import Training

/// Turns the words of a command line into an exit status.
enum Program {
  /// Runs a command in this process, or as its part of an MPI job.
  static func launch(arguments: [String]) -> Int32 {
    // Exceeding `ulimit -f` then fails with a message, as a full disk does.
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
    // All ranks agree on a signal and stop. Any other failure is one rank's, for which the others
    // would wait.
    let isFailure = status != 0 && status <= 128
    Processes.leave(status, isFailure: isFailure)
    return status
  }

  /// Runs a command.
  ///
  /// Prints results to standard output, all else to standard error.
  ///
  /// - Returns: 0, 1 for bad input, 2 for a wrong command line, or 128 + the signal that ended the
  ///   work.
  static func run(arguments: [String]) -> Int32 {
    do {
      let words = try CommandWords.joiningNegativeNumbers(CommandWords.withoutAuto(dashed(arguments)))
      try CommandWords.refuseEmptyValues(in: words)
      for repetition in try CommandWords.repetitions(in: words) { Console.standardError.print(repetition) }
      try CommandWords.refuseUnknownCommand(in: words)
      var command = try Hero.parseAsRoot(words)
      // 'devices' itself lists what is wrong.
      if !["help", "devices"].contains(words.first) { try CPUBackend.requireSettings() }
      // Deferred, to run even if the command fails.
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

  /// Returns flags with dashes, which the parser knows; the reference's scripts use underscores.
  static func dashed(_ arguments: [String]) -> [String] {
    var flags = true
    return arguments.map { word in
      if word == "--" { flags = false }
      guard flags, word.hasPrefix("--") else { return word }
      let end = word.firstIndex(of: "=") ?? word.endIndex
      return String(word[..<end]).replacing("_", with: "-") + word[end...]
    }
  }

  /// Reports errors of ArgumentParser, including help and version, and of the system.
  private static func report(_ error: any Error) -> Int32 {
    if let code = error as? ExitCode { return code.rawValue }
    let message = Hero.fullMessage(for: error)
    switch Hero.exitCode(for: error) {
    case .success:
      print(message)
      // Opening libraries takes a moment, so only the full version output lists them.
      if message == Version.line { LibraryVersions.lines().forEach { print($0) } }
      return 0
    case .validationFailure:
      let head = "Error: "
      let text = message.hasPrefix(head) ? String(message.dropFirst(head.count)) : message
      // ArgumentParser's own message, for commands that take no options of runs.
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
    // The first rank reports errors of all ranks, and its end ends the others.
    if rank > 0 { usleep(500_000) }
    let speaker = Processes.communicator.size > 1 ? "rank \(rank): " : ""
    // Writing the message may fail, too. The status still reports the error.
    try? FileHandle.standardError.write(
      contentsOf: Data("hero: error: \(speaker)\(message.printable)\n".utf8))
    return status
  }

  /// Returns a note on which commands have a flag that the requested one lacks.
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
