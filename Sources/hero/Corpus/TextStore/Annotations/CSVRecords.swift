import Formats

/// Comma-separated values as Python's `csv` reads them.
///
/// Quoted fields may hold commas, doubled quotes and line feeds. A quote inside a field that does
/// not start with one stands for itself.
public enum CSVRecords {
  /// The bytes after which a record with an open quote is given up: it would swallow the rest of
  /// the file.
  private static let longestRecord = 1 << 16
  /// The most bytes to read again after records with an open quote, before the file is given up.
  private static let mostReadAgain = 8 << 20

  /// Calls `body` with the first line, counted from 1, and the fields of every record; skips blank
  /// lines.
  ///
  /// After a record that cannot be read, reading continues behind its first line.
  /// - Throws: `DataError` for a file whose quotes do not match at all, and what `body` throws.
  public static func read(
    path: String, _ body: (_ line: Int, _ fields: Result<[String], BadRow>) throws -> Void
  )
    throws
  {
    var reader = Reader(path: path)
    try TextFile.forEachLine(path: path) { line in
      // A carriage return before the line feed belongs to the line's end.
      try reader.take(Array(line.last == 0x0D ? line.dropLast() : line[...]), body)
    }
    try reader.finish(body)
  }

  /// A reader that holds the lines of the open record and the state of its parsing.
  ///
  /// It reads each line once, unless it gives up the line's record.
  private struct Reader {
    private typealias Line = (number: Int, bytes: [UInt8])

    let path: String
    private var number = 0
    private var lines: [Line] = []
    private var parser = CSVParser()
    private var readAgain = 0

    init(path: String) { self.path = path }

    mutating func take(
      _ line: [UInt8], _ body: (_ line: Int, _ fields: Result<[String], BadRow>) throws -> Void
    ) throws {
      number += 1
      var open: ArraySlice<Line> = [(number, line)]
      while let next = open.popFirst() {
        if lines.isEmpty, next.bytes.allSatisfy({ $0 == 0x20 }) { continue }
        lines.append(next)
        parser.append(next.bytes)
        if parser.isBroken || (parser.isOpen && parser.size > CSVRecords.longestRecord) {
          open = try giveUp(body) + open
        } else if !parser.isOpen {
          try body(lines[0].number, parser.fields())
          restart()
        }
      }
    }

    mutating func finish(_ body: (_ line: Int, _ fields: Result<[String], BadRow>) throws -> Void) throws {
      while !lines.isEmpty {
        for line in try giveUp(body) {
          number = line.number - 1
          try take(line.bytes, body)
        }
      }
    }

    /// Fails the open record.
    /// - Returns: its lines after the first.
    private mutating func giveUp(
      _ body: (_ line: Int, _ fields: Result<[String], BadRow>) throws -> Void
    ) throws -> ArraySlice<Line> {
      let behind = lines.dropFirst()
      let first = lines[0].number
      readAgain += parser.size
      guard readAgain <= CSVRecords.mostReadAgain else {
        throw DataError(
          "its quotes do not match: too many are opened and not closed", file: path, place: "line \(first)",
          cure: "Correct the quotes, or write the table again")
      }
      restart()
      try body(first, .failure(BadRow("a quote is opened and not closed")))
      return behind
    }

    private mutating func restart() {
      lines.removeAll(keepingCapacity: true)
      parser = CSVParser()
    }
  }
}

/// A parser that takes a record line by line.
private struct CSVParser {
  private enum State { case start, plain, quoted, closed }

  private var state = State.start
  private var lines = 0
  private var done: [[UInt8]] = []
  private var field: [UInt8] = []
  /// The number of bytes taken.
  private(set) var size = 0
  /// Whether a quoted field continues in the next line.
  var isOpen: Bool { state == .quoted }
  /// Whether a field of several lines continues behind its closing quote, because an earlier quote
  /// was left open.
  private(set) var isBroken = false

  mutating func append(_ line: [UInt8]) {
    if isOpen { field.append(0x0A) }
    lines += 1
    size += line.count + 1
    for byte in line {
      switch (state, byte) {
      case (.start, 0x22): state = .quoted
      case (.quoted, 0x22): state = .closed
      case (.quoted, _): field.append(byte)
      case (.closed, 0x22):
        field.append(byte)
        state = .quoted
      case (_, 0x2C):
        done.append(field)
        field = []
        state = .start
      default:
        if state == .closed, lines > 1 { isBroken = true }
        field.append(byte)
        state = .plain
      }
    }
  }

  /// Returns the fields of a record that is not open.
  func fields() -> Result<[String], BadRow> {
    let texts = (done + [field]).map { String(validating: $0, as: UTF8.self) }
    let valid = texts.compactMap { $0 }
    return valid.count == texts.count ? .success(valid) : .failure(BadRow("is not UTF-8"))
  }
}
