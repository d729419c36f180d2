import Formats

/// Comma-separated values as Python's `csv` reads them: quoted fields may hold commas, doubled quotes and line feeds;
/// a quote inside a field that does not start with one stands for itself.
enum CSVRecords {
  /// A record with a quote left open would swallow the rest of the file; one may not be longer than this.
  private static let longestRecord = 1 << 16

  /// Calls `body` with every record's first line, counted from 1, and fields; blank lines are passed over. A record
  /// that cannot be read is a failure, and reading goes on behind its first line.
  static func read(path: String, _ body: (_ line: Int, _ fields: Result<[String], BadRow>) throws -> Void)
    throws
  {
    var pending: [(number: Int, bytes: [UInt8])] = []
    var number = 0
    try FileBytes.forEachLine(path: path) { line in
      number += 1
      var bytes = Array(line)
      if number == 1, bytes.starts(with: [0xEF, 0xBB, 0xBF]) { bytes.removeFirst(3) }
      if bytes.last == 0x0D { bytes.removeLast() }
      pending.append((number, bytes))
      try emit(&pending, atEnd: false, body)
    }
    try emit(&pending, atEnd: true, body)
  }

  /// Hands on the records that `pending` has whole.
  private static func emit(
    _ pending: inout [(number: Int, bytes: [UInt8])], atEnd: Bool,
    _ body: (_ line: Int, _ fields: Result<[String], BadRow>) throws -> Void
  ) throws {
    while let first = pending.first {
      if first.bytes.allSatisfy({ $0 == 0x20 }) {
        pending.removeFirst()
        continue
      }
      var parser = CSVParser()
      var used = 0
      repeat {
        parser.append(pending[used].bytes)
        used += 1
      } while parser.isOpen && !parser.isBroken && used < pending.count
      if !parser.isOpen, !parser.isBroken {
        pending.removeFirst(used)
        try body(first.number, parser.fields())
      } else if parser.isBroken || atEnd || parser.size > longestRecord {
        pending.removeFirst()
        try body(first.number, .failure(BadRow("a quote is opened and not closed")))
      } else {
        return
      }
    }
  }
}

/// A record on its way through its lines.
private struct CSVParser {
  private enum State { case start, plain, quoted, closed }

  private var state = State.start
  private var lines = 0
  private var done: [[UInt8]] = []
  private var field: [UInt8] = []
  /// Bytes taken.
  private(set) var size = 0
  /// Whether a quoted field goes on in the next line.
  var isOpen: Bool { state == .quoted }
  /// Whether a field of several lines goes on behind its closing quote: then its opening one was left open.
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

  /// The fields of a record that is not open.
  func fields() -> Result<[String], BadRow> {
    let texts = (done + [field]).map { String(validating: $0, as: UTF8.self) }
    let valid = texts.compactMap { $0 }
    return valid.count == texts.count ? .success(valid) : .failure(BadRow("is not UTF-8"))
  }
}
