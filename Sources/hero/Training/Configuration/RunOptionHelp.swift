import Formats
import Foundation

extension RunOptions {
  /// The columns of a line; ArgumentParser breaks longer ones on a terminal of 80 columns.
  static let width = 78
  /// The column in which the descriptions start.
  private static let column = 29

  /// Returns the text of `--help` for all options of some families, in groups, with their defaults.
  ///
  /// - Parameter families: those of the command; an option that only some of them use names these.
  public static func help(for families: Set<TaskFamily>) -> String {
    RunOptionGroup.allCases.compactMap { group in
      let options = all.filter { $0.group == group && !$0.families.isDisjoint(with: families) }
      guard !options.isEmpty else { return nil }
      return "\(group.rawValue):\n" + options.map { entry($0, families) }.joined(separator: "\n")
    }.joined(separator: "\n\n")
  }

  private static func entry(_ option: any AnyRunOption, _ families: Set<TaskFamily>) -> String {
    let flag = "  " + option.flag
    var text = option.help
    let users = families.intersection(option.families)
    if users != families {
      text += " [\(TaskFamily.allCases.filter(users.contains).map(\.rawValue).joined(separator: ", "))]"
    }
    if let note = defaultNote(option, users) { text += " (\(note))" }
    // A name longer than the column stands on a line of its own.
    let indent = String(repeating: " ", count: column)
    let lines = wrapped(text, to: width - column)
    return flag.count < column
      ? flag + String(indent.dropFirst(flag.count)) + lines.joined(separator: "\n" + indent)
      : ([flag] + lines.map { indent + $0 }).joined(separator: "\n")
  }

  /// Returns the default, and the families that have another one.
  private static func defaultNote(_ option: any AnyRunOption, _ users: Set<TaskFamily>) -> String? {
    let defaults = TaskFamily.allCases.filter(users.contains).map { ($0, option.defaultJSON(for: $0)) }
    guard option.group != .ignored, let first = defaults.first?.1, first != .null, first != .array([]) else {
      return nil
    }
    let exceptions = defaults.filter { $0.1 != first }.map { "\($0.0.rawValue): \(spelled($0.1))" }
    return (["default: \(spelled(first))"] + exceptions).joined(separator: "; ")
  }

  /// Returns a value as a user would write it after a flag.
  private static func spelled(_ value: JSON) -> String {
    if let list = value.array { return list.map(spelled).joined(separator: " ") }
    if let number = value.double { return String(format: "%g", number) }
    return value.string ?? value.encoded(style: .python)
  }

  private static func wrapped(_ text: String, to width: Int) -> [String] {
    var lines = [""]
    for word in text.split(separator: " ") {
      let last = lines[lines.count - 1]
      if last.isEmpty {
        lines[lines.count - 1] = String(word)
      } else if last.count + 1 + word.count <= width {
        lines[lines.count - 1] = "\(last) \(word)"
      } else {
        lines.append(String(word))
      }
    }
    return lines
  }
}
