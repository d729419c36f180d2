import Formats

/// Headings under which `--help` lists the options.
public enum RunOptionGroup: String, CaseIterable, Sendable {
  case data = "Data"
  case model = "Model"
  case training = "Training"
  case losses = "Losses"
  case evaluation = "Validation and evaluation"
  case ignored = "Accepted without effect"
}

/// An option of any type, as tables and parsers see it.
public protocol AnyRunOption: Sendable {
  /// The key in JSON files, in the reference's spelling.
  var name: String { get }
  /// Other keys that mean the same.
  var aliases: [String] { get }
  /// The heading of `--help` that lists the option.
  var group: RunOptionGroup { get }
  /// The line of `--help`, without a full stop.
  var help: String { get }
  /// The families that use the option.
  var families: Set<TaskFamily> { get }
  /// What a value must be, as in "must be …".
  var expectation: String { get }
  /// Whether the flag exists as `--name` and `--no-name`, without a value.
  var isBoolean: Bool { get }
  /// Whether the flag takes every word up to the next flag.
  var takesManyWords: Bool { get }

  /// Returns the default for a family's tasks.
  func defaultJSON(for family: TaskFamily) -> JSON
  /// Returns the value as the configuration keeps it; nil if it is not accepted.
  func accepted(_ json: JSON) -> JSON?
  /// Returns the same for the words of a flag.
  func accepted(words: [String]) -> JSON?
}

extension AnyRunOption {
  /// The option as a flag of the command line.
  public var flag: String { "--" + name.replacing("_", with: "-") }
}

/// One option of a run: a key of the reference's JSON files and a flag of the command line.
public struct RunOption<Value: ConfigurationValue>: AnyRunOption {
  /// The key in JSON files; the flag is this name with `-` for `_`.
  public let name: String
  /// Other keys that mean the same.
  public let aliases: [String]
  /// The heading of `--help` that lists the option.
  public let group: RunOptionGroup
  /// The line of `--help`, without a full stop.
  public let help: String
  /// The families that use the option; the file of another family may hold it without effect.
  public let families: Set<TaskFamily>
  let fallback: Value
  let exceptions: [TaskFamily: Value]
  let requirement: Requirement<Value>?

  /// - Parameters:
  ///   - families: who uses the option. A run of several tasks uses what one of its tasks uses,
  ///     unless `isOfOneTask`.
  ///   - isOfOneTask: whether each task of a run of several has its own value.
  ///   - fallback: the default of the reference's argument parser.
  ///   - exceptions: the defaults of families whose scripts have another.
  init(
    _ name: String, _ group: RunOptionGroup, _ fallback: Value, in families: Set<TaskFamily> = .every,
    isOfOneTask: Bool = false, except exceptions: [TaskFamily: Value] = [:],
    _ requirement: Requirement<Value>? = nil, aliases: [String] = [], help: String
  ) {
    self.name = name
    self.aliases = aliases
    self.group = group
    self.help = help
    let isShared = !isOfOneTask && families.contains(where: \.isSingle)
    self.families =
      families == [.multitask] || isShared
      ? families.union([.multitask]) : families.subtracting([.multitask])
    self.fallback = fallback
    self.exceptions = exceptions
    self.requirement = requirement
  }

  /// The requirement's expectation, which is narrower than the type's; else the type's.
  public var expectation: String { requirement?.expectation ?? Value.expectation }
  /// Whether the flag exists as `--name` and `--no-name`, without a value.
  public var isBoolean: Bool { Value.self == Bool.self }
  /// The ``ConfigurationValue/takesManyWords`` of the value's type.
  public var takesManyWords: Bool { Value.takesManyWords }

  func defaultValue(for family: TaskFamily) -> Value { exceptions[family] ?? fallback }
  /// Returns the family's exception, else the reference's default.
  public func defaultJSON(for family: TaskFamily) -> JSON { defaultValue(for: family).json }

