import Engine

/// Questions about videos: every (video, text) pair is one pass, the text being a question with one of its answers
/// (TVQA, How2QA) or a statement (VIOLIN).
public struct QuestionBatch: Sendable {
  /// One video a pair; the text is appended to each of its sentences already. The passes over one video share
  /// feature rows.
  public var videos: VideoBatch
  /// `[SEP] question [SEP] answer`, or `[SEP] statement`, of each pair.
  public var texts: [[Int32]]
  /// Pairs of each question, in order: its answers; 1 each for statements.
  public var pairsPerQuestion: [Int]
  /// The right answer of each question, or a statement's truth (0, 1); −1 where unknown.
  public var targets: [Int]
  /// First and last frame of the moment each question is about; −1 where unknown. Empty for statements.
  public var spans: [(start: Int, end: Int)]

  public init(
    videos: VideoBatch, texts: [[Int32]], pairsPerQuestion: [Int], targets: [Int],
    spans: [(start: Int, end: Int)] = []
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

extension VideoEncoder {
  /// Frames and embedded text of every pair through the temporal transformer together; the frames' rows of it.
  /// - Returns: [Σ frames, width]
  func encode(_ tape: Tape, _ batch: QuestionBatch) -> Tensor {
    let frameSegments = Segments(lengths: batch.videos.lengths)
    let frames = temporal.embed(tape, fuse(tape, batch.videos), frameSegments)
    let text = cross.embed(tape, text: batch.texts)
    var (fromFrames, fromText, chosen): ([Int32], [Int32], [Int32]) = ([], [], [])
    for pair in batch.texts.indices {
      chosen += (0..<frameSegments[pair].count).map { Int32(fromFrames.count + $0) }
      fromFrames += frameSegments[pair].map { Int32($0) } + batch.texts[pair].map { _ in -1 }
      fromText += frameSegments[pair].map { _ in -1 } + text.segments[pair].map { Int32($0) }
    }
    let together = tape.gatherSum([(frames, Indices(fromFrames)), (text.rows, Indices(fromText))])
    let segments = Segments(lengths: zip(batch.videos.lengths, batch.texts).map { $0 + $1.count })
    return temporal.encode(
      tape, together, segments, selection: RowSelection(rows: Indices(chosen), segments: frameSegments))
  }
}

/// Video question answering (spec §5 "VideoQA"; the reference's `HeroForVideoQA`).
public final class QuestionModel {
  public let store: ParameterStore
  public let configuration: ModelConfiguration
  public let videoEncoder: VideoEncoder
  private let answerPool: Linear
  private let answerHead: PredictionHead
  private let spanPool: Linear
  private let spanHead: PredictionHead

  public init(_ configuration: ModelConfiguration, backend: any Backend) {
    self.configuration = configuration
    store = ParameterStore(backend: backend)
    videoEncoder = VideoEncoder(store, configuration)
    let (width, deviation) = (configuration.cross.hiddenSize, configuration.cross.initializerRange)
    answerPool = Linear(store, "qa_pool", width, 1, deviation: deviation, bias: false)
    answerHead = PredictionHead(store, "qa_pred_head", width, 1, deviation: deviation)
    spanPool = Linear(store, "st_ed_pool", width, 1, deviation: deviation, bias: false)
    spanHead = PredictionHead(store, "st_ed_pred_head", width, 2, deviation: deviation)
  }

  /// - Returns: `answers` [1, pairs], the questions' answers end to end; `spans` [2, Σ frames of the questions], start
  ///   logits above end logits, and their segments; nil unless `withSpans`.
  public func callAsFunction(
    _ tape: Tape, _ batch: QuestionBatch, withSpans: Bool = true
  ) -> (answers: Tensor, spans: (logits: Tensor, segments: Segments)?) {
    let frames = videoEncoder.encode(tape, batch)
    let segments = Segments(lengths: batch.videos.lengths)
    let pooled = tape.softmaxPool(frames, scores: answerPool(tape, frames), segments: segments)
    let answers = tape.transpose(answerHead(tape, pooled))
    guard withSpans else { return (answers, nil) }

    // Per question and frame, the rows of its answers: the pool is over answers.
    var rows: [Int32] = []
    var (groups, lengths): ([Int], [Int]) = ([], [])
    var first = 0
    for count in batch.pairsPerQuestion {
      let length = count > 0 ? segments[first].count : 0
      lengths.append(length)
      for frame in 0..<length {
        groups.append(count)
        for pair in first..<first + count { rows.append(Int32(segments[pair].lowerBound + frame)) }
      }
      first += count
    }
    let regrouped = tape.gather(frames, Indices(rows))
    let perFrame = tape.softmaxPool(
      regrouped, scores: spanPool(tape, regrouped), segments: Segments(lengths: groups))
    return (answers, (tape.transpose(spanHead(tape, perFrame)), Segments(lengths: lengths)))
  }
}

/// Statements about videos, true or false (spec §5 "VIOLIN"; the reference's `HeroForViolin`).
public final class StatementModel {
  public let store: ParameterStore
  public let configuration: ModelConfiguration
  public let videoEncoder: VideoEncoder
  private let pool: Linear
  private let head: PredictionHead

  public init(_ configuration: ModelConfiguration, backend: any Backend) {
    self.configuration = configuration
    store = ParameterStore(backend: backend)
    videoEncoder = VideoEncoder(store, configuration)
    let (width, deviation) = (configuration.cross.hiddenSize, configuration.cross.initializerRange)
    pool = Linear(store, "violin_pool", width, 1, deviation: deviation, bias: false)
    head = PredictionHead(store, "violin_pred_head", width, 1, deviation: deviation)
  }

  /// - Returns: [statements, 1], the logits of being true.
  public func callAsFunction(_ tape: Tape, _ batch: QuestionBatch) -> Tensor {
    let frames = videoEncoder.encode(tape, batch)
    let segments = Segments(lengths: batch.videos.lengths)
    return head(tape, tape.softmaxPool(frames, scores: pool(tape, frames), segments: segments))
  }
}
