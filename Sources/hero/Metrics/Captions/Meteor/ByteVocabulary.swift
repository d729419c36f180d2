import Formats

/// A vocabulary that finds words in the bytes of a line, without a string for each.
struct ByteVocabulary {
  private let words: [String]
  private var table: ByteTable

  init(_ vocabulary: Set<Name>) {
    words = vocabulary.sorted().map(\.text).filter { !$0.isEmpty }
    table = ByteTable(capacity: 2 * words.count)
    for word in words { table.append(hash: UInt32(truncatingIfNeeded: ByteTable.fastHash(word.utf8))) }
  }

  /// Returns the words of a line, split at white space.
  ///
  /// It is nil if the line has no word, or one that is not in the vocabulary.
  func words(of line: UnsafeRawBufferPointer) -> [String]? {
    var found: [String] = []
    var start = 0
    while start < line.count {
      if Self.isSpace(line[start]) {
        start += 1
        continue
      }
      var end = start
      while end < line.count, !Self.isSpace(line[end]) { end += 1 }
      guard let word = word(UnsafeRawBufferPointer(rebasing: line[start..<end])) else { return nil }
      found.append(word)
      start = end
    }
    return found.isEmpty ? nil : found
  }

  private func word(_ bytes: UnsafeRawBufferPointer) -> String? {
    let hash = UInt32(truncatingIfNeeded: ByteTable.fastHash(bytes))
    return table.number(hash: hash) {
      words[$0].utf8.count == bytes.count && words[$0].utf8.elementsEqual(bytes)
    }.map { words[$0] }
  }

  private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }
}
