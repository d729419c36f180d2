import Engine

/// One sentence of subtitles with its frames: a sequence of the cross-modal transformer.
public struct SubtitleSequence: Equatable, Sendable {
  /// Frames of the sentence, counted over all videos of the batch.
  public var frames: [Int]
  /// Token ids, the leading special token included.
  public var tokens: [Int32]

  public init(frames: [Int], tokens: [Int32]) {
    self.frames = frames
    self.tokens = tokens
  }
}

/// Several videos, packed: rows of all videos end to end, no padding anywhere.
///
/// Made on a loading thread; holds no tensors. `prepared` puts it into a device's memory.
public struct VideoBatch: Sendable {
  /// [rows, featureWidth], the videos end to end.
  public let features: [Float]
  public let featureWidth: Int
  /// Frames of each video.
  public let lengths: [Int]
  public let sequences: [SubtitleSequence]
  /// Rows of `features` that MFM hides: they are zero there and get the mask embedding.
  public let maskedFrames: [Int]
  /// The row of `features` of every frame where videos share rows (one video with several answers); nil where the
  /// frames are the rows.
  public let featureRows: [Int]?
  /// Whether sentences are read without their frames: each frame gets the output of its sentence's first token. Its own
  /// features are zero (VALUE's `sub_only`).
  public let readsTextAlone: Bool

  public var frameCount: Int { lengths.reduce(0, +) }

  /// - Precondition: each frame is in at most one sequence.
  public init(
    features: [Float], featureWidth: Int, lengths: [Int], sequences: [SubtitleSequence],
    maskedFrames: [Int] = [],
    featureRows: [Int]? = nil, readsTextAlone: Bool = false
  ) {
    precondition(featureRows?.count ?? (features.count / featureWidth) == lengths.reduce(0, +))
    self.featureRows = featureRows
    self.readsTextAlone = readsTextAlone
    self.features = features
    self.featureWidth = featureWidth
    self.lengths = lengths
    self.sequences = sequences
    self.maskedFrames = maskedFrames
  }
}

/// Several videos in a device's memory, with the plan of their sequences.
public struct VideoInput: @unchecked Sendable {
  /// [rows, featureWidth]; nobody changes it, so threads may hand it on.
  let features: Tensor
  /// The frames of each video.
  public let segments: Segments
  let plan: CrossModalPlan
  /// The feature row of every frame of a sequence.
  let frameRows: Indices
  /// Per feature row 1 where it is hidden, else −1; nil if nothing is hidden.
  let mask: Indices?
  /// The feature row of every frame, where videos share rows.
  let shared: Indices?
  /// Per frame its row among `plan.outputs`, −1 for a frame of no sentence.
  package let slots: Indices
  /// 0, 1, 2 … within every video.
  package let places: Indices
}

extension VideoBatch {
  /// Puts the videos and all that follows from their sequences into a device's memory. Loading threads do it.
  public func prepared(for model: ModelConfiguration, on backend: any Backend) -> VideoInput {
    // A sentence without frames reaches no frame: nothing downstream reads it.
    let read = sequences.filter { !$0.frames.isEmpty }
    let plan = CrossModalPlan(
      read, textAlone: readsTextAlone, textPositions: model.cross.positions, on: backend)
    let rows = features.count / featureWidth
    var slots = [Int32](repeating: -1, count: frameCount)
    if readsTextAlone {
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
      features: backend.makeTensor(features, rows: rows, columns: featureWidth), segments: segments,
      plan: plan,
      frameRows: backend.makeIndices(plan.frameNumbers.map { featureRows?[$0] ?? $0 }),
      mask: mask.isEmpty ? nil : backend.makeIndices(mask),
      shared: featureRows.map { backend.makeIndices($0) }, slots: backend.makeIndices(slots),
      places: rowPositions(segments, on: backend))
  }
}
