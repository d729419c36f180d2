import Formats

/// Comma-separated values as RFC 4180 has them: quoted fields may hold commas, doubled quotes and line feeds.
enum CSVRecords {
  /// A record with a quote left open would swallow the rest of the file; one may not be longer than this.
  private static let longestRecord = 1 << 16

  /// Calls `body` with every record's first line, counted from 1, and fields; blank lines are passed over. A record
  /// that cannot be read is a failure, and reading goes on behind its first line.
  static func read(path: String, _ body: (_ line: Int, _ fields: Result<[String], BadRow>) throws -> Void)
    throws
  {
    var pending: [(number: Int, bytes: [UInt8])] = []
    var size = 0
    var number = 0
    func flush(atEnd: Bool) throws {
      while let first = pending.first {
        var joined: [UInt8] = []
        var used = 0
        repeat {
          if used > 0 { joined.append(0x0A) }
          joined += pending[used].bytes
          used += 1
        } while used < pending.count && !isClosed(joined)
        if isClosed(joined) {
          pending.removeFirst(used)
          try body(first.number, fields(of: joined))
        } else if atEnd || size > longestRecord {
          pending.removeFirst()
          size -= first.bytes.count
          try body(first.number, .failure(BadRow("a quote is opened and not closed")))
        } else {
          return
        }
      }
      size = 0
    }
    try FileBytes.forEachLine(path: path) { line in
      number += 1
      var bytes = Array(line)
      if number == 1, bytes.starts(with: [0xEF, 0xBB, 0xBF]) { bytes.removeFirst(3) }
      if pending.isEmpty, bytes.allSatisfy({ $0 == 0x20 || $0 == 0x0D }) { return }
      if pending.isEmpty, isClosed(bytes) { return try body(number, fields(of: bytes)) }
      size += bytes.count
      let closes = bytes.contains(0x22)
      pending.append((number, bytes))
      if closes || size > longestRecord { try flush(atEnd: false) }
    }
    try flush(atEnd: true)
  }

  /// Whether the quotes of a record come in pairs.
  private static func isClosed(_ bytes: [UInt8]) -> Bool { bytes.count { $0 == 0x22 }.isMultiple(of: 2) }

  private static func fields(of record: [UInt8]) -> Result<[String], BadRow> {
    guard let text = String(validating: record, as: UTF8.self) else {
      return .failure(BadRow("is not UTF-8"))
    }
    var fields: [String] = []
    var field = String.UnicodeScalarView()
    var isQuoted = false
    var mayDouble = false
    for scalar in text.unicodeScalars {
      if scalar == "\"" {
        if !isQuoted, mayDouble { field.append(scalar) }
        mayDouble = isQuoted
        isQuoted.toggle()
      } else {
        mayDouble = false
        if scalar == ",", !isQuoted {
          fields.append(String(field))
          field = String.UnicodeScalarView()
        } else {
          field.append(scalar)
        }
      }
    }
    if field.last == "\r" { field.removeLast() }
    fields.append(String(field))
    return .success(fields)
  }
}
