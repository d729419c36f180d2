import Formats

/// A section that a command writes into a page.
///
/// It stands between `<!-- NAME: COMMAND -->` and `<!-- /NAME -->`.
package struct PageSection {
  private let opening: String
  private let closing: String

  /// - Parameters:
  ///   - name: the section's name in its markers.
  ///   - maker: the command that writes the section.
  package init(name: String, maker: String) {
    (opening, closing) = ("<!-- \(name): \(maker) -->", "<!-- /\(name) -->")
  }

  /// Replaces the text between a page's markers.
  /// - Throws: `DataError` if the page lacks a marker or has the two in the wrong order.
  package func write(_ markdown: String, into path: String) throws {
    let text = String(decoding: try FileBytes.read(path: path), as: UTF8.self)
    guard let start = text.range(of: opening),
      let end = text.range(of: closing, range: start.upperBound..<text.endIndex)
    else {
      throw DataError(
        "has no place for the table", file: path, cure: "Put \(opening) and \(closing) where it shall stand")
    }
    try AtomicFile.write(
      String(text[..<start.upperBound] + "\n\n" + markdown + "\n" + text[end.lowerBound...]), to: path)
  }
}
