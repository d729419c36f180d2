import Engine

/// The sources and destinations of packed sequences' rows, in a device's memory.
///
/// Loading threads make it.
struct CrossModalPlan: Sendable {
  /// Per frame of a sequence: its position in the sequence, and the shared type row.
  let framePositions: Indices
  let frameTypes: Indices
  /// Per token: its id, its position in the text, and the shared type row.
  let tokens: Indices
  let tokenPositions: Indices
  let tokenTypes: Indices
  /// Per row of the packed sequences: its frame, counted over all sequences, or −1; its token or
  /// −1.
  let fromFrames: Indices
  let fromTokens: Indices
  let segments: Segments
  /// The rows to output: frames, or each sequence's first token where text is read alone.
  ///
  /// All words of the queries follow.
  let outputs: RowSelection
  /// Per token: its row.
  let tokenRows: [Int32]
  /// The tokens of each sequence.
  let tokenSegments: Segments
  /// Per frame of a sequence: its number in the batch.
  let frameNumbers: [Int]

  /// - Parameters:
  ///   - sequences: frames first, then text.
  ///   - queries: texts that follow the sequences, each as its own sequence.
  ///   - textAlone: leaves out the frames.
  ///   - textPositions: the rows of the table of text positions. Later tokens share the last row,
  ///     at most the reference's 511.
  init(
    _ sequences: [SubtitleSequence], queries: [[Int32]] = [], textAlone: Bool = false,
    textPositions: Int, on backend: any Backend
  ) {
    let positions = { Self.positions(of: $0, below: textPositions) }
    self.init(
      sequences, queries: queries, textAlone: textAlone, on: backend, positions: (positions, positions))
  }

  private static func positions(of tokens: [Int32], below textPositions: Int) -> [Int32] {
    let last = min(511, textPositions - 1)
    return tokens.indices.map { Int32(min($0, last)) }
  }

  /// Makes a plan of sentences alone, with RoBERTa's positions: 2, 3 …, and 1 for padding tokens.
  ///
  /// Padding tokens are not counted. The positions of queries begin at 0.
  init(sentences: [[Int32]], queries: [[Int32]], textPositions: Int, on backend: any Backend) {
    let texts = sentences.map { SubtitleSequence(frames: [], tokens: $0) }
    let robertas = { (tokens: [Int32]) -> [Int32] in
      var next = robertaStart
      return tokens.map { token in
        guard token != robertaPadding else { return Int32(min(robertaStart - 1, textPositions - 1)) }
        defer { next += 1 }
        return Int32(min(next, textPositions - 1))
      }
    }
    self.init(
      texts, queries: queries, textAlone: false, on: backend,
      positions: (robertas, { Self.positions(of: $0, below: textPositions) }))
  }

  /// - Parameter positions: the positions of a text's tokens, in a sequence and in a query.
  private init(
    _ given: [SubtitleSequence], queries: [[Int32]], textAlone: Bool, on backend: any Backend,
    positions: (sequence: ([Int32]) -> [Int32], query: ([Int32]) -> [Int32])
  ) {
    let sequences = given + queries.map { SubtitleSequence(frames: [], tokens: $0) }
    let framesOf = { (sequence: SubtitleSequence) in textAlone ? [] : sequence.frames }
    var frameNumbers: [Int] = []
    var (framePositions, outputRows): ([Int32], [Int32]) = ([], [])
    var (tokens, tokenPositions, tokenRows): ([Int32], [Int32], [Int32]) = ([], [], [])
    var (fromFrames, fromTokens): ([Int32], [Int32]) = ([], [])
    for (number, sequence) in sequences.enumerated() {
      let isQuery = number >= given.count
      if textAlone, !isQuery { outputRows.append(Int32(fromFrames.count)) }
      for (position, frame) in framesOf(sequence).enumerated() {
        outputRows.append(Int32(fromFrames.count))
        fromFrames.append(Int32(frameNumbers.count))
        fromTokens.append(-1)
        frameNumbers.append(frame)
        framePositions.append(Int32(position))
      }
      for token in sequence.tokens {
        if isQuery { outputRows.append(Int32(fromFrames.count)) }
        tokenRows.append(Int32(fromFrames.count))
        fromFrames.append(-1)
        fromTokens.append(Int32(tokens.count))
        tokens.append(token)
      }
      tokenPositions += (isQuery ? positions.query : positions.sequence)(sequence.tokens)
    }
    self.frameNumbers = frameNumbers
    self.tokenRows = tokenRows
    self.framePositions = backend.makeIndices(framePositions)
    frameTypes = backend.makeIndices([Int32](repeating: sharedType, count: framePositions.count))
    self.tokens = backend.makeIndices(tokens)
    self.tokenPositions = backend.makeIndices(tokenPositions)
    tokenTypes = backend.makeIndices([Int32](repeating: sharedType, count: tokens.count))
    self.fromFrames = backend.makeIndices(fromFrames)
    self.fromTokens = backend.makeIndices(fromTokens)
    segments = Segments(lengths: sequences.map { framesOf($0).count + $0.tokens.count }, on: backend)
    outputs = RowSelection(
      rows: backend.makeIndices(outputRows),
      segments: Segments(
        lengths: given.map { textAlone ? 1 : $0.frames.count } + queries.map(\.count), on: backend))
    tokenSegments = Segments(lengths: sequences.map(\.tokens.count), on: backend)
  }
}

/// The row of the type table that frames and words share.
let sharedType: Int32 = 1
/// RoBERTa's padding token, and the first position of its words.
private let robertaPadding: Int32 = 1
let robertaStart = 2

/// Texts alone, such as queries, in a device's memory.
public struct TextInput: Sendable {
  let plan: CrossModalPlan
  /// The position of each token in its text, from 0.
  let places: Indices

  /// The texts.
  public var segments: Segments { plan.segments }

  /// - Parameter texts: ids below the model's vocabulary.
  public init(_ texts: [[Int32]], for model: ModelConfiguration, on backend: any Backend) {
    plan = CrossModalPlan(
      texts.map { SubtitleSequence(frames: [], tokens: $0) }, textPositions: model.cross.positions,
      on: backend)
    places = rowPositions(plan.segments, on: backend)
  }
}

/// Returns 0, 1, 2 … within every segment.
func rowPositions(_ segments: Segments, on backend: any Backend) -> Indices {
  backend.makeIndices(segments.lengths.flatMap { (0..<Int32($0)) })
}
