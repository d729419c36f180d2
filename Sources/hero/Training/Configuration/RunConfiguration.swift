import Engine
import Formats

/// The options of one run: the defaults of its task, then its JSON file, then its flags.
///
/// Options are read by the names of ``RunOptions``, each with its own type:
/// `configuration.learningRate` is a `Double`.
@dynamicMemberLookup
public struct RunConfiguration: Equatable, Sendable {
  /// The task whose defaults hold, a row of the table of tasks.
  public let task: RunTask
  /// The values of the task's options by key, then the other keys of the file.
  private var values: JSONObject
  /// The options that were given, and those that have been read.
  private(set) var use = OptionUse()
  /// Whether this is one task of a run of several.
  private(set) var isPart = false

  /// The task's family, which decides which options exist and which suite runs.
  public var family: TaskFamily { task.family }

  /// The key of the precision, which the device determines and `log/hps.json` records.
  private static let precisionKey = "precision"
  /// The precision in the file, whatever JSON it is.
  var precisionInFile: JSON? { values[Self.precisionKey] }
  /// The precision that the run recorded; nil if it recorded none.
  var recordedPrecision: Precision? {
    get { values[Self.precisionKey]?.string.flatMap(Precision.init) }
    set { values[Self.precisionKey] = newValue.map { .string($0.rawValue) } }
  }

  /// Makes the default configuration of a task.
  public init(task: RunTask) {
    self.task = task
    values = JSONObject()
    for option in RunOptions.used(by: task.family) {
      values[option.name] = option.defaultJSON(for: task.family)
    }
    values[RunOptions.shared.task.name] = .string(task.rawValue)
  }

  /// Makes the configuration of one task of a run of several, with the run's options.
  ///
  /// Options read from it count as read from the run.
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

  /// The value of an option; its default if the task does not use it.
  public subscript<Value>(dynamicMember option: KeyPath<RunOptions, RunOption<Value>>) -> Value {
    get {
      let option = RunOptions.shared[keyPath: option]
      use.note(option.name)
      guard option.families.contains(family) else { return option.defaultValue(for: family) }
      return values[option.name].flatMap(Value.init(json:)) ?? option.defaultValue(for: family)
    }
    set { values[RunOptions.shared[keyPath: option].name] = newValue.json }
  }

  /// A copy for checks that are not part of the work: what they read is not counted.
  var unobserved: RunConfiguration {
    var copy = self
    copy.use = OptionUse()
    return copy
  }

  /// All options as they were run, for `log/hps.json`.
  ///
  /// The reference writes them by `json.dump(vars(args), indent=4)`.
  public var json: JSON { .object(values) }

  /// Returns an option's value as `log/hps.json` holds it.
  func value(of option: any AnyRunOption) -> JSON? { values[option.name] }

  /// Sets an option; one that the task does not use is only kept for the record.
  mutating func set(_ option: any AnyRunOption, _ value: JSON) {
    values[option.name] = value
    use.give(option.name)
  }

  /// Applies the options of a JSON file.
  ///
  /// - Returns: warnings about keys that mean nothing. The keys are kept, as in the reference.
  /// - Throws: `DataError` that names the file and the key if a value has the wrong type or is out
  ///   of range.
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
      // In the published files an alias stands alone or beside the key itself. The key then wins.
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

  /// Returns the key of the same option that counts in place of `key`; nil if `key` itself counts.
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
