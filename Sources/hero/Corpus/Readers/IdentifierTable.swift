import Formats

/// Names numbered in the order in which they came, found by name in constant time.
///
/// Two names are the same if their bytes are, as in the stores (Swift's own comparison takes
/// different spellings of an accented letter for one).
struct IdentifierTable: Sendable {
  private(set) var names: [String] = []
  private var table = ByteTable()

  var count: Int { names.count }

  /// The number of `name`, or nil if it has not come.
  func number(of name: String) -> Int? { number(of: name, hash: ByteTable.hash(of: name)) }

  private func number(of name: String, hash: UInt32) -> Int? {
    table.number(hash: hash) { names[$0].hasSameBytes(as: name) }
  }

  /// The number of `name`, which gets the next one if it has not come before.
  mutating func insert(_ name: String) -> Int {
    let hash = ByteTable.hash(of: name)
    if let known = number(of: name, hash: hash) { return known }
    table.append(hash: hash)
    names.append(name)
    return names.count - 1
  }

  /// Reads a side file, `{"id": value, …}`: the ids in its order, and what each has; of an id that
  /// comes twice the last counts.
  ///
  /// - Parameters:
  ///   - expected: what a value is, as in "not …".
  ///   - decode: gives nil for a value that is none.
  /// - Throws: `DataError` naming the id whose value is none.
  static func read<Value>(
    path: String, expecting expected: String, cure: String = "Make the store again",
    _ decode: (JSON) -> Value?
  ) throws -> (names: IdentifierTable, values: [Value]) {
    var names = IdentifierTable()
    var values: [Value] = []
    try JSON.readMembers(path: path) { id, json in
      guard let value = decode(json) else {
        throw DataError(
          "\(json.shown) is not \(expected)", file: path, place: "key \"\(id)\"", cure: cure)
      }
      let number = names.insert(id)
      if number < values.count { values[number] = value } else { values.append(value) }
    }
    return (names, values)
  }

  /// Reads a file of frame counts, `{video: frames}`.
  static func frameCounts(path: String) throws -> (names: IdentifierTable, values: [Int32]) {
    try read(path: path, expecting: "a number of frames", count)
  }

  /// The same by name.
  /// - Parameter limit: more are a mistake.
  static func frameCounts(path: String, limit: Int, cure: String) throws -> [Name: Int] {
    let (names, counts) = try read(path: path, expecting: "a number of frames", cure: cure) {
      whole($0).flatMap { (0...limit).contains($0) ? $0 : nil }
    }
    return Dictionary(zip(names.names.lazy.map { Name($0) }, counts)) { $1 }
  }

  /// A count of frames or tokens, as side files have it.
  static func count(_ json: JSON) -> Int32? { whole(json).flatMap { $0 >= 0 ? Int32(exactly: $0) : nil } }

  /// A whole number, be it written as 20, as 20.0, which pandas makes of it, or as "20".
  private static func whole(_ json: JSON) -> Int? {
    json.int ?? json.double.flatMap { Int(exactly: $0) } ?? json.string.flatMap { Int($0) }
  }
}
