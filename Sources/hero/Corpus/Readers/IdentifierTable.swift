import Formats

/// Names numbered in the order in which they came, found by name in constant time.
///
/// Two names are the same if their bytes are, as in the stores (Swift's own comparison takes different spellings of an
/// accented letter for one). Hashes are kept, so that growing to a million names hashes none of them twice.
struct IdentifierTable: Sendable {
  private(set) var names: [String] = []
  private var hashes: [UInt32] = []
  /// Open addressing: a name's number, or −1.
  private var slots: [Int32] = [Int32](repeating: -1, count: 16)

  var count: Int { names.count }

  /// The number of `name`, or nil if it has not come.
  func number(of name: String) -> Int? {
    let number = slots[slot(of: name, hash: Self.hash(name))]
    return number < 0 ? nil : Int(number)
  }

  /// The number of `name`, which gets the next one if it has not come before.
  mutating func insert(_ name: String) -> Int {
    let hash = Self.hash(name)
    var place = slot(of: name, hash: hash)
    if slots[place] >= 0 { return Int(slots[place]) }
    if 2 * names.count >= slots.count {
      grow()
      place = slot(of: name, hash: hash)
    }
    slots[place] = Int32(clamping: names.count)
    names.append(name)
    hashes.append(hash)
    return names.count - 1
  }

  /// Reads a side file, `{"id": value, …}`: the ids in its order, and what each has; of an id that comes twice the last
  /// counts.
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
          "\(json.encoded()) is not \(expected)", file: path, place: "key \"\(id)\"", cure: cure)
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
  static func frameCounts(path: String, limit: Int, cure: String) throws -> [String: Int] {
    let (names, counts) = try read(path: path, expecting: "a number of frames", cure: cure) {
      $0.int.flatMap { (0...limit).contains($0) ? $0 : nil }
    }
    return Dictionary(zip(names.names, counts)) { $1 }
  }

  /// A count of frames or tokens, as side files have it.
  static func count(_ json: JSON) -> Int32? { json.int.flatMap { $0 >= 0 ? Int32(exactly: $0) : nil } }

  private static func hash(_ name: String) -> UInt32 {
    var hasher = Hasher()
    let isDone: Void? = name.utf8.withContiguousStorageIfAvailable {
      hasher.combine(bytes: UnsafeRawBufferPointer($0))
    }
    if isDone == nil { for byte in name.utf8 { hasher.combine(byte) } }
    return UInt32(truncatingIfNeeded: hasher.finalize())
  }

  /// The slot that holds `name`, or the free one where it belongs; at least half of all are free.
  private func slot(of name: String, hash: UInt32) -> Int {
    let mask = slots.count - 1
    var place = Int(hash) & mask
    while slots[place] >= 0 {
      let number = Int(slots[place])
      if hashes[number] == hash, names[number].utf8.elementsEqual(name.utf8) { return place }
      place = (place + 1) & mask
    }
    return place
  }

  private mutating func grow() {
    slots = [Int32](repeating: -1, count: 2 * slots.count)
    let mask = slots.count - 1
    for (number, hash) in hashes.enumerated() {
      var place = Int(hash) & mask
      while slots[place] >= 0 { place = (place + 1) & mask }
      slots[place] = Int32(clamping: number)
    }
  }
}
