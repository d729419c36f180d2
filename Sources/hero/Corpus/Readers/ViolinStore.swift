import Formats

/// A statement about a video, true or false.
public struct Statement: Sendable, Equatable {
  /// The key in the store.
  public let id: String
  /// The video's name, or nil where the store does not give it.
  public let video: String?
  /// Token ids, without special tokens.
  public let tokens: [Int32]
  /// Whether the video shows what the statement says, or nil on hidden splits.
  public let label: Bool?
}

/// A store of VIOLIN's statements.
///
/// Source: `ViolinDataset` and `QueryTokLmdb` of the reference.
public final class ViolinStore: AnnotationStore {
  /// The records by id, with their lengths and videos.
  public let texts: TextStore

  /// - Throws: `DataError` where the folder is no store, or one of another task.
  public init(path: String) throws { texts = try TextStore(path: path) { $0 == .statements } }

  /// Returns the id of the opposite statement, "…-0" for "…-1" and the reverse, or nil if there is
  /// none.
  ///
  /// VALUE's ids are numbers, which do not show pairs.
  public func pair(of id: String) -> String? {
    let stem = id.dropLast()
    guard stem.hasSuffix("-") else { return nil }
    let other: String? =
      switch id.utf8.last {
      case UInt8(ascii: "0"): stem + "1"
      case UInt8(ascii: "1"): stem + "0"
      default: nil
      }
    guard let other, texts.identifiers.number(of: other) != nil else { return nil }
    return other
  }

  /// Returns the statement `id`.
  public func statement(_ id: String) throws -> Statement {
    let record = try texts.record(id)
    var label: Bool?
    if let field = record["target"] {
      guard let truth = field.bool ?? field.int.flatMap({ [0: false, 1: true][$0] }) else {
        throw record.error("\"target\" is not a truth value")
      }
      label = truth
    }
    return Statement(
      id: id, video: texts.video(of: id, in: record),
      tokens: try record.tokens(record["input_ids"], "input_ids"), label: label)
  }
}
