import Formats

/// A statement about a video, true or false.
public struct Statement: Sendable, Equatable {
  public let id: String
  public let video: String?
  public let tokens: [Int32]
  /// Whether the video shows what it says, or nil on hidden splits.
  public let label: Bool?
}

/// A store of VIOLIN's statements. May be shared by threads.
///
/// Source: `ViolinDataset` and `QueryTokLmdb` of the reference.
public final class ViolinStore: Sendable {
  /// The folder, as the user named it.
  public let path: String
  private let store: TextStore

  /// Opens the store; reads its side files only.
  public init(path: String) throws {
    self.path = path
    store = try TextStore(path: path)
  }

  public var meta: StoreMeta { store.meta }

  /// The ids in the order of `id2len.json`.
  public var ids: [String] { store.ids }

  /// The ids of statements with at most `maxTextLength` tokens; all, if it is not positive.
  public func ids(maxTextLength: Int) -> [String] {
    guard maxTextLength > 0 else { return ids }
    return zip(store.ids, store.lengths).filter { Int($1.own) <= maxTextLength }.map(\.0)
  }

  public func video(of id: String) -> String? { store.video(of: id) }

  /// The distinct videos that the statements are about.
  public var videos: [String] { store.videos.names }

  /// The id of the statement that says the opposite: "…-0" for "…-1" and the reverse; nil if the store has none.
  public func pair(of id: String) -> String? {
    let stem = id.dropLast()
    let other: String? =
      switch id.utf8.last {
      case UInt8(ascii: "0"): stem + "1"
      case UInt8(ascii: "1"): stem + "0"
      default: nil
      }
    guard let other, store.identifiers.number(of: other) != nil else { return nil }
    return other
  }

  /// The statement `id`.
  public func statement(_ id: String) throws -> Statement {
    let record = try store.record(id)
    var label: Bool?
    if let field = record["target"] {
      guard let truth = field.bool ?? field.int.flatMap({ [0: false, 1: true][$0] }) else {
        throw record.error("\"target\" is not a truth value")
      }
      label = truth
    }
    return Statement(
      id: id, video: store.video(of: id) ?? record.video,
      tokens: try record.tokens(record["input_ids"], "input_ids"), label: label)
  }
}
