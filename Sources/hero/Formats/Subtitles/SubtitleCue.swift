/// What is said from one moment to another.
public struct SubtitleCue: Equatable, Sendable {
  /// Seconds from the video's start.
  public var start: Double
  /// Seconds from the video's start, after `start`.
  public var end: Double
  /// The text without tags, as lines; HTML references (`&amp;`) stay as they are, as in the stores'
  /// annotations.
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

  /// The lines as one sentence.
  public var text: String { lines.joined(separator: " ") }
}

extension [SubtitleCue] {
  /// Cues that follow each other within this many seconds are read as one stream.
  private static let touching = 0.1
  /// Captions that roll have two or three lines.
  private static let mostRepeatedLines = 4

  /// The cues in the order of their starts, each line once.
  ///
  /// Two cues of the same times become one. Rolling captions repeat lines: a cue that follows the
  /// one before without a gap and begins with its last lines loses those lines. If nothing is left
  /// of it, it prolongs the cue before until its own end. Other overlapping cues stay: several
  /// people may speak.
  /// - Parameters:
  ///   - mostBytes: of a cue's text; what cues of the same times have beyond is left out.
  ///   - onCut: called for a cue that loses lines.
  func inOrder(mostBytes: Int, onCut: (SubtitleCue) -> Void) -> [SubtitleCue] {
    let sorted = enumerated().sorted { a, b in
      a.element.start != b.element.start ? a.element.start < b.element.start : a.offset < b.offset
    }
    var result: [SubtitleCue] = []
    result.reserveCapacity(count)
    // The lines of the last cue as they were, those included that were left out.
    var shown: [String] = []
    // How much text the last cue may still take of others with its times.
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

  /// How many lines end the one list and begin the other.
  private static func overlap(_ ending: [String], _ beginning: [String]) -> Int {
    let most = Swift.min(ending.count, beginning.count, mostRepeatedLines)
    return stride(from: most, to: 0, by: -1).first { ending.suffix($0).elementsEqual(beginning.prefix($0)) }
      ?? 0
  }
}
