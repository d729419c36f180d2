import Formats

/// Names numbered in the order of their insertion, found by name in constant time.
///
/// Two names are equal if their bytes are, as in the stores. Swift's own comparison treats
/// different spellings of an accented letter as equal.
struct IdentifierTable: Sendable {
  private(set) var names: [String] = []
  private var table = ByteTable()

  var count: Int { names.count }

  /// Returns the number of `name`, or nil if the table lacks it.
  func number(of name: String) -> Int? { number(of: name, hash: ByteTable.hash(of: name)) }

  private func number(of name: String, hash: UInt32) -> Int? {
    table.number(hash: hash) { names[$0].hasSameBytes(as: name) }
  }

  /// Returns the number of `name`; a new name gets the next number.
  mutating func insert(_ name: String) -> Int {
    let hash = ByteTable.hash(of: name)
    if let known = number(of: name, hash: hash) { return known }
    table.append(hash: hash)
    names.append(name)
    return names.count - 1
  }

  /// Reads the ids of a side file `{"id": value, …}` in its order, and the value of each.
  ///
  /// If an id occurs twice, the last value counts.
  ///
  /// - Parameters:
  ///   - expected: what a value should be, as in "not …".
  ///   - decode: returns nil for an invalid value.
  /// - Throws: `DataError` naming the id whose value is invalid.
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

  /// Reads a file of frame counts into a dictionary by name.
  /// - Parameter limit: the largest valid count.
  static func frameCounts(path: String, limit: Int, cure: String) throws -> [Name: Int] {
    let (names, counts) = try read(path: path, expecting: "a number of frames", cure: cure) {
      whole($0).flatMap { (0...limit).contains($0) ? $0 : nil }
    }
    return Dictionary(zip(names.names.lazy.map { Name($0) }, counts)) { $1 }
  }

  /// Returns a count of frames or tokens as side files write it, or nil if the value is none.
  static func count(_ json: JSON) -> Int32? { whole(json).flatMap { $0 >= 0 ? Int32(exactly: $0) : nil } }

  /// Returns a whole number, written as 20, as 20.0 (as pandas writes it) or as "20".
  private static func whole(_ json: JSON) -> Int? {
    json.int ?? json.double.flatMap { Int(exactly: $0) } ?? json.string.flatMap { Int($0) }
  }
}
