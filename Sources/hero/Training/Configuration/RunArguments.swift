import Formats

/// A command line that asks for what there is not: exit status 2.
public struct UsageError: Error, Equatable, CustomStringConvertible, Sendable {
  public let description: String
  /// The flag that no option of a run has, where that is what is wrong.
  public let unknownFlag: String?

  public init(_ description: String, unknownFlag: String? = nil) {
    (self.description, self.unknownFlag) = (description, unknownFlag)
  }
}

/// The flags `--key value` of a command line, for any key of ``RunOptions``.
///
/// `--learning-rate 1e-4`, `--learning_rate 1e-4` and `--learning-rate=1e-4` are the same. A
/// boolean is `--compressed-db`, `--no-compressed-db` or `--compressed-db true`. A list takes the
/// words up to the next flag. Settings with a structure are JSON texts.
public struct RunArguments: Sendable {
  /// Option and value, in order.
  let settings: [(option: any AnyRunOption, value: JSON)]

  /// - Throws: `UsageError` for an unknown flag, a missing value or a value of the wrong kind.
  public init(_ words: [String]) throws {
    var settings: [(any AnyRunOption, JSON)] = []
    var rest = words[...]
    while let word = rest.popFirst() {
      guard word.hasPrefix("--"), word.count > 2 else {
        throw UsageError("unexpected argument '\(word)'")
      }
      let parts = word.dropFirst(2).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      let key = String(parts[0]).replacing("-", with: "_")
      let attached = parts.count > 1 ? String(parts[1]) : nil
      let (option, isNegated) = try Self.option(key, flag: String(parts[0]))
      if isNegated {
        guard attached == nil else { throw UsageError("--\(parts[0]) takes no value") }
        settings.append((option, .bool(false)))
        continue
      }
      let value = attached.map { [$0] } ?? Self.values(of: option, from: &rest)
      settings.append((option, try Self.read(value, for: option, flag: String(parts[0]))))
    }
    self.settings = settings
  }

  private static func option(_ key: String, flag: String) throws -> (any AnyRunOption, isNegated: Bool) {
    if let option = RunOptions.named(key) { return (option, false) }
    if key.hasPrefix("no_"), let option = RunOptions.named(String(key.dropFirst(3))), option.isBoolean {
      return (option, true)
    }
    let hint = nearestName(to: key, among: RunOptions.all.map(\.name))
    throw UsageError(
      "unknown option '--\(flag)'"
        + (hint.map { "; did you mean '--\($0.replacing("_", with: "-"))'?" } ?? ""),
      unknownFlag: "--" + flag.replacing("_", with: "-"))
  }

  private static func values(of option: any AnyRunOption, from rest: inout ArraySlice<String>) -> [String] {
    var words: [String] = []
    while let next = rest.first, !next.hasPrefix("--") {
      if option.isBoolean, Bool(next.lowercased()) == nil { break }
      words.append(next)
      rest.removeFirst()
      if !option.takesManyWords { break }
    }
    return words
  }

  private static func read(_ words: [String], for option: any AnyRunOption, flag: String) throws -> JSON {
    if words.isEmpty {
      guard option.isBoolean else { throw UsageError("--\(flag) needs a value: \(option.expectation)") }
      return .bool(true)
    }
    if let value = option.accepted(words: words) { return value }
    throw UsageError("--\(flag) must be \(option.expectation), not '\(words.joined(separator: " "))'")
  }

  /// The last value given to an option.
  func value(of option: any AnyRunOption) -> JSON? { settings.last { $0.option.name == option.name }?.value }
}

extension RunConfiguration {
  /// Takes the flags of a command line.
  ///
  /// - Parameter work: what is done with the run.
  /// - Throws: `UsageError` for an option that the work does not read of the task.
  public mutating func apply(_ arguments: RunArguments, for work: RunWork = .training) throws {
    let read = Set(RunOptions.read(by: work, task).map(\.name))
    for (option, value) in arguments.settings {
      let flag = option.name.replacing("_", with: "-")
      if option.name == RunOptions.shared.task.name {
        // A training has taken it already.
        guard work == .training else { throw UsageError("the task of a run is its own; leave --task out") }
        continue
      }
      guard option.families.contains(family) else {
        throw UsageError("--\(flag) means nothing to task \(task.rawValue)")
      }
      guard read.contains(option.name) || option.group == .ignored else {
        throw UsageError(
          "--\(flag) means nothing to 'hero \(work.rawValue)' of a run of \(task.rawValue), which reads "
            + read.sorted().map { "--\($0.replacing("_", with: "-"))" }.joined(separator: ", "))
      }
      set(option, value)
    }
  }
}
