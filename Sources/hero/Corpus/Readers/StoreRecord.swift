import Formats

/// One decoded value of a text store: an annotation row with what the store's maker added.
public struct StoreRecord: Sendable {
  /// The row.
  public let value: MessagePack
  /// The store and the key, for messages.
  let file: String
  let key: String

  func error(_ problem: String) -> DataError {
    DataError(
      problem, file: file, place: "key \"\(key)\"", cure: "Make the store again, or leave that item out")
  }

  /// The field `name`, nil where it is missing or nil.
  subscript(name: String) -> MessagePack? {
    guard let field = value[name], !field.isNil else { return nil }
    return field
  }

  func tokens(_ field: MessagePack?, _ name: String) throws -> [Int32] {
    guard let elements = field?.array else { throw error("\"\(name)\" is not a list of token ids") }
    return try elements.map {
      guard let number = $0.int, let id = Int32(exactly: number), id >= 0 else {
        throw error("\"\(name)\" holds something that is not a token id")
      }
      return id
    }
  }

  func tokenLists(_ name: String) throws -> [[Int32]] {
    guard let lists = self[name]?.array else {
      throw error("\"\(name)\" is not a list of lists of token ids")
    }
    return try lists.map { try tokens($0, name) }
  }

  func indices(_ field: MessagePack?, _ name: String) throws -> [Int] {
    guard let elements = field?.array else { throw error("\"\(name)\" is not a list of numbers") }
    return try elements.map {
      guard let index = $0.int, index >= 0 else {
        throw error("\"\(name)\" holds something that is not an index")
      }
      return index
    }
  }

  /// The video's name.
  var video: String? { self["vid"]?.string ?? self["vid_name"]?.string }
}

/// A stretch of a video.
public struct TimeSpan: Equatable, Sendable {
  /// Seconds from the video's start.
  public var start: Double
  /// Seconds from the video's start.
  public var end: Double

  public init(start: Double, end: Double) {
    self.start = start
    self.end = end
  }

  /// Whether a number can be a time in a video: finite, and small enough to be counted in frames.
  static func isTime(_ seconds: Double) -> Bool { seconds.magnitude < 1e9 }

  /// The span that two times are, or nil.
  init?(_ field: MessagePack?) {
    guard let pair = field?.array, pair.count == 2, let start = pair[0].double, let end = pair[1].double,
      Self.isTime(start), Self.isTime(end)
    else { return nil }
    self.init(start: start, end: end)
  }

  /// The span of a text "start-end"; nil if it does not parse, as "nan-nan" does not.
  public init?(_ text: String) {
    let parts = text.split(separator: "-", omittingEmptySubsequences: false)
    guard parts.count == 2,
      let start = Double(parts[0].trimmingASCIISpace), let end = Double(parts[1].trimmingASCIISpace),
      Self.isTime(start), Self.isTime(end)
    else { return nil }
    self.init(start: start, end: end)
  }
}

extension Substring {
  fileprivate var trimmingASCIISpace: String {
    var text = self
    while let first = text.first, first == " " || first == "\t" { text.removeFirst() }
    while let last = text.last, last == " " || last == "\t" || last == "\n" { text.removeLast() }
    return String(text)
  }
}