  /// Returns the value as kept; nil for JSON of another type or a value that breaks the
  /// requirement.
  ///
  /// A `Double` keeps its JSON spelling, because the reference names feature folders by it.
  public func accepted(_ json: JSON) -> JSON? {
    // A number keeps its spelling: the reference names feature folders by it (`_2` or `_2.0`).
    accepted(Value(json: json)).map { Value.self == Double.self ? json : $0 }
  }

  /// Returns the same for the words of a flag; nil if there is no word.
  public func accepted(words: [String]) -> JSON? { words.isEmpty ? nil : accepted(Value(words: words)) }

  private func accepted(_ value: Value?) -> JSON? {
    guard let value, requirement?.holds(value) ?? true else { return nil }
    return value.json
  }
}

/// A limit on an option's value.
struct Requirement<Value: ConfigurationValue>: Sendable {
  let expectation: String
  let holds: @Sendable (Value) -> Bool
}

extension Requirement where Value == Int {
  /// The largest count; larger ones are typos, and their products would overflow.
  static let most = 1_000_000_000

  static func atLeast(_ least: Int) -> Requirement {
    Requirement(expectation: "a whole number, \(least) or more, at most \(most)") {
      (least...most).contains($0)
    }
  }

  static func atLeast(_ least: Int, or exception: Int) -> Requirement {
    Requirement(expectation: "a whole number, \(least) or more, at most \(most), or \(exception)") {
      (least...most).contains($0) || $0 == exception
    }
  }
}

extension Requirement where Value == Double {
  // Models compute with the nearest `Float`, which must keep to the limits as well.

  static var positive: Requirement {
    Requirement(expectation: "a number above 0, as floats go") { Float($0) > 0 }
  }
  static var seconds: Requirement {
    Requirement(expectation: "a number of seconds from 0.001 to 86400") { (0.001...86_400).contains($0) }
  }
  static var notNegative: Requirement {
    Requirement(expectation: "a number, 0 or more, at most 3.4e38 as floats go") { $0 >= 0 }
  }
  static var probability: Requirement {
    Requirement(expectation: "a number from 0 to 1") { (0...1).contains($0) }
  }
  static var probabilityBelowOne: Requirement {
    Requirement(expectation: "a number from 0 to below 1, as floats go") { (0..<1).contains(Float($0)) }
  }
  static var positiveOrMinusOne: Requirement {
    Requirement(expectation: "a number above 0, as floats go, or -1") { Float($0) > 0 || $0 == -1 }
  }
  static var thresholdOrMinusOne: Requirement {
    Requirement(expectation: "a number from 0 to 1, or -1") { (0...1).contains($0) || $0 == -1 }
  }
}

extension Requirement where Value == [Double] {
  static var pairBelowOne: Requirement {
    Requirement(expectation: "two numbers from 0 to below 1, as floats go") { pair in
      pair.count == 2 && pair.allSatisfy { (0..<1).contains(Float($0)) }
    }
  }

  static var eachNotNegative: Requirement {
    Requirement(expectation: "numbers, each 0 or more") { $0.allSatisfy { $0 >= 0 } }
  }
}

extension Requirement where Value == [Int] {
  static func each(atLeast least: Int) -> Requirement {
    let most = Requirement<Int>.most
    return Requirement(expectation: "whole numbers, each \(least) or more, at most \(most)") {
      $0.allSatisfy { (least...most).contains($0) }
    }
  }
}

extension Set<TaskFamily> {
  static let every = Set(TaskFamily.allCases)
  /// All families but pre-training.
  static let finetuning = every.subtracting([.pretraining])
  /// The families that fine-tune on the stores `*_query_txt_db`.
  static let querying = finetuning.subtracting([.captioning])
  /// Families that search among videos.
  static let retrieval: Set = [.momentRetrieval, .videoRetrieval]
  /// Families with video-level ranking losses.
  static let ranking: Set = [.momentRetrieval, .videoRetrieval, .pretraining]
  /// Families that learn spans beside ranking.
  static let spanning: Set = [.momentRetrieval, .pretraining]
}
