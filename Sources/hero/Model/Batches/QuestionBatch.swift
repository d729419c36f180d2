import Engine

/// Questions about videos, with one pass for each pair of video and text.
///
/// A text is a question with one of its answers (TVQA, How2QA), or a statement (VIOLIN).
public struct QuestionBatch: Sendable {
  /// The videos, one per pair, with the text already appended to each of their sentences.
  ///
  /// The passes over one video share feature rows.
  public var videos: VideoBatch
  /// The text of each pair: `[SEP] question [SEP] answer`, or `[SEP] statement`.
  public var texts: [[Int32]]
  /// The number of pairs of each question, in order: its answers, or 1 for a statement.
  public var pairsPerQuestion: [Int]
  /// The right answer of each question, or a statement's truth (0, 1); −1 where unknown.
  public var targets: [Int]
  /// The first and last frame of each question's moment; −1 where unknown. Empty for statements.
  public var spans: [FrameSpan]

  /// - Parameters:
  ///   - videos: one entry for each pair of video and text; entries may share rows.
  ///   - pairsPerQuestion: the number of answers of each question; 1 for a statement.
  ///   - targets: one per question; −1 where unknown.
  ///   - spans: one per question, or none at all.
  public init(
    videos: VideoBatch, texts: [[Int32]], pairsPerQuestion: [Int], targets: [Int],
    spans: [FrameSpan] = []
  ) {
    precondition(videos.lengths.count == texts.count && pairsPerQuestion.reduce(0, +) == texts.count)
    precondition(targets.count == pairsPerQuestion.count && (spans.isEmpty || spans.count == targets.count))
    self.videos = videos
    self.texts = texts
    self.pairsPerQuestion = pairsPerQuestion
    self.targets = targets
    self.spans = spans
  }
}

/// A ``QuestionBatch`` in a device's memory, with the sources and destinations of its rows.
public struct QuestionInput: Sendable {
  package let videos: VideoInput
  let texts: TextInput
  /// Per row of videos and text together: its row of a video or −1, and its token or −1.
  ///
  /// A video's rows are its frames; in a sequence model, its sentences follow.
  let fromFrames: Indices
  let fromText: Indices
  /// The passes, of videos and text together, and their rows that belong to videos.
  let passes: Segments
  let frames: RowSelection
  /// The answers of each question.
  public let answers: Segments
  /// Per row of each question's video: the rows of its answers, as the pool is over answers; the
  /// groups of these rows.
  let regrouped: Indices
  let groups: Segments
  /// The frames of each question, which its moment's logits cover.
  public let questionFrames: Segments
  /// The right answers, or the truths of statements; −1 where unknown.
  public let targets: Indices
  /// The first frames of all moments, then the last frames; −1 where unknown.
  public let spanTargets: Indices
  /// The number of known answers.
  public let knownTargets: Int
  /// The number of known moments.
  public let knownSpans: Int
}

extension QuestionBatch {
  /// Copies the batch into a device's memory, on a loading thread.
  public func prepared(for model: ModelConfiguration, on backend: any Backend) -> QuestionInput {
    let input = videos.prepared(for: model, on: backend)
    let text = TextInput(texts, for: model, on: backend)
    let frames = input.rows
    var (fromFrames, fromText, chosen): ([Int32], [Int32], [Int32]) = ([], [], [])
    for pair in texts.indices {
      chosen += (0..<frames[pair].count).map { Int32(fromFrames.count + $0) }
      fromFrames += frames[pair].map { Int32($0) } + texts[pair].map { _ in -1 }
      fromText += frames[pair].map { _ in -1 } + text.segments[pair].map { Int32($0) }
    }
    var rows: [Int32] = []
    var (groups, lengths): ([Int], [Int]) = ([], [])
    var first = 0
    for count in pairsPerQuestion {
      let length = count > 0 ? frames[first].count : 0
      lengths.append(length)
      for frame in 0..<length {
        groups.append(count)
        for pair in first..<first + count { rows.append(Int32(frames[pair].lowerBound + frame)) }
      }
      first += count
    }
    return QuestionInput(
      videos: input, texts: text, fromFrames: backend.makeIndices(fromFrames),
      fromText: backend.makeIndices(fromText),
      passes: Segments(lengths: zip(frames.lengths, texts).map { $0 + $1.count }, on: backend),
      frames: RowSelection(rows: backend.makeIndices(chosen), segments: frames),
      answers: Segments(lengths: pairsPerQuestion, on: backend), regrouped: backend.makeIndices(rows),
      groups: Segments(lengths: groups, on: backend), questionFrames: Segments(lengths: lengths, on: backend),
      targets: backend.makeIndices(targets),
      spanTargets: backend.makeIndices(spans.map(\.start) + spans.map(\.end)),
      knownTargets: targets.count { $0 >= 0 }, knownSpans: spans.count { $0.start >= 0 })
  }
}
