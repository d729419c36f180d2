import Formats

/// An error in a command line; the exit status is 2.
public struct UsageError: Error, Equatable, CustomStringConvertible, Sendable {
  /// The message, such as `unexpected argument 'x'`.
  public let description: String
  /// The flag, if the error is that no option of a run has it.
  public let unknownFlag: String?

  /// - Parameter unknownFlag: the flag as given, `--` included.
  public init(_ description: String, unknownFlag: String? = nil) {
    (self.description, self.unknownFlag) = (description, unknownFlag)
  }
}

/// Options that override a run's: the flags `--key value` of a command line, for any key of
/// ``RunOptions``.
///
/// `--learning-rate 1e-4`, `--learning_rate 1e-4` and `--learning-rate=1e-4` are the same. A
/// boolean is `--compressed-db`, `--no-compressed-db` or `--compressed-db true`. A list takes the
/// words up to the next flag. Settings with a structure are JSON texts. After `--` no word is a
/// flag.
public struct RunArguments: Sendable {
  /// The options with their values in the given order; `file` is nil for a flag.
  private(set) var settings: [(option: any AnyRunOption, value: JSON, file: String?)] = []

  /// Makes an empty list: all defaults hold.
  public init() {}

  /// Reads options from a JSON file `{"key": value, …}`, as `hero tune` writes it.
  /// - Throws: `DataError` that names an unknown key, a second key of the same option, or a key
  ///   whose value is not accepted.
  public init(file path: String) throws {
    for (key, value) in try RunConfiguration.readObject(path) {
      guard let option = RunOptions.named(key) else {
        let hint = nearestName(to: key, among: RunOptions.all.map(\.name))
        throw DataError(
          "there is no such option" + (hint.map { "; did you mean \"\($0)\"?" } ?? ""), file: path,
          place: "key \"\(key)\"", cure: "Leave the key out")
      }
      guard let accepted = option.accepted(value) else {
        throw DataError(
          "must be \(option.expectation), not \(value.shown)", file: path, place: "key \"\(key)\"",
          cure: RunConfiguration.cure(value, option))
      }
      guard self.value(of: option) == nil else {
        throw DataError(
          "means the same as another key, \"\(option.name)\"", file: path, place: "key \"\(key)\"",
          cure: "Leave one of them out")
      }
      settings.append((option, accepted, path))
    }
  }

  /// Appends options, which override the earlier ones.
  public mutating func append(_ others: RunArguments) { settings += others.settings }

  /// - Throws: `UsageError` for an unknown flag, a missing value, a value of the wrong kind, or a
  ///   word that belongs to no flag.
  public init(_ words: [String]) throws {
    var others: [String] = []
    try self.init(words, others: &others)
    if let other = others.first ?? words.first(where: { $0 == "--" }) {
      throw UsageError("unexpected argument '\(other)'")
    }
  }

  /// - Parameter others: receives the words that are neither flags nor values of flags.
  public init(_ words: [String], others: inout [String]) throws {
    var rest = words[...]
    while let word = rest.popFirst() {
      // No word after `--` is an option.
      if word == "--" {
        others += rest
        return
      }
      guard word.hasPrefix("--"), word.count > 2 else {
        others.append(word)
        continue
      }
      let parts = word.dropFirst(2).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      let key = String(parts[0]).replacing("-", with: "_")
      let attached = parts.count > 1 ? String(parts[1]) : nil
      let (option, isNegated) = try Self.option(key, flag: String(parts[0]))
      if isNegated {
        guard attached == nil else { throw UsageError("--\(parts[0]) takes no value") }
        settings.append((option, .bool(false), nil))
        continue
      }
      let value = attached.map { [$0] } ?? Self.values(of: option, from: &rest)
      settings.append((option, try Self.read(value, for: option, flag: String(parts[0])), nil))
    }
  }

  /// Appends a value, which overrides the earlier ones.
  /// - Throws: `UsageError` if the option does not accept the value.
  public mutating func set<Value>(_ option: KeyPath<RunOptions, RunOption<Value>>, _ value: Value) throws {
    let option = RunOptions.shared[keyPath: option]
    guard let accepted = option.accepted(value.json) else {
      throw UsageError("\(option.flag) must be \(option.expectation), not \(value.json.encoded())")
    }
    settings.append((option, accepted, nil))
  }

  /// The given flags, separated by spaces.
  public var flags: String { settings.map(\.option.flag).joined(separator: " ") }

  private static func option(_ key: String, flag: String) throws -> (any AnyRunOption, isNegated: Bool) {
    if let option = RunOptions.named(key) { return (option, false) }
    if key.hasPrefix("no_"), let option = RunOptions.named(String(key.dropFirst(3))), option.isBoolean {
      return (option, true)
    }
    let hint = nearestName(to: key, among: RunOptions.all.map(\.name))
    throw UsageError(
      "unknown option '--\(flag)'"
        + (hint.flatMap(RunOptions.named).map { "; did you mean '\($0.flag)'?" } ?? ""),
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

  /// Returns the last value given to an option.
  func value(of option: any AnyRunOption) -> JSON? { settings.last { $0.option.name == option.name }?.value }
}

extension RunConfiguration {
  /// Applies the flags of a command line, and the options of its file.
  ///
  /// - Parameter work: what is done with the run.
  /// - Throws: `UsageError` for a flag that the work does not read for this task, `DataError` for
  ///   such a key of a file.
  public mutating func apply(_ arguments: RunArguments, for work: RunWork = .training) throws {
    let read = Set(RunOptions.read(by: work, task).map(\.flag))
    for (option, value, file) in arguments.settings {
      func refuse(_ flag: String, _ key: String) -> any Error {
        guard let file else { return UsageError(flag) }
        return DataError(key, file: file, place: "key \"\(option.name)\"", cure: "Leave the key out")
      }
      if option.name == RunOptions.shared.task.name {
        // A training has already read the task.
        guard work == .training else {
          throw refuse("the task of a run is its own; leave --task out", "the task of a run is its own")
        }
        continue
      }
      guard option.families.contains(family) else {
        let words = "means nothing to task \(task.rawValue)"
        throw refuse("\(option.flag) \(words)", words)
      }
      guard read.contains(option.flag) || option.group == .ignored else {
        let words =
          "means nothing to 'hero \(work.rawValue)' of a run of \(task.rawValue), which reads "
          + read.sorted().joined(separator: ", ")
        throw refuse("\(option.flag) \(words)", words)
      }
      set(option, value)
    }
  }
}
