/// A one-pass parser over bytes that makes neither characters nor strings for usual numbers.
///
/// It accepts what Python's `json` accepts: RFC 8259, plus `NaN`, `Infinity` and `-Infinity`. A
/// lone surrogate becomes U+FFFD, because a Swift string cannot hold it. Lines are counted only for
/// a report.
///
/// If an object repeats a key, the last value counts, as in Python. If the values differ, the first
/// such key of a file is reported (`Notice`).
struct JSONParser {
  /// The maximum depth of nesting, so that a hostile file cannot exhaust the stack.
  static let depthLimit = 512

  let bytes: UnsafeRawBufferPointer
  var position = 0
  private var depth = 0
  private let file: String?
  private let firstLine: Int
  private var isRepetitionTold = false

  init(_ bytes: UnsafeRawBufferPointer, file: String?, firstLine: Int = 1) {
    self.bytes = bytes
    self.file = file
    self.firstLine = firstLine
    if bytes.count >= 3, bytes[0] == 0xEF, bytes[1] == 0xBB, bytes[2] == 0xBF { position = 3 }
  }

  /// Parses the one value that the bytes hold.
  mutating func parseDocument() throws -> JSON {
    let value = try parseValue()
    try expectEnd()
    return value
  }

  /// Parses the one object that the bytes hold, and calls `body` with each member once it is read.
  mutating func parseMembers(_ body: (String, JSON) throws -> Void) throws {
    skipSpace()
    guard peek() == UInt8(ascii: "{") else {
      throw error(
        peek() == UInt8(ascii: "[")
          ? "expected an object, {\"key\": value, …}, and it is a list"
          : "expected an object, {\"key\": value, …}")
    }
    var seen: Set<Name> = []
    try parseObject { parser, key, value in
      if !seen.insert(Name(key)).inserted { parser.tell(repeated: key, "the last value counts") }
      try body(key, value)
    }
    try expectEnd()
  }

  /// Parses the one list that the bytes hold, and calls `body` with each element and the line that
  /// it begins in.
  mutating func parseList(_ body: (_ line: Int, JSON) throws -> Void) throws {
    skipSpace()
    guard peek() == UInt8(ascii: "[") else { throw error("expected a list") }
    var (line, counted) = (firstLine, 0)
    try parseElements(until: UInt8(ascii: "]")) { parser in
      line += parser.bytes[counted..<parser.position].count { $0 == 0x0A }
      counted = parser.position
      try body(line, try parser.parseValue())
    }
    try expectEnd()
  }

  private mutating func expectEnd() throws {
    skipSpace()
    if peek() == UInt8(ascii: ",") {
      throw error(
        "a comma after the value",
        cure: "Give one value a line without commas between lines, or all in one list [ ]")
    }
    if position < bytes.count { throw error("there is more text after the value") }
  }

  /// The line number of what is read next.
  private var line: Int {
    bytes[..<Swift.min(position, bytes.count)].reduce(firstLine) { $1 == 0x0A ? $0 + 1 : $0 }
  }

  func error(_ problem: String, cure: String = "Correct that line") -> DataError {
    DataError("malformed JSON: \(problem)", file: file, place: "line \(line)", cure: cure)
  }

  /// Reports the first repeated key; counting lines for each would take quadratic time.
  private mutating func tell(repeated key: String, _ consequence: String) {
    guard let file, !isRepetitionTold else { return }
    isRepetitionTold = true
    Notice.tell(
      "\(file), line \(line): \"\(key.prefix(80))\" is given twice; \(consequence)",
      about: "repeated keys of \(file)")
  }

  /// Puts a member into an object, in place of an earlier member of the same key.
  private mutating func put(_ key: String, _ value: JSON, into object: inout JSONObject) {
    guard let before = object.updateValue(value, forKey: key), before != value else { return }
    func short(_ value: JSON) -> String {
      switch value {
      case .array, .object: value.kind
      default: String(value.encoded(style: .python).prefix(80))
      }
    }
    tell(repeated: key, "\(short(value)) counts, not \(short(before))")
  }

  // MARK: - Values

  func peek() -> UInt8? { position < bytes.count ? bytes[position] : nil }

  /// Takes this byte if it is next, and returns whether it was.
  private mutating func take(_ byte: UInt8) -> Bool {
    guard peek() == byte else { return false }
    position += 1
    return true
  }

  private mutating func skipSpace() {
    while position < bytes.count {
      switch bytes[position] {
      case 0x20, 0x0A, 0x0D, 0x09: position += 1
      default: return
      }
    }
  }

  private mutating func parseValue() throws -> JSON {
    skipSpace()
    guard let byte = peek() else { throw error("the text ends where a value should be") }
    switch byte {
    case UInt8(ascii: "\""): return .string(try parseString())
    case UInt8(ascii: "{"):
      var object = JSONObject()
      try parseObject { $0.put($1, $2, into: &object) }
      return .object(object)
    case UInt8(ascii: "["): return .array(try parseArray())
    case UInt8(ascii: "t"): return try parseWord("true", .bool(true))
    case UInt8(ascii: "f"): return try parseWord("false", .bool(false))
    case UInt8(ascii: "n"): return try parseWord("null", .null)
    case UInt8(ascii: "N"): return try parseWord("NaN", .double(.nan))
    case UInt8(ascii: "I"): return try parseWord("Infinity", .double(.infinity))
    default: return try parseNumber()
    }
  }

