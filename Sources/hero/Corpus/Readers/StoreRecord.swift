import Formats

/// One decoded value of a text store: an annotation row with the fields that the store's maker
/// added.
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
