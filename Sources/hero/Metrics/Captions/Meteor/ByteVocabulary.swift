/// Looks up words in the bytes of a line without making a string of each.
struct ByteVocabulary {
  private let words: [String]
  /// Places in `words` by hash; -1 where there is none. At least half are free.
  private var slots: [Int32]

  init(_ vocabulary: Set<String>) {
    words = vocabulary.filter { !$0.isEmpty }.sorted()
    var size = 16
    while size < words.count * 4 { size *= 2 }
    slots = Array(repeating: -1, count: size)
    for (number, word) in words.enumerated() {
      var slot = Array(word.utf8).withUnsafeBytes { Self.hash($0) } & (size - 1)
      while slots[slot] >= 0 { slot = (slot + 1) & (size - 1) }
      slots[slot] = Int32(number)
    }
  }

  /// The words of a line, which white space separates; nil if it has none, or one that is not in the vocabulary.
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
    var slot = Self.hash(bytes) & (slots.count - 1)
    while slots[slot] >= 0 {
      let word = words[Int(slots[slot])]
      if word.utf8.count == bytes.count, word.utf8.elementsEqual(bytes) { return word }
      slot = (slot + 1) & (slots.count - 1)
    }
    return nil
  }

  private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }

  /// FNV-1a.
  private static func hash(_ bytes: UnsafeRawBufferPointer) -> Int {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
    return Int(truncatingIfNeeded: hash >> 7)
  }
}
