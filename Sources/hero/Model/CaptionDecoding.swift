import Engine
import Foundation

/// How captions are searched for; the reference's keys stand beside each.
public struct DecodingOptions: Equatable, Sendable {
  /// `max_gen_step`: words at most.
  public var maximumSteps = 30
  /// 1 is greedy, the reference's way.
  public var beams = 1
  /// Beams rank by log probability / lengthᵖ, p being this.
  public var lengthPenalty: Float = 1

  /// Greedy search with the defaults above.
  public init() {}
}

/// The words that captions begin and end with.
public struct CaptionBounds: Equatable, Sendable {
  /// `BOS`, the first input.
  public var beginning: Int32
  /// `EOS`, after which a caption is complete.
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
  /// The caption of each clip: ids without `BOS` and `EOS`.
  /// - Parameters:
  ///   - memory, clips: from `memory`, and its clips.
  ///   - bounds: the tokenizer's `BOS` and `EOS`.
  public func decode(
    _ tape: Tape, memory: Tensor, clips: Segments, _ bounds: CaptionBounds, _ options: DecodingOptions
  ) -> [[Int32]] {
    CaptionWriter([CaptionWriter.Stream(model: self, memory: memory, clips: clips)]).decode(
      tape, bounds, options)
  }
}

/// Captions by one model, or by several whose scores of every next word are averaged (VALUE's
/// two-stream evaluation).
public struct CaptionWriter {
  /// A model with the clips as it encodes them.
  public struct Stream {
    let model: CaptionModel
    let memory: Tensor
    let clips: Segments

    /// - Parameter memory: from `CaptionModel.memory`.
    public init(model: CaptionModel, memory: Tensor, clips: Segments) {
      (self.model, self.memory, self.clips) = (model, memory, clips)
    }
  }

  private let streams: [Stream]

  /// - Precondition: the streams have the same clips and words.
  public init(_ streams: [Stream]) {
    precondition(
      streams.allSatisfy {
        $0.clips.count == streams[0].clips.count && $0.model.vocabulary == streams[0].model.vocabulary
      })
    self.streams = streams
  }

  private var count: Int { streams[0].clips.count }
  private var vocabulary: Int { streams[0].model.vocabulary }

  /// The caption of each clip: ids without `BOS` and `EOS`.
  public func decode(_ tape: Tape, _ bounds: CaptionBounds, _ options: DecodingOptions) -> [[Int32]] {
    let longest = streams.map(\.model.decoder.maximumLength).min() ?? 0
    let steps = min(options.maximumSteps, longest)
    guard count > 0, steps > 0 else { return (0..<count).map { _ in [] } }
    let progress = Progress(streams, tape, capacity: steps)
    return options.beams > 1
      ? searchBeams(tape, progress, bounds, options) : decodeGreedily(tape, progress, bounds)
  }

  /// How far the captions are, as every stream's decoder keeps it.
  private final class Progress {
    let decoders: [(decoder: CaptionDecoder, cache: CaptionDecoder.Cache)]
    let steps: Int
    /// Words that each caption has.
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

    /// Scores of every caption's next word, the mean of all streams': [captions, vocabulary rounded
    /// up to 8]. Until `advance` the captions stay as long as they are.
    func step(_ tape: Tape, last: Indices) -> Tensor {
      let scores = decoders.map { $0.decoder.step(tape, $0.cache, at: places, last: last) }
      guard scores.count > 1 else { return scores[0] }
      return tape.scale(tape.gatherSum(scores.map { ($0, nil) }), by: 1 / Float(scores.count))
    }

    /// The host's part of going on by a word; `AppendNumbers` is the device's.
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

  /// The best word at each step, which the device hands on to the next itself: a step is the same
  /// work on the same memory every time. The host reads the words of several steps at once;
  /// captions that have ended by then leave the batch.
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

    /// Its end counts as a word, where it has one.
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
        // An ended caption that no open one can reach any more closes its clip.
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

  /// The `count` most probable words with their log probabilities, best first.
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
