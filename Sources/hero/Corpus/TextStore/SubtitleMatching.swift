import Formats

/// A subtitle sentence's time in seconds.
struct SubtitleTime: Equatable {
  var start: Float
  var end: Float
}

/// The frames that each subtitle sentence touches, and the sentence that each frame belongs to
/// (`prepro_sub.py`, `process_single_vid_sub`).
///
/// All arithmetic is in single precision, in units of frames.
struct SubtitleMatching: Equatable {
  /// The frames that each sentence touches, even past the video's end; nil for one that starts
  /// there.
  private(set) var touched: [[Int]?] = []
  /// The frames that belong to each sentence.
  private(set) var owned: [[Int]] = []
  /// The sentences that touch each frame.
  private(set) var subtitles: [[Int]] = []
  /// The sentence each frame belongs to.
  private(set) var owner: [Int?] = []
  private(set) var statistics = Statistics()

  /// The other values of a video in `sub_info.json`.
  struct Statistics: Equatable {
    var maxDuration: Float?
    var maxGap: Float?
    var maxOverlap: Float?
    var extraLong = 0
  }

  /// The length in seconds above which a last sentence is taken to have lost its end.
  private static let longestLast: Float = 16
  /// The number of frames that such a last sentence keeps.
  private static let framesOfLongLast = 11
  /// The most frames of a sentence, because frames are listed one by one.
  private static let mostFrames: Float = 100_000
  /// The last place in frames where a sentence may lie.
  private static let mostPlace: Float = 1e7
  /// The most frames that a video's sentences touch together, beside four for each of its own.
  private static let mostTouched = 1_000_000

  /// Returns whether a sentence's times can be those of speech; others are too large to count in
  /// frames.
  static func canMatch(_ time: SubtitleTime, frameLength: Double) -> Bool {
    let (start, end) = (time.start / Float(frameLength), time.end / Float(frameLength))
    return abs(start) < mostPlace && abs(end) < mostPlace && end - start <= mostFrames
  }

  /// - Parameters:
  ///   - times: the sentences' times, sorted by their start, all of which can be matched.
  ///   - frames: the video's frames.
  ///   - frameLength: seconds per frame.
  init(times: [SubtitleTime], frames: Int, frameLength: Double) throws {
    let scale = Float(frameLength)
    let videoEnd = Float(frameLength * Double(frames))
    var previous: Int?
    var left = Self.mostTouched + 4 * frames
    for (index, time) in times.enumerated() {
      precondition(Self.canMatch(time, frameLength: frameLength))
      let (start, end) = (time.start / scale, time.end / scale)
      // The reference counts gaps from the second sentence on.
      if let previous, previous > 0 {
        let gap = time.start - times[previous].end
        if gap > statistics.maxGap ?? 0 { statistics.maxGap = gap }
        if -gap > statistics.maxOverlap ?? 0 { statistics.maxOverlap = -gap }
      }
      guard time.start < videoEnd else {
        touched.append(nil)
        continue
      }
      let first = Int(start.rounded(.down))
      let touchedFrames = first..<max(first, Int(end.rounded(.up)))
      left -= touchedFrames.count
      guard left >= 0 else {
        throw BadRow(
          "the first \(index + 1) sentences touch \(Self.mostTouched + 4 * frames - left) frames together, "
            + "which no sentences of a video with \(frames) frames do")
      }
      var touching = Array(touchedFrames)
      let duration = min(time.end, videoEnd) - time.start
      if index == times.count - 1, duration > Self.longestLast {
        statistics.extraLong += 1
        touching.removeLast(max(0, touching.count - Self.framesOfLongLast))
      } else if duration > statistics.maxDuration ?? 0 {
        statistics.maxDuration = duration
      }
      touched.append(touching)
      previous = index
    }
    assign(frames: frames, times: times.map { SubtitleTime(start: $0.start / scale, end: $0.end / scale) })
  }

  /// Assigns every frame to the touching sentence with the largest overlap, the first among equals.
  private mutating func assign(frames: Int, times: [SubtitleTime]) {
    subtitles = Array(repeating: [], count: frames)
    for (index, touching) in touched.enumerated() {
      for frame in touching ?? [] where subtitles.indices.contains(frame) { subtitles[frame].append(index) }
    }
    owned = Array(repeating: [], count: times.count)
    owner = Array(repeating: nil, count: frames)
    for (frame, candidates) in subtitles.enumerated() where !candidates.isEmpty {
      var best: (overlap: Float, subtitle: Int) = (0, 0)
      for subtitle in candidates {
        let overlap = Self.overlap(ofFrame: frame, and: times[subtitle])
        if overlap > best.overlap { best = (overlap, subtitle) }
      }
      owner[frame] = best.subtitle
      owned[best.subtitle].append(frame)
    }
  }

  /// Returns the intersection over the whole extent of frame [f, f + 1] and a sentence, both in
  /// frames.
  private static func overlap(ofFrame frame: Int, and time: SubtitleTime) -> Float {
    let (start, end) = (Float(frame), Float(frame + 1))
    let intersection = min(end, time.end) - max(start, time.start)
    return intersection > 0 ? intersection / (max(end, time.end) - min(start, time.start)) : 0
  }

  /// The frames that no sentence touches.
  var unmatched: [Int] { subtitles.indices.filter { subtitles[$0].isEmpty } }

  /// The length of the longest run of frames that no sentence touches.
  var longestUnmatchedRun: Int {
    subtitles.reduce(into: (longest: 0, current: 0)) { run, candidates in
      run.current = candidates.isEmpty ? run.current + 1 : 0
      run.longest = max(run.longest, run.current)
    }.longest
  }
}
