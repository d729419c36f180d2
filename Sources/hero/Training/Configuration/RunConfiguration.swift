import Engine
import Formats

/// The options of one run: the defaults of its task, then its JSON file, then its flags.
///
/// Options are read by the names of ``RunOptions``, each with its own type:
/// `configuration.learningRate` is a `Double`.
@dynamicMemberLookup
public struct RunConfiguration: Equatable, Sendable {
  /// The row of the table of tasks whose defaults hold.
  public let task: RunTask
  /// The values of the options that the task uses, by key, then whatever else the file had.
  private var values: JSONObject
  /// What was given and what has been read.
  private(set) var use = OptionUse()
  /// Whether it is one task of a run of several.
  private(set) var isPart = false

  /// The family decides which options exist and which suite runs.
  public var family: TaskFamily { task.family }

  /// How exactly a run computes is the device's matter; `log/hps.json` records it.
  private static let precisionKey = "precision"
  /// What the file says of it, whatever that is.
  var precisionInFile: JSON? { values[Self.precisionKey] }
  /// What it was recorded with; nil of a run that recorded none.
  var recordedPrecision: Precision? {
    get { values[Self.precisionKey]?.string.flatMap(Precision.init) }
    set { values[Self.precisionKey] = newValue.map { .string($0.rawValue) } }
  }

  /// The defaults of a task.
  public init(task: RunTask) {
    self.task = task
    values = JSONObject()
    for option in RunOptions.used(by: task.family) {
      values[option.name] = option.defaultJSON(for: task.family)
    }
    values[RunOptions.shared.task.name] = .string(task.rawValue)
  }

  /// A task of a run of several, with the run's options. What is read of it counts as read of the
  /// run.
  init(task: RunTask, of run: RunConfiguration) {
    self.init(task: task)
    use = run.use
    isPart = true
    for option in RunOptions.used(by: task.family) where option.families.contains(run.family) {
      values[option.name] = run.values[option.name]
    }
    values[RunOptions.shared.task.name] = .string(task.rawValue)
    recordedPrecision = run.recordedPrecision
  }

  /// The value of an option; its default where the task does not use it.
  public subscript<Value>(dynamicMember option: KeyPath<RunOptions, RunOption<Value>>) -> Value {
    get {
      let option = RunOptions.shared[keyPath: option]
      use.note(option.name)
      guard option.families.contains(family) else { return option.defaultValue(for: family) }
      return values[option.name].flatMap(Value.init(json:)) ?? option.defaultValue(for: family)
    }
    set { values[RunOptions.shared[keyPath: option].name] = newValue.json }
  }

  /// The same for a look that is not part of the work: what it reads is not counted.
  var unobserved: RunConfiguration {
    var copy = self
    copy.use = OptionUse()
    return copy
  }

  /// All options as they were run, for `log/hps.json`: the reference's `json.dump(vars(args),
  /// indent=4)`.
  public var json: JSON { .object(values) }

  /// An option's value as it stands in `log/hps.json`.
  func value(of option: any AnyRunOption) -> JSON? { values[option.name] }

  /// Takes a key's value; an option that the task does not use is kept for the record only.
  mutating func set(_ option: any AnyRunOption, _ value: JSON) {
    values[option.name] = value
    use.give(option.name)
  }

  /// Takes the options of a JSON file.
  ///
  /// - Returns: warnings about keys that mean nothing. They are kept, as the reference keeps them.
  /// - Throws: `DataError` naming the file and the key whose value has the wrong type or is out of
  ///   range.
  public mutating func apply(_ object: JSONObject, file: String) throws -> [String] {
    var warnings: [String] = []
    for (key, value) in object where key != RunOptions.shared.task.name {
      if key == Self.precisionKey {
        values[key] = value
        continue
      }
      guard let option = RunOptions.named(key) else {
        warnings.append("\(file): \(unknown(key))")
        values[key] = value
        continue
      }
      guard let accepted = option.accepted(value) else {
        throw DataError(
          "must be \(option.expectation), not \(value.shown)", file: file,
          place: "key \"\(key)\"", cure: Self.cure(value, option))
      }
      // The published files have an alias beside nothing or beside the key itself, which then
      // holds.
      if let holding = holding(option, beside: key, in: object) {
        if option.accepted(object[holding] ?? .null) != accepted {
          warnings.append("\(file): \"\(key)\" has no effect beside \"\(holding)\", which means the same")
        }
        continue
      }
      set(option, accepted)
    }
    return warnings
  }

  /// The key of an object whose value counts in place of another key of the same option.
  private func holding(_ option: any AnyRunOption, beside key: String, in object: JSONObject) -> String? {
    let first = ([option.name] + option.aliases).first { object[$0] != nil }
    return first == key ? nil : first
  }

  static func cure(_ value: JSON, _ option: any AnyRunOption) -> String? {
    if let text = value.string, let word = option.accepted(words: [text]), word.string == nil {
      return "Write \(word.encoded(style: .python)), without quotation marks"
    }
    if option.isBoolean, let number = value.int, [0, 1].contains(number) {
      return "Write \(number == 1 ? "true" : "false")"
    }
    return value == .null ? "Leave the key out for its default" : nil
  }

  private func unknown(_ key: String) -> String {
    let names = RunOptions.used(by: family).map(\.name)
    let hint = nearestName(to: key, among: names).map { "; did you mean \"\($0)\"?" } ?? ""
    return "unknown key \"\(key)\" has no effect\(hint)"
  }
}
