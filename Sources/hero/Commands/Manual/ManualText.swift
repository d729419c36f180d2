import Foundation

/// Converts the text of a command's help to lines of a page.
///
/// The text has paragraphs, commands to type, and lists of options with headings.
enum ManualText {
  static func lines(of text: String) -> [String] {
    var result: [String] = []
    var block: [String] = []
    for line in (text + "\n").components(separatedBy: "\n") {
      guard line.allSatisfy(\.isWhitespace) else {
        block.append(line)
        continue
      }
      if !block.isEmpty { result += lines(ofBlock: block) }
      block = []
    }
    return result
  }

  /// Converts consecutive lines without an empty line between them.
  private static func lines(ofBlock block: [String]) -> [String] {
    guard let first = block.first else { return [] }
    if first.hasPrefix("  ") {
      return first.hasPrefix("  -") ? options(block) : example(block)
    }
    let body = block.dropFirst()
    if first.hasSuffix(":"), !body.isEmpty, body.allSatisfy({ $0.hasPrefix("  ") }) {
      return [".SS \(Roff.quoted(String(first.dropLast())))"] + lines(ofBlock: Array(body))
    }
    return [".PP"] + [Roff.text(block.joined(separator: " "))]
  }

  private static func example(_ block: [String]) -> [String] {
    [".PP", ".RS 4", ".EX"] + block.map { Roff.text(String($0.dropFirst(2))) } + [".EE", ".RE"]
  }

  /// Converts `  --flag  what it means`, whose text may continue in lines indented further.
  private static func options(_ block: [String]) -> [String] {
    var entries: [(flag: String, words: [String])] = []
    for line in block {
      var words = line.split(separator: " ").map(String.init)
      if !line.hasPrefix("   ") { entries.append((words.removeFirst(), [])) }
      entries[entries.count - 1].words += words
    }
    return entries.flatMap { [".TP", Roff.bold($0.flag), Roff.text($0.words.joined(separator: " "))] }
  }
}
