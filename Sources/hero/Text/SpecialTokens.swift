/// Finds special tokens inside a text.
///
/// They all start with `<` and end with `>` and hold neither in between, so no two can overlap.
struct SpecialTokens: Sendable {
  enum Piece: Equatable {
    /// A special token's id.
    case special(Int32)
    /// A stretch of other text, not empty, without white space around it.
    case text(Range<Int>)
  }

  private let tokens: [(bytes: [UInt8], id: Int32)]

  init(_ tokens: [(String, Int32)]) {
    self.tokens = tokens.map { (Array($0.0.utf8), $0.1) }
  }

  /// Calls `body` for each special token of `bytes[range]` and each stretch between them.
  func forEachPiece(
    of bytes: UnsafeBufferPointer<UInt8>, in range: Range<Int>, _ body: (Piece) -> Void
  ) {
    var start = range.lowerBound
    var index = start
    func emitText(upTo end: Int) {
      let stripped = PythonText.strippedRange(of: bytes, in: start..<end)
      if !stripped.isEmpty { body(.text(stripped)) }
    }
    while index < range.upperBound {
      guard bytes[index] == UInt8(ascii: "<"), let token = token(bytes, at: index, end: range.upperBound)
      else {
        index += 1
        continue
      }
      emitText(upTo: index)
      body(.special(token.id))
      index += token.bytes.count
      start = index
    }
    emitText(upTo: range.upperBound)
  }

  private func token(
    _ bytes: UnsafeBufferPointer<UInt8>, at index: Int, end: Int
  ) -> (bytes: [UInt8], id: Int32)? {
    tokens.first { token in
      token.bytes.count <= end - index
        && token.bytes.elementsEqual(bytes[index..<index + token.bytes.count])
    }
  }
}
