import Engine

/// The captioner (Docs/Computation.md §2 "Captioner"): a decoder over a clip's encoded frames.
///
/// The reference's `HeroForTvc`.
public final class CaptionModel: HeroModel {
  /// The parameters, configuration and video encoder.
  public let trunk: ModelTrunk
  let decoder: CaptionDecoder

  /// - Precondition: The configuration has a decoder.
  public init(sharing trunk: ModelTrunk) {
    guard let decoder = trunk.configuration.decoder else { preconditionFailure("no decoder configured") }
    self.trunk = trunk
    let cross = trunk.videoEncoder.cross
    self.decoder = CaptionDecoder(trunk.scope, decoder, words: cross.words, head: cross.head)
  }

  /// Encodes the frames of every clip, one clip after the other: [Σ clip frames, width].
  public func memory(_ tape: Tape, _ input: ClipInput) -> Tensor {
    tape.gather(videoEncoder(tape, input.videos), input.rows)
  }

  /// Scores every next word, with the right captions as input.
  /// - Returns: [Σ caption tokens, vocabulary rounded up to 8].
  public func scores(_ tape: Tape, _ input: CaptionInput) -> Tensor {
    decoder(tape, input, memory: memory(tape, input.clips))
  }
}

/// A decoder of causal self-attention, attention to the memory and feed-forward layers, post-norm.
///
/// The parameters have the reference's names.
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
  /// The most tokens of a caption.
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

  /// Scores whole captions at once.
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

  /// The cache of word-by-word decoding: each layer's keys and values of memory and words.
  final class Cache {
    fileprivate let memory: [Tensor]
    fileprivate var own: [Tensor]
    /// The memory rows of each sequence in decoding.
    fileprivate var memoryRanges: RowRanges

    fileprivate init(memory: [Tensor], own: [Tensor], memoryRanges: RowRanges) {
      self.memory = memory
      self.own = own
      self.memoryRanges = memoryRanges
    }
  }

  /// - Parameters:
  ///   - memoryRanges: the rows of `memory` of each sequence; several sequences may share a clip.
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

  /// Decodes one word of every sequence: scores of [sequences, vocabulary rounded up to 8].
  /// - Parameter last: the last word of each sequence.
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

  /// Continues with some sequences (a beam's survivors, the unfinished ones) in the given order.
  /// - Parameter rows: their rows of the cache; −1 where there is no word yet.
  func keep(_ tape: Tape, _ cache: Cache, _ sequences: [Int], rows: Indices) {
    cache.own = cache.own.map { tape.gather($0, rows) }
    cache.memoryRanges = RowRanges(sequences.map { cache.memoryRanges[$0] }, on: tape.backend)
  }
}

/// The places of captions decoded word by word; the device itself advances them.
struct CaptionPlaces {
  /// The row of a cache, or of a list of words, for the next word of each caption.
  let rows: Indices
  /// The number of words of each caption.
  let positions: Indices
  /// One row for each caption.
  let segments: Segments

  /// - Parameters:
  ///   - capacity: the number of each caption's rows in a cache.
  ///   - length: the number of words that the captions have.
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
