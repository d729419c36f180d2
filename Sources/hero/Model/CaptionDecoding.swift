import Engine
import Foundation

/// Settings of the search for captions, with the reference's keys.
public struct DecodingOptions: Equatable, Sendable {
  /// The most words of a caption: `max_gen_step`.
  public var maximumSteps = 30
  /// The number of beams; 1 is greedy search, as in the reference.
  public var beams = 1
  /// The exponent p: beams rank by log probability / lengthᵖ.
  public var lengthPenalty: Float = 1

  /// Makes a greedy search with the defaults above.
  public init() {}
}

/// The tokens that begin and end a caption.
public struct CaptionBounds: Equatable, Sendable {
  /// The id of `BOS`, the first input.
  public var beginning: Int32
  /// The id of `EOS`, which completes a caption.
  public var end: Int32

  /// - Parameters:
  ///   - beginning: the id of `BOS`.
  ///   - end: the id of `EOS`.
  public init(beginning: Int32, end: Int32) {
    self.beginning = beginning
    self.end = end
  }
}

extension CaptionModel {
  /// Writes the caption of each clip, as ids without `BOS` and `EOS`.
  /// - Parameters:
  ///   - memory, clips: the result of `memory`, and its clips.
  ///   - bounds: the tokenizer's `BOS` and `EOS`.
  public func decode(
    _ tape: Tape, memory: Tensor, clips: Segments, _ bounds: CaptionBounds, _ options: DecodingOptions
  ) -> [[Int32]] {
    CaptionWriter([CaptionWriter.Stream(model: self, memory: memory, clips: clips)]).decode(
      tape, bounds, options)
  }
}

/// A writer of captions by one model or several.
///
/// Several average their scores of every next word (VALUE's two-stream evaluation).
public struct CaptionWriter {
  /// A model and the clips as it encodes them.
  public struct Stream {
    let model: CaptionModel
    let memory: Tensor
    let clips: Segments

    /// - Parameter memory: the result of `CaptionModel.memory`.
    public init(model: CaptionModel, memory: Tensor, clips: Segments) {
      (self.model, self.memory, self.clips) = (model, memory, clips)
    }
  }

  private let streams: [Stream]

  /// - Precondition: The streams have the same number of clips and of words.
  public init(_ streams: [Stream]) {
    precondition(
      streams.allSatisfy {
        $0.clips.count == streams[0].clips.count && $0.model.vocabulary == streams[0].model.vocabulary
      })
    self.streams = streams
  }

  private var count: Int { streams[0].clips.count }
  private var vocabulary: Int { streams[0].model.vocabulary }

  /// Writes the caption of each clip, as ids without `BOS` and `EOS`.
  public func decode(_ tape: Tape, _ bounds: CaptionBounds, _ options: DecodingOptions) -> [[Int32]] {
    let longest = streams.map(\.model.decoder.maximumLength).min() ?? 0
    let steps = min(options.maximumSteps, longest)
    guard count > 0, steps > 0 else { return (0..<count).map { _ in [] } }
    let progress = Progress(streams, tape, capacity: steps)
    return options.beams > 1
      ? searchBeams(tape, progress, bounds, options) : decodeGreedily(tape, progress, bounds)
  }

  /// The state of the captions in every stream's decoder.
  private final class Progress {
    let decoders: [(decoder: CaptionDecoder, cache: CaptionDecoder.Cache)]
    let steps: Int
    /// The number of words of each caption so far.
    private(set) var length = 0
    private(set) var places: CaptionPlaces

    init(_ streams: [Stream], _ tape: Tape, capacity: Int) {
      steps = capacity
      decoders = streams.map { stream in
        let decoder = stream.model.decoder
        return (
          decoder,
          decoder.makeCache(
            tape, memory: stream.memory, memoryRanges: stream.clips.rowRanges, capacity: capacity)
        )
      }
      places = CaptionPlaces(
        captions: streams[0].clips.count, capacity: capacity, length: 0, on: tape.backend)
    }

    /// Scores every caption's next word, the streams' mean: [captions, vocabulary rounded up to 8].
    ///
    /// The captions keep their length until `advance`.
    func step(_ tape: Tape, last: Indices) -> Tensor {
      let scores = decoders.map { $0.decoder.step(tape, $0.cache, at: places, last: last) }
      guard scores.count > 1 else { return scores[0] }
      return tape.scale(tape.gatherSum(scores.map { ($0, nil) }), by: 1 / Float(scores.count))
    }

    /// Advances the host's state by a word; `AppendNumbers` advances the device's.
    func advance() {
      precondition(length < steps)
      length += 1
    }

    func keep(_ tape: Tape, _ captions: [Int]) {
      let rows = tape.backend.makeIndices(
        captions.flatMap { caption in (0..<steps).map { $0 < length ? caption * steps + $0 : -1 } })
      for (decoder, cache) in decoders { decoder.keep(tape, cache, captions, rows: rows) }
      places = CaptionPlaces(captions: captions.count, capacity: steps, length: length, on: tape.backend)
    }
  }

