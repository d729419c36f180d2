import Engine

/// Where the rows of packed sequences come from and go to, in a device's memory. Made on a loading
/// thread.
struct CrossModalPlan: Sendable {
  /// Per frame of a sequence: its position in the sequence, and the type row that all share.
  let framePositions: Indices
  let frameTypes: Indices
  /// Per token: its id, its position in the text, and the type row.
  let tokens: Indices
  let tokenPositions: Indices
  let tokenTypes: Indices
  /// Per row of the packed sequences: the frame (counted over all sequences) or −1; the token or
  /// −1.
  let fromFrames: Indices
  let fromTokens: Indices
  let segments: Segments
  /// The rows whose outputs are wanted: the frames, or each sequence's first token where text is
  /// read alone; then all words of the queries.
  let outputs: RowSelection
  /// Per token the row it has.
  let tokenRows: [Int32]
  /// The tokens of each sequence.
  let tokenSegments: Segments
  /// Per frame of a sequence: which frame of the batch it is.
  let frameNumbers: [Int]

  /// - Parameters:
  ///   - sequences: frames first, then text.
  ///   - queries: texts that follow the sequences, each a sequence of its own.
  ///   - textAlone: leaves the frames out.
  ///   - textPositions: positions the text table has; later tokens share the last that the
  ///     reference uses (511).
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

  /// Sentences by themselves, with RoBERTa's positions: 2, 3 …, and 1 for its padding, which does
  /// not count. Queries have theirs from 0.
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

  /// - Parameter positions: those of a text's tokens, in a sequence and in a query.
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

/// Frames and words both use this row of the type table.
let sharedType: Int32 = 1
/// The token that RoBERTa pads with, and the position after its own.
private let robertaPadding: Int32 = 1
let robertaStart = 2

/// Texts by themselves, such as queries, in a device's memory.
public struct TextInput: Sendable {
  let plan: CrossModalPlan
  /// 0, 1, 2 … within every text.
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

/// 0, 1, 2 … within every segment.
func rowPositions(_ segments: Segments, on backend: any Backend) -> Indices {
  backend.makeIndices(segments.lengths.flatMap { (0..<Int32($0)) })
}
