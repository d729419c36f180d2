import Engine

/// Several videos in a device's memory, with the plan of their sequences.
public struct VideoInput: @unchecked Sendable {
  /// The feature rows, [rows, featureWidth]; it never changes, so threads may share it.
  let features: Tensor
  /// The frames of each video.
  public let segments: Segments
  let plan: CrossModalPlan
  /// The cross-modal outputs of the queries' words, where queries pass with the videos.
  let words: Indices?
  /// The feature row of every frame of a sequence.
  let frameRows: Indices
  /// Per feature row: 1 if hidden, else −1; nil if nothing is hidden.
  let mask: Indices?
  /// The feature row of every frame, where videos share rows; else nil.
  let shared: Indices?
  /// Per frame: its row among `plan.outputs`, or its sentence if sentences are read without frames.
  ///
  /// −1 for a frame without a sentence.
  package let slots: Indices
  /// The position of each frame in its video, from 0.
  package let places: Indices
  /// The sources of rows that concatenate a frame and its sentence; nil for other fusions.
  let halves: Halves?
  /// The sequences of frames and sentences; nil for other fusions.
  let sequence: FrameSentenceSequence?

  /// The rows of each video for the temporal transformer: its frames, or its frames and sentences.
  package var rows: Segments { sequence?.rows ?? segments }
  /// The position of each such row in its video, from 0.
  var rowPlaces: Indices { sequence?.places ?? places }

  /// The two rows of every frame, its own and its sentence's; −1 in the place of the other.
  struct Halves {
    let frames: Indices
    let sentences: Indices
  }
}

/// The sequences of each video's frames, then its sentences.
struct FrameSentenceSequence: Sendable {
  let rows: Segments
  let places: Indices
  /// Per row: its frame or −1, and its sentence or −1.
  let fromFrames: Indices
  let fromSentences: Indices
  /// The rows that are frames.
  let frames: RowSelection
  /// The sentences among the texts that pass the cross-modal transformer.
  let sentences: Indices
  /// Per sentence: its position, from RoBERTa's first, 2.
  let sentencePositions: Indices
  /// The shared type row, per frame and per sentence.
  let frameTypes: Indices
  let sentenceTypes: Indices

  init(frames: Segments, sentences: [Int], positions: Int, on backend: any Backend) {
    var (fromFrames, fromSentences): ([Int32], [Int32]) = ([], [])
    var (chosen, sentencePositions): ([Int32], [Int32]) = ([], [])
    var first = 0
    for (video, count) in sentences.enumerated() {
      chosen += (0..<frames[video].count).map { Int32(fromFrames.count + $0) }
      fromFrames += frames[video].map { Int32($0) } + [Int32](repeating: -1, count: count)
      fromSentences += frames[video].map { _ in -1 } + (first..<first + count).map { Int32($0) }
      sentencePositions += (0..<count).map { Int32(min(robertaStart + $0, positions - 1)) }
      first += count
    }
    rows = Segments(lengths: zip(frames.lengths, sentences).map { $0 + $1 }, on: backend)
    places = rowPositions(rows, on: backend)
    self.fromFrames = backend.makeIndices(fromFrames)
    self.fromSentences = backend.makeIndices(fromSentences)
    self.frames = RowSelection(rows: backend.makeIndices(chosen), segments: frames)
    self.sentences = backend.makeIndices(0..<first)
    self.sentencePositions = backend.makeIndices(sentencePositions)
    frameTypes = backend.makeIndices([Int32](repeating: sharedType, count: chosen.count))
    sentenceTypes = backend.makeIndices([Int32](repeating: sharedType, count: first))
  }
}

extension VideoBatch {
  /// Copies the videos and the plan of their sequences into a device's memory, on a loading thread.
  /// - Parameter queries: texts that pass the cross-modal transformer with the videos.
  public func prepared(
    for model: ModelConfiguration, with queries: [[Int32]] = [], on backend: any Backend
  ) -> VideoInput {
    let isFused = model.fusion != .hierarchical
    // A sentence without frames affects no frame; only a sequence model reads it.
    let read = model.fusion == .sequence ? sequences : sequences.filter { !$0.frames.isEmpty }
    let plan =
      isFused
      ? CrossModalPlan(
        sentences: read.map(\.tokens), queries: queries, textPositions: model.cross.positions, on: backend)
      : CrossModalPlan(
        read, queries: queries, textAlone: readsTextAlone, textPositions: model.cross.positions,
        on: backend)
    // A fusion model reads all words of its sentences.
    let outputs = isFused ? plan.segments.rows : plan.outputs.rows.count
    let words = queries.reduce(0) { $0 + $1.count }
    let rows = rows
    var slots = [Int32](repeating: -1, count: frameCount)
    if readsTextAlone || isFused {
      for (row, sequence) in read.enumerated() {
        for frame in sequence.frames { slots[frame] = Int32(row) }
      }
    } else {
      for (row, frame) in plan.frameNumbers.enumerated() { slots[frame] = Int32(row) }
    }
    let segments = Segments(lengths: lengths, on: backend)
    var mask: [Int32] = []
    if !maskedFrames.isEmpty {
      mask = [Int32](repeating: -1, count: rows)
      for frame in maskedFrames { mask[frame] = 1 }
    }
    return VideoInput(
      features: backend.makeTensor(runs: features, rows: rows, columns: featureWidth), segments: segments,
      plan: plan, words: queries.isEmpty ? nil : backend.makeIndices(outputs - words..<outputs),
      frameRows: backend.makeIndices(plan.frameNumbers.map { featureRows?[$0] ?? $0 }),
      mask: mask.isEmpty ? nil : backend.makeIndices(mask),
      shared: featureRows.map { backend.makeIndices($0) }, slots: backend.makeIndices(slots),
      places: rowPositions(segments, on: backend), halves: model.fusion == .concat ? halves(backend) : nil,
      sequence: model.fusion == .sequence
        ? FrameSentenceSequence(
          frames: segments, sentences: sentenceCounts, positions: model.cross.positions, on: backend) : nil)
  }

  private func halves(_ backend: any Backend) -> VideoInput.Halves {
    VideoInput.Halves(
      frames: backend.makeIndices((0..<frameCount).flatMap { [featureRows?[$0] ?? $0, -1] }),
      sentences: backend.makeIndices((0..<frameCount).flatMap { [-1, $0] }))
  }
}