  /// Takes the best word at each step.
  ///
  /// The device passes each word to the next step, so every step does the same work on the same
  /// memory. The host reads several steps' words at once. Ended captions then leave the batch.
  private func decodeGreedily(_ tape: Tape, _ progress: Progress, _ bounds: CaptionBounds) -> [[Int32]] {
    let (backend, steps) = (tape.backend, progress.steps)
    var captions = [[Int32]](repeating: [], count: count)
    var open = Array(0..<count)
    func begin(_ last: [Int32]) -> (words: Indices, step: any Repetition) {
      let places = progress.places
      let (next, words) = (
        backend.makeIndices(count: last.count), backend.makeIndices(count: last.count * steps)
      )
      last.withUnsafeBufferPointer { backend.upload($0, to: next) }
      let step = backend.repetition {
        backend.run(Argmax(progress.step(tape, last: next), columns: vocabulary, places: next))
        backend.run(AppendNumbers(next, to: words, places: places.rows, counters: places.positions))
      }
      return (words, step)
    }
    var (words, step) = begin([Int32](repeating: bounds.beginning, count: count))
    while progress.length < steps, !open.isEmpty {
      let (start, ahead) = (progress.length, min(backend.stepsBetweenReads, steps - progress.length))
      for _ in 0..<ahead {
        step.run()
        progress.advance()
      }
      let read = backend.values(of: words)
      var going: [Int] = []
      for row in open.indices {
        let own = read[row * steps + start..<row * steps + start + ahead].prefix { $0 != bounds.end }
        captions[open[row]] += own
        if own.count == ahead { going.append(row) }
      }
      if going.count < open.count, !going.isEmpty {
        progress.keep(tape, going)
        (words, step) = begin(going.map { read[$0 * steps + start + ahead - 1] })
      }
      open = going.map { open[$0] }
    }
    return captions
  }

  private struct Hypothesis {
    var clip: Int
    var words: [Int32]
    var logProbability: Float
    var hasEnded = false

    /// Returns log probability / lengthᵖ; an end counts as a word.
    func score(_ penalty: Float) -> Float {
      logProbability / pow(Float(words.count + (hasEnded ? 1 : 0)), penalty)
    }
  }

  private func searchBeams(
    _ tape: Tape, _ progress: Progress, _ bounds: CaptionBounds, _ options: DecodingOptions
  ) -> [[Int32]] {
    let steps = progress.steps
    var open = (0..<count).map { Hypothesis(clip: $0, words: [], logProbability: 0) }
    var finished = [[Hypothesis]](repeating: [], count: count)
    for step in 0..<steps {
      let last = tape.backend.makeIndices(open.map { $0.words.last ?? bounds.beginning })
      let values = tape.backend.values(of: progress.step(tape, last: last))
      tape.backend.run(
        AppendNumbers(last, to: nil, places: progress.places.rows, counters: progress.places.positions))
      progress.advance()
      let width = values.count / open.count
      var candidates = [[(parent: Int, hypothesis: Hypothesis)]](repeating: [], count: count)
      for (row, hypothesis) in open.enumerated() {
        let scores = values[row * width..<row * width + vocabulary]
        for (word, logProbability) in topLogProbabilities(scores, options.beams) {
          var next = hypothesis
          next.logProbability += logProbability
          if word == bounds.end {
            next.hasEnded = true
            finished[next.clip].append(next)
          } else {
            next.words.append(word)
            candidates[next.clip].append((row, next))
          }
        }
      }
      var parents: [Int] = []
      var survivors: [Hypothesis] = []
      for clip in 0..<count {
        let ranked = candidates[clip].sorted { $0.hypothesis.logProbability > $1.hypothesis.logProbability }
        // A clip closes once no open caption can beat its best ended one.
        let bar = finished[clip].map { $0.score(options.lengthPenalty) }.max() ?? -.infinity
        for candidate in ranked.prefix(options.beams) {
          var longest = candidate.hypothesis
          longest.words += [Int32](repeating: 0, count: steps - step - 1)
          if longest.score(options.lengthPenalty) > bar {
            parents.append(candidate.parent)
            survivors.append(candidate.hypothesis)
          }
        }
      }
      open = survivors
      if open.isEmpty { break }
      progress.keep(tape, parents)
    }
    for hypothesis in open { finished[hypothesis.clip].append(hypothesis) }
    return finished.map { ended in
      ended.max { $0.score(options.lengthPenalty) < $1.score(options.lengthPenalty) }?.words ?? []
    }
  }

  /// Returns the `count` most probable words with their log probabilities, the best first.
  private func topLogProbabilities(_ scores: ArraySlice<Float>, _ count: Int) -> [(Int32, Float)] {
    var top: [(place: Int, score: Float)] = []
    for place in scores.indices where top.count < count || scores[place] > top[top.count - 1].score {
      let spot = top.firstIndex { scores[place] > $0.score } ?? top.count
      top.insert((place, scores[place]), at: spot)
      if top.count > count { top.removeLast() }
    }
    let most = top.first?.score ?? 0
    let total = scores.reduce(Float(0)) { $0 + exp($1 - most) }
    return top.map { (Int32($0.place - scores.startIndex), $0.score - most - log(total)) }
  }
}
