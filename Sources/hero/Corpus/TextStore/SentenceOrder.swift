import Formats

/// The order of a video's sentences: by their start, as frames are given to them in passing.
enum SentenceOrder {
  /// The sentences by their start, those of one start as they come; nil where they come so, and
  /// where a start is no number.
  static func sorted(_ sentences: [JSON]) -> [JSON]? {
    let starts = sentences.map { $0["start"]?.double ?? .nan }
    guard starts.allSatisfy(\.isFinite), zip(starts, starts.dropFirst()).contains(where: { $0 > $1 }) else {
      return nil
    }
    return starts.indices.sorted { (starts[$0], $0) < (starts[$1], $1) }.map { sentences[$0] }
  }
}
