/// A subtitle: what is said from one moment to another.
public struct SubtitleCue: Equatable, Sendable {
  /// The start in seconds from the video's start.
  public var start: Double
  /// The end in seconds from the video's start, after `start`.
  public var end: Double
  /// The text without tags, as lines.
  ///
  /// HTML references (`&amp;`) stay as they are, as in the stores' annotations.
  public var lines: [String]

  /// - Parameters:
  ///   - start: seconds.
  ///   - end: seconds.
  ///   - lines: without tags.
  public init(start: Double, end: Double, lines: [String]) {
    self.start = start
    self.end = end
    self.lines = lines
  }

  /// The lines joined by spaces.
  public var text: String { lines.joined(separator: " ") }
}

extension [SubtitleCue] {
  /// The maximum gap in seconds between cues that are read as one stream.
  private static let touching = 0.1
  /// The maximum number of repeated lines; captions that roll have two or three.
  private static let mostRepeatedLines = 4

  /// Returns the cues in the order of their starts, each line once.
  ///
  /// Two cues with the same times become one. Rolling captions repeat lines: a cue that follows the
  /// one before without a gap loses the first lines that end the one before. If it has no lines
  /// left, the one before lasts until its end. Other overlapping cues stay, because several people
  /// may speak.
  /// - Parameters:
  ///   - mostBytes: the maximum size of a cue's text; lines beyond it of cues with the same times
  ///     are dropped.
  ///   - onCut: called for a cue that loses lines.
  func inOrder(mostBytes: Int, onCut: (SubtitleCue) -> Void) -> [SubtitleCue] {
    let sorted = enumerated().sorted { a, b in
      a.element.start != b.element.start ? a.element.start < b.element.start : a.offset < b.offset
    }
    var result: [SubtitleCue] = []
    result.reserveCapacity(count)
    // The lines of the last cue, including those that were dropped.
    var shown: [String] = []
    // The number of bytes that other cues with its times may still add to the last cue.
    var left = mostBytes
    func room(beside lines: [String]) -> Int { lines.reduce(mostBytes) { $0 - $1.utf8.count } }
    for (_, cue) in sorted {
      guard let (start, end) = result.last.map({ ($0.start, $0.end) }) else {
        result.append(cue)
        shown = cue.lines
        left = room(beside: cue.lines)
        continue
      }
      if cue.start == start, cue.end == end {
        let added = cue.lines.filter { !shown.suffix(Self.mostRepeatedLines).contains($0) }
        let before = left
        left -= added.reduce(0) { $0 + $1.utf8.count }
        guard left >= 0 else {
          if before >= 0 { onCut(result[result.count - 1]) }
          continue
        }
        result[result.count - 1].lines += added
        shown += added
        continue
      }
      let isContinued = cue.start <= end + Self.touching
      let repeated = isContinued ? Self.overlap(shown, cue.lines) : 0
      shown = cue.lines
      left = room(beside: cue.lines)
      if repeated == cue.lines.count {
        result[result.count - 1].end = Swift.max(end, cue.end)
      } else {
        result.append(
          SubtitleCue(start: cue.start, end: cue.end, lines: Array<String>(cue.lines.dropFirst(repeated))))
      }
    }
    return result
  }

  /// Returns how many lines both end the first list and begin the second.
  private static func overlap(_ ending: [String], _ beginning: [String]) -> Int {
    let most = Swift.min(ending.count, beginning.count, mostRepeatedLines)
    return stride(from: most, to: 0, by: -1).first { ending.suffix($0).elementsEqual(beginning.prefix($0)) }
      ?? 0
  }
}
