import Engine

/// The captioner (Docs/Computation.md §2 "Captioner"; the reference's `HeroForTvc`): a decoder over
/// a clip's encoded frames.
public final class CaptionModel: HeroModel {
  /// Parameters, configuration and video encoder.
  public let trunk: ModelTrunk
  let decoder: CaptionDecoder

  /// - Precondition: the configuration has a decoder.
  public init(sharing trunk: ModelTrunk) {
    guard let decoder = trunk.configuration.decoder else { preconditionFailure("no decoder configured") }
    self.trunk = trunk
    let cross = trunk.videoEncoder.cross
    self.decoder = CaptionDecoder(trunk.scope, decoder, words: cross.words, head: cross.head)
  }

  /// Encoded frames of every clip, one clip after the other: [Σ clip frames, width].
  public func memory(_ tape: Tape, _ input: ClipInput) -> Tensor {
    tape.gather(videoEncoder(tape, input.videos), input.rows)
  }

  /// Scores of every next word, while the right captions are fed in.
  /// - Returns: [Σ caption tokens, vocabulary rounded up to 8]
  public func scores(_ tape: Tape, _ input: CaptionInput) -> Tensor {
    decoder(tape, input, memory: memory(tape, input.clips))
  }
}

/// Causal self-attention, attention to the memory, feed-forward; post-norm. Names as the reference
/// spells them.
final class CaptionDecoder {
  private struct Layer {
    let own: AttentionBlock
    let cross: AttentionBlock
    let feedForward: FeedForward

    init(_ scope: ParameterScope, _ config: TransformerConfiguration) {
      own = AttentionBlock(projections: scope["self_attention"], output: scope["add_norm_1"], config)
      cross = AttentionBlock(projections: scope["dec_enc_attention"], output: scope["add_norm_2"], config)
      feedForward = FeedForward(up: scope["intermidiate"], down: scope["add_norm_3"], config)
    }
  }

  private let words: Embedding
  private let positions: Embedding
  private let norm: LayerNorm
  private let layers: [Layer]
  private let head: LanguageModelHead
  private let width: Int
  /// Tokens a caption can have.
  let maximumLength: Int

  init(_ scope: ParameterScope, _ config: TransformerConfiguration, words: Embedding, head: LanguageModelHead)
  {
    let scope = scope.drawing(deviation: config.initializerRange)
    self.words = words
    self.head = head
    width = config.hiddenSize
    maximumLength = config.positions
    positions = Embedding(scope["position_embeddings"], config.positions, config.hiddenSize)
    norm = LayerNorm(scope["emb_LayerNorm"], config.hiddenSize)
    layers = (0..<config.layers).map { Layer(scope["decoder"]["layer"][$0], config) }
  }

  /// Whole captions at once.
  func callAsFunction(_ tape: Tape, _ input: CaptionInput, memory: Tensor) -> Tensor {
    let (segments, clips) = (input.captions, input.clips.clips.rowRanges)
    var x = embed(tape, tokens: input.tokens, positions: input.places)
    for layer in layers {
      x = layer.own(tape, x, segments, causal: true)
      x = layer.cross.attend(tape, x, segments, keysValues: layer.cross.project(tape, memory), clips)
      x = layer.feedForward(tape, x)
    }
    return head(tape, x)
  }

  private func embed(_ tape: Tape, tokens: Indices, positions rows: Indices) -> Tensor {
    norm(tape, tape.gatherSum([(words.weight.tensor, tokens), (positions.weight.tensor, rows)]))
  }

  /// What decoding word by word keeps: each layer's keys and values of the memory and of the words
  /// so far.
  final class Cache {
    fileprivate let memory: [Tensor]
    fileprivate var own: [Tensor]
    fileprivate let capacity: Int
    /// The memory rows of each sequence that is being decoded.
    fileprivate var memoryRanges: RowRanges
    fileprivate(set) var length = 0

    fileprivate init(memory: [Tensor], own: [Tensor], capacity: Int, memoryRanges: RowRanges) {
      self.memory = memory
      self.own = own
      self.capacity = capacity
      self.memoryRanges = memoryRanges
    }
  }

  /// - Parameters:
  ///   - memoryRanges: rows of `memory` for each sequence to decode; several may share one clip.
  ///   - capacity: the most words to decode.
  func makeCache(_ tape: Tape, memory: Tensor, memoryRanges: RowRanges, capacity: Int) -> Cache {
    let own = layers.map { _ in
      let rows = tape.backend.makeTensor(rows: memoryRanges.count * capacity, columns: 2 * width)
      tape.backend.run(Fill(rows, with: 0))
      return rows
    }
    return Cache(
      memory: layers.map { $0.cross.project(tape, memory) }, own: own, capacity: capacity,
      memoryRanges: memoryRanges)
  }

  /// One more word for every sequence: its scores [sequences, vocabulary rounded up to 8].
  /// - Parameter last: the word that each sequence had last.
  func step(_ tape: Tape, _ cache: Cache, last: Indices) -> Tensor {
    precondition(last.count == cache.memoryRanges.count && cache.length < cache.capacity)
    let backend = tape.backend
    let segments = Segments(lengths: repeatElement(1, count: last.count), on: backend)
    let place = backend.makeIndices((0..<last.count).map { $0 * cache.capacity + cache.length })
    let seen = RowRanges(
      (0..<last.count).map { $0 * cache.capacity..<$0 * cache.capacity + cache.length + 1 }, on: backend)
    var x = embed(
      tape, tokens: last,
      positions: backend.makeIndices([Int32](repeating: Int32(cache.length), count: last.count)))
    for (number, layer) in layers.enumerated() {
      // The cache's new rows are zero: adding writes them.
      backend.run(ScatterAdd(layer.own.project(tape, x), indices: place, to: cache.own[number]))
      x = layer.own.attend(tape, x, segments, keysValues: cache.own[number], seen)
      x = layer.cross.attend(tape, x, segments, keysValues: cache.memory[number], cache.memoryRanges)
      x = layer.feedForward(tape, x)
    }
    cache.length += 1
    return head(tape, x)
  }

  /// Continues with some of the sequences (a beam's survivors, the unfinished ones), in the given
  /// order.
  func keep(_ tape: Tape, _ cache: Cache, _ sequences: [Int]) {
    let rows = tape.backend.makeIndices(
      sequences.flatMap { s in (0..<cache.capacity).map { $0 < cache.length ? s * cache.capacity + $0 : -1 } }
    )
    cache.own = cache.own.map { tape.gather($0, rows) }
    cache.memoryRanges = RowRanges(sequences.map { cache.memoryRanges[$0] }, on: tape.backend)
  }
}
