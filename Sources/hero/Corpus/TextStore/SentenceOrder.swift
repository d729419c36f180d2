import Formats

/// The order of a video's sentences: by start time, because frames are given to them in one pass.
enum SentenceOrder {
  /// Returns the sentences sorted by start; equal starts keep their order.
  ///
  /// Returns nil if they are sorted already, or if a start is not a number.
  static func sorted(_ sentences: [JSON]) -> [JSON]? {
    let starts = sentences.map { $0["start"]?.double ?? .nan }
    guard starts.allSatisfy(\.isFinite), zip(starts, starts.dropFirst()).contains(where: { $0 > $1 }) else {
      return nil
    }
    return starts.indices.sorted { (starts[$0], $0) < (starts[$1], $1) }.map { sentences[$0] }
  }
}