  /// Returns what is wrong with common non-JSON: comments, and dictionaries as Python prints them.
  private func unexpected() -> String? {
    let rest = bytes[position...].prefix(5)
    if rest.starts(with: "'".utf8) { return "texts stand between double quotes, not single ones" }
    if rest.starts(with: "//".utf8) || rest.starts(with: "/*".utf8) || rest.starts(with: "#".utf8) {
      return "there are no comments in JSON"
    }
    let words = ["True": "true", "False": "false", "None": "null"]
    return words.first { rest.starts(with: $0.key.utf8) }.map { "\($0.key) is written \($0.value)" }
  }

  private mutating func parseWord(_ word: StaticString, _ value: JSON) throws -> JSON {
    let count = word.utf8CodeUnitCount
    guard bytes.count - position >= count,
      (0..<count).allSatisfy({ word.utf8Start[$0] == bytes[position + $0] })
    else { throw error(unexpected() ?? "expected a value") }
    position += count
    return value
  }

  private mutating func parseArray() throws -> [JSON] {
    var elements: [JSON] = []
    try parseElements(until: UInt8(ascii: "]")) { elements.append(try $0.parseValue()) }
    return elements
  }

  private mutating func parseObject(_ body: (inout JSONParser, String, JSON) throws -> Void) throws {
    try parseElements(until: UInt8(ascii: "}")) { parser in
      guard let quote = parser.peek() else { throw parser.error("the text ends where a key should be") }
      guard quote == UInt8(ascii: "\"") else {
        throw parser.error(parser.unexpected() ?? "expected a key in double quotes")
      }
      let key = try parser.parseString()
      parser.skipSpace()
      guard parser.take(UInt8(ascii: ":")) else { throw parser.error("expected \":\" after a key") }
      let value = try parser.parseValue()
      try body(&parser, key, value)
    }
  }

  /// Parses elements with commas between two brackets, of which the opening one is next.
  private mutating func parseElements(
    until close: UInt8, _ parseElement: (inout JSONParser) throws -> Void
  ) throws {
    depth += 1
    defer { depth -= 1 }
    if depth > Self.depthLimit { throw error("nested deeper than \(Self.depthLimit) levels") }
    position += 1
    skipSpace()
    if take(close) { return }
    while true {
      skipSpace()
      try parseElement(&self)
      skipSpace()
      if take(close) { return }
      guard take(UInt8(ascii: ",")) else {
        throw error(unexpected() ?? "expected \",\" or \"\(Unicode.Scalar(close))\" after an element")
      }
      skipSpace()
      if peek() == close { throw error("a comma before \"\(Unicode.Scalar(close))\"") }
    }
  }

  // MARK: - Numbers

  private mutating func parseNumber() throws -> JSON {
    let start = position
    let negative = take(UInt8(ascii: "-"))
    if negative, peek() == UInt8(ascii: "I") {
      return try parseWord("Infinity", .double(-.infinity))
    }
    var magnitude: UInt64 = 0
    var digits = 0
    let integerStart = position
    readDigits(into: &magnitude, &digits)
    let integerDigits = position - integerStart
    guard integerDigits > 0 else { throw error(unexpected() ?? "expected a value") }
    if integerDigits > 1, bytes[integerStart] == UInt8(ascii: "0") {
      throw error("a number with leading zeros")
    }
    var isInteger = true
    var exponent = 0
    if take(UInt8(ascii: ".")) {
      isInteger = false
      let fractionStart = position
      readDigits(into: &magnitude, &digits)
      exponent = fractionStart - position
      guard exponent < 0 else { throw error("a number without digits after its point") }
    }
    if let byte = peek(), byte | 0x20 == UInt8(ascii: "e") {
      isInteger = false
      exponent = try readExponent(adding: exponent)
    }
    if digits <= 18 {
      if isInteger { return .int(negative ? -Int(magnitude) : Int(magnitude)) }
      // Both are exact in a double, so one operation rounds correctly (Clinger 1990).
      if magnitude < 1 << 53, exponent.magnitude <= 22 {
        let power = Self.powersOfTen[Int(exponent.magnitude)]
        let value = exponent < 0 ? Double(magnitude) / power : Double(magnitude) * power
        return .double(negative ? -value : value)
      }
    }
    let text = String(decoding: bytes[start..<position], as: UTF8.self)
    if isInteger, let value = Int(text) { return .int(value) }
    guard let value = Double(text) else { throw error("a number that cannot be read") }
    return .double(value)
  }

  /// Reads digits; `magnitude` is right while `digits`, without leading zeros, is at most 18.
  private mutating func readDigits(into magnitude: inout UInt64, _ digits: inout Int) {
    while position < bytes.count {
      let digit = bytes[position] &- UInt8(ascii: "0")
      guard digit < 10 else { return }
      magnitude = magnitude &* 10 &+ UInt64(digit)
      if magnitude != 0 || digits > 0 { digits += 1 }
      position += 1
    }
  }

  private mutating func readExponent(adding base: Int) throws -> Int {
    position += 1
    let negative = take(UInt8(ascii: "-"))
    if !negative { _ = take(UInt8(ascii: "+")) }
    let start = position
    var value = 0
    while let byte = peek(), byte &- UInt8(ascii: "0") < 10 {
      value = Swift.min(value * 10 + Int(byte &- UInt8(ascii: "0")), 1_000_000)
      position += 1
    }
    guard position > start else { throw error("a number without digits in its exponent") }
    return base + (negative ? -value : value)
  }

  private static let powersOfTen: [Double] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
  ]
}
