extension JSON {
  /// The style of written JSON.
  public enum Style: Sendable {
    /// Without spaces, with text as UTF-8.
    case compact
    /// Like Python's `json.dumps(value)`: ", " and ": ", with text as ASCII with `\u` escapes.
    case python
    /// Like Python's `json.dumps(value, indent=4)`.
    case pretty
  }

  /// Returns the value as text.
  ///
  /// Numbers are written as Python writes them, except that NaN and infinities become `null`.
  public func encoded(style: Style = .compact) -> String {
    String(decoding: encodedBytes(style: style), as: UTF8.self)
  }

  /// Returns the value as UTF-8.
  public func encodedBytes(style: Style = .compact) -> [UInt8] {
    var encoder = JSONEncoder(style: style)
    encoder.write(self)
    return encoder.bytes
  }
}

extension JSON {
  /// The maximum number of characters of a value that messages show.
  private static let mostShown = 80

  /// The value for a message: shortened, with NaN and infinities as Python writes them.
  public var shown: String {
    var text = ""
    show(in: &text)
    return text.count > Self.mostShown ? "\(text.prefix(Self.mostShown))…" : text
  }

  private func show(in text: inout String) {
    switch self {
    case .double(let value): text += PythonNumber.repr(value)
    case .string(let value) where value.utf8.count > 4 * Self.mostShown:
      text += JSON.string(String(value.prefix(Self.mostShown))).encoded()
    case .array(let elements):
      text += "["
      for (number, element) in elements.enumerated() where text.utf8.count <= 4 * Self.mostShown {
        if number > 0 { text += "," }
        element.show(in: &text)
      }
      text += "]"
    case .object(let members):
      text += "{"
      for (number, member) in members.enumerated() where text.utf8.count <= 4 * Self.mostShown {
        text += number > 0 ? "," : ""
        JSON.string(member.key).show(in: &text)
        text += ":"
        member.value.show(in: &text)
      }
      text += "}"
    default: text += encoded()
    }
  }
}

/// A writer of JSON values into a buffer of bytes.
private struct JSONEncoder {
  let style: JSON.Style
  var bytes: [UInt8] = []
  private var depth = 0

  init(style: JSON.Style) { self.style = style }

  mutating func write(_ value: JSON) {
    switch value {
    case .null: append("null")
    case .bool(let value): append(value ? "true" : "false")
    case .int(let value): append(String(value))
    case .double(let value): append(value.isFinite ? PythonNumber.repr(value) : "null")
    case .string(let value): write(text: value)
    case .array(let elements):
      writeList(open: "[", close: "]", elements) { $0.write($1) }
    case .object(let members):
      writeList(open: "{", close: "}", members) {
        $0.write(text: $1.key)
        $0.append($0.style == .compact ? ":" : ": ")
        $0.write($1.value)
      }
    }
  }

  private mutating func writeList<Elements: Sequence>(
    open: String, close: String, _ elements: Elements,
    _ writeElement: (inout JSONEncoder, Elements.Element) -> Void
  ) {
    append(open)
    depth += 1
    var isFirst = true
    for element in elements {
      if !isFirst { append(style == .python ? ", " : ",") }
      isFirst = false
      startLine()
      writeElement(&self, element)
    }
    depth -= 1
    if !isFirst { startLine() }
    append(close)
  }

  private mutating func startLine() {
    guard style == .pretty else { return }
    bytes.append(0x0A)
    bytes.append(contentsOf: repeatElement(0x20, count: 4 * depth))
  }

  private mutating func append(_ text: String) { bytes.append(contentsOf: text.utf8) }

  private mutating func write(text: String) {
    append("\"")
    let isPlain = text.utf8.allSatisfy {
      $0 >= 0x20 && $0 != 0x22 && $0 != 0x5C && (style == .compact || $0 < 0x7F)
    }
    if isPlain { append(text) } else { writeEscaped(text) }
    append("\"")
  }

  private mutating func writeEscaped(_ text: String) {
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": append("\\\"")
      case "\\": append("\\\\")
      case "\n": append("\\n")
      case "\r": append("\\r")
      case "\t": append("\\t")
      case "\u{08}": append("\\b")
      case "\u{0C}": append("\\f")
      case "\u{20}"..."\u{7E}": bytes.append(UInt8(truncatingIfNeeded: scalar.value))
      default:
        if style == .compact, scalar.value >= 0x7F {
          bytes.append(contentsOf: Character(scalar).utf8)
        } else {
          for unit in Character(scalar).utf16 { appendEscape(unit) }
        }
      }
    }
  }

  private mutating func appendEscape(_ unit: UInt16) {
    let digits = String(unit, radix: 16)
    append("\\u" + String(repeating: "0", count: 4 - digits.count) + digits)
  }
}

/// Numbers as Python prints them.
public enum PythonNumber {
  /// Returns Python's `repr(float)`: the shortest digits that read back as the same number.
  ///
  /// The result has an exponent below 1e-4 and from 1e16.
  public static func repr(_ value: Double) -> String {
    if value.isNaN { return "NaN" }
    if value.isInfinite { return value < 0 ? "-Infinity" : "Infinity" }
    let text = value.description
    // Swift prints the same, except that whole numbers from 2^53 to 1e16 have an exponent.
    return text.hasSuffix("e+15") ? "\(Int(value)).0" : text
  }
}
