import Foundation
import TestSupport
import Testing

/// A `hero` command from a code block of a page.
struct DocumentedCommand: CustomTestStringConvertible, Sendable {
  /// The page's path from the root of the checkout.
  let page: String
  let line: Int
  /// The words after `hero`.
  let words: [String]

  var testDescription: String { "\(page):\(line) hero \(words.joined(separator: " "))" }

  /// README and all pages under `Docs`.
  static let pages: [String] = {
    let docs = SharedData.repository.appendingPathComponent("Docs").path
    let names = FileManager.default.enumerator(atPath: docs)?.compactMap { $0 as? String } ?? []
    return ["README.md"] + names.filter { $0.hasSuffix(".md") }.map { "Docs/\($0)" }.sorted()
  }()

  static let all = pages.flatMap { commands(of: $0) }

  /// Returns the commands of a page in order, from indented and fenced blocks.
  ///
  /// A backslash at the end joins a line with the next.
  static func commands(of page: String) -> [DocumentedCommand] {
    let path = SharedData.repository.appendingPathComponent(page).path
    guard let text = try? String(contentsOfFile: path, encoding: .utf8) else { return [] }
    var commands: [DocumentedCommand] = []
    var isFenced = false
    var pending: (line: Int, text: String)?
    for (number, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
      if line.hasPrefix("```") { isFenced.toggle() }
      guard isFenced || line.hasPrefix("    ") || pending != nil else { continue }
      var content = line.trimmingCharacters(in: .whitespaces)
      if pending == nil {
        // Environment variables and MPI's launchers may precede the command.
        content = content.replacing(
          #/^([A-Z_]+=\S+ )*((mpirun|mpiexec|srun) ([^ ]+ )*?)?hero /#, with: "hero ")
        // In a list of modules, more than one space follows "hero".
        guard content.hasPrefix("hero "), !content.hasPrefix("hero  ") else { continue }
        pending = (number + 1, "")
      }
      let goesOn = content.hasSuffix("\\")
      if goesOn { content.removeLast() }
      pending?.text += content + " "
      if !goesOn, let command = pending {
        commands.append(
          DocumentedCommand(
            page: page, line: command.line, words: Array(shellWords(command.text).dropFirst())))
        pending = nil
      }
    }
    return commands
  }

  /// Every `make TARGET` in the pages, in code or in sentences, with its page.
  static let makeTargets: [(page: String, target: String)] = {
    (pages + ["CONTRIBUTING.md"]).flatMap { page in
      let path = SharedData.repository.appendingPathComponent(page).path
      let text = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
      let found = text.matches(of: #/(?:`|^    |&& )make ([a-z][a-z0-9-]*)/#.anchorsMatchLineEndings())
      return found.map { (page, String($0.1)) }
    }
  }()

  /// The first word of every `hero …` in a sentence, with its page.
  static let namedInSentences: [(page: String, word: String)] = {
    pages.flatMap { page in
      let path = SharedData.repository.appendingPathComponent(page).path
      let text = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
      return text.matches(of: /`hero\s+([^\s`]+)/).map { (page, String($0.1)) }
    }
  }()

  /// Splits text into words as a shell does; a comment ends the line.
  private static func shellWords(_ text: String) -> [String] {
    var words: [String] = []
    for word in text.split(separator: " ") {
      if word.hasPrefix("#") { break }
      words.append(word.trimmingCharacters(in: ["\""]))
    }
    return words
  }
}
