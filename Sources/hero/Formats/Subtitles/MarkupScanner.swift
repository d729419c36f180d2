// The scanner uses bytes and scalars, not characters. In a slice of flags (regional indicators)
// each step by a character looks back to the beginning of the slice.

/// A scanner of tags and texts in markup, as far as subtitles need it.
///
/// It looks nothing up and leaves entities as they are.
struct MarkupScanner {
  enum Piece {
    /// The name of a tag in lower case without its namespace, and its attributes by such names.
    case begin(name: String, attributes: [String: String], isEmpty: Bool)
    case end(name: String)
    case text(Substring)
  }

  private var rest: Substring
  /// The number of the line, from 0, in which the last piece ended.
  private(set) var line = 0

  init(_ text: String) { rest = text[...] }

  mutating func next() -> Piece? {
    while let first = rest.utf8.first {
      guard first == UInt8(ascii: "<") else {
        return .text(take(to: rest.utf8.firstIndex(of: UInt8(ascii: "<")) ?? rest.endIndex))
      }
      if rest.hasPrefix("<!--") {
        _ = take(past: "-->")
        continue
      }
      if rest.hasPrefix("<![CDATA[") {
        let text = take(past: "]]>").utf8.dropFirst(9)
        return .text(Substring(text.suffix(3).elementsEqual("]]>".utf8) ? text.dropLast(3) : text))
      }
      guard let end = rest.utf8.firstIndex(of: UInt8(ascii: ">")) else {
        return .text(take(to: rest.endIndex))
      }
      let tag = take(to: rest.utf8.index(after: end)).utf8.dropFirst().dropLast()
      if let piece = Self.tag(tag) { return piece }
    }
    return nil
  }

  private mutating func take(to end: Substring.Index) -> Substring {
    let taken = rest[..<end]
    line += taken.utf8.count { $0 == 0x0A }
    rest = rest[end...]
    return taken
  }

  private mutating func take(past mark: String) -> Substring {
    var place = rest.utf8.startIndex
    let mark = Array(mark.utf8)
    while place < rest.utf8.endIndex {
      if rest.utf8[place] == mark[0], rest.utf8[place...].starts(with: mark) {
        return take(to: rest.utf8.index(place, offsetBy: mark.count))
      }
      place = rest.utf8.index(after: place)
    }
    return take(to: rest.endIndex)
  }

  private static func local(_ name: Substring.UTF8View) -> String {
    (name.split(separator: UInt8(ascii: ":")).last.map { String(Substring($0)) } ?? "").lowercased()
  }

  private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }

  /// Parses a tag; nil for declarations and instructions.
  private static func tag(_ tag: Substring.UTF8View) -> Piece? {
    guard let first = tag.first, first != UInt8(ascii: "!"), first != UInt8(ascii: "?") else { return nil }
    if first == UInt8(ascii: "/") { return .end(name: local(tag.dropFirst().prefix { !isSpace($0) })) }
    let isEmpty = tag.last == UInt8(ascii: "/")
    var rest = isEmpty ? tag.dropLast() : tag
    let name = local(rest.prefix { !isSpace($0) })
    rest = rest.drop { !isSpace($0) }
    var attributes: [String: String] = [:]
    while true {
      rest = rest.drop(while: isSpace)
      let key = rest.prefix { !isSpace($0) && $0 != UInt8(ascii: "=") }
      guard !key.isEmpty else { break }
      rest = rest[key.endIndex...].drop(while: isSpace)
      guard rest.first == UInt8(ascii: "=") else { continue }
      rest = rest.dropFirst().drop(while: isSpace)
      let value: Substring.UTF8View
      if let quote = rest.first, quote == UInt8(ascii: "\"") || quote == UInt8(ascii: "'") {
        value = rest.dropFirst().prefix { $0 != quote }
        rest = rest[value.endIndex...].dropFirst()
      } else {
        value = rest.prefix { !isSpace($0) }
        rest = rest[value.endIndex...]
      }
      if attributes.count < 64 { attributes[local(key)] = String(Substring(value)) }
    }
    return .begin(name: name, attributes: attributes, isEmpty: isEmpty)
  }
}

extension Substring {
  /// Whether the text is only white space.
  var isBlank: Bool { unicodeScalars.allSatisfy(\.properties.isWhitespace) }

  /// Returns a copy with a space for each line feed and, if asked for, for each `&nbsp;`.
  func spaced(entities: Bool = false) -> String {
    let (bytes, entity) = (Array(utf8), Array("&nbsp;".utf8))
    var result: [UInt8] = []
    result.reserveCapacity(bytes.count)
    var place = 0
    while place < bytes.count {
      let isEntity = entities && bytes[place] == entity[0] && bytes[place...].starts(with: entity)
      result.append(isEntity || bytes[place] == 0x0A ? 0x20 : bytes[place])
      place += isEntity ? entity.count : 1
    }
    return String(decoding: result, as: UTF8.self)
  }
}

extension MarkupScanner {
  /// Returns the name of the tag that begins a text, to detect its format; nil if text comes first.
  static func firstTag(of text: String) -> String? {
    var scanner = MarkupScanner(String(text.prefix(4096)))
    while let piece = scanner.next() {
      switch piece {
      case .begin(let name, _, _): return name
      case .text(let text) where !text.isBlank: return nil
      default: continue
      }
    }
    return nil
  }
}
