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
    /// The memory rows of each sequence that is being decoded.
    fileprivate var memoryRanges: RowRanges

    fileprivate init(memory: [Tensor], own: [Tensor], memoryRanges: RowRanges) {
      self.memory = memory
      self.own = own
      self.memoryRanges = memoryRanges
    }
  }

  /// - Parameters:
  ///   - memoryRanges: rows of `memory` for each sequence to decode; several may share one clip.
  ///   - capacity: the most words to decode.
  func makeCache(_ tape: Tape, memory: Tensor, memoryRanges: RowRanges, capacity: Int) -> Cache {
    let backend = tape.backend
    let own = layers.map { _ in
      backend.makeTensor(
        rows: memoryRanges.count * capacity, columns: 2 * width, type: backend.precision.activations)
    }
    return Cache(
      memory: layers.map { $0.cross.project(tape, memory) }, own: own, memoryRanges: memoryRanges)
  }

  /// One more word for every sequence: its scores [sequences, vocabulary rounded up to 8].
  /// - Parameter last: the word that each sequence had last.
  func step(_ tape: Tape, _ cache: Cache, at places: CaptionPlaces, last: Indices) -> Tensor {
    precondition(last.count == cache.memoryRanges.count)
    var x = embed(tape, tokens: last, positions: places.positions)
    for (number, layer) in layers.enumerated() {
      x = layer.own.step(tape, x, cache: cache.own[number], places: places.rows)
      x = layer.cross.attend(
        tape, x, places.segments, keysValues: cache.memory[number], cache.memoryRanges)
      x = layer.feedForward(tape, x)
    }
    return head(tape, x)
  }

  /// Continues with some of the sequences (a beam's survivors, the unfinished ones), in the given
  /// order.
  /// - Parameter rows: their rows of the cache, −1 for those that have no word yet.
  func keep(_ tape: Tape, _ cache: Cache, _ sequences: [Int], rows: Indices) {
    cache.own = cache.own.map { tape.gather($0, rows) }
    cache.memoryRanges = RowRanges(sequences.map { cache.memoryRanges[$0] }, on: tape.backend)
  }
}

/// Where captions are at that are decoded word by word. The device itself goes from word to word.
struct CaptionPlaces {
  /// The row of a cache, or of a list of words, that the next word of each caption has.
  let rows: Indices
  /// How many words each caption has.
  let positions: Indices
  /// A row for each caption.
  let segments: Segments

  /// - Parameters:
  ///   - capacity: rows that each caption has of a cache.
  ///   - length: how many words the captions have.
  init(captions: Int, capacity: Int, length: Int, on backend: any Backend) {
    func numbers(_ values: [Int32]) -> Indices {
      let numbers = backend.makeIndices(count: values.count)
      values.withUnsafeBufferPointer { backend.upload($0, to: numbers) }
      return numbers
    }
    rows = numbers((0..<captions).map { Int32($0 * capacity + length) })
    positions = numbers([Int32](repeating: Int32(length), count: captions))
    segments = Segments(lengths: repeatElement(1, count: captions), on: backend)
  }
}
