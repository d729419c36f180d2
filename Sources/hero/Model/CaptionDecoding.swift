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

  public init() {}
}

/// The words that captions begin and end with.
public struct CaptionBounds: Equatable, Sendable {
  public var beginning: Int32
  public var end: Int32

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
    let steps = min(options.maximumSteps, decoder.maximumLength)
    guard clips.count > 0, steps > 0 else { return clips.lengths.map { _ in [] } }
    return options.beams > 1
      ? searchBeams(tape, memory: memory, clips: clips, bounds, options, steps: steps)
      : decodeGreedily(tape, memory: memory, clips: clips, bounds, steps: steps)
  }

  /// The best word at each step, which the device hands on to the next itself. The host reads the words of several steps
  /// at once; captions that have ended by then leave the batch.
  private func decodeGreedily(
    _ tape: Tape, memory: Tensor, clips: Segments, _ bounds: CaptionBounds, steps: Int
  ) -> [[Int32]] {
    let backend = tape.backend
    var captions = [[Int32]](repeating: [], count: clips.count)
    var open = Array(0..<clips.count)
    var last = backend.makeIndices([Int32](repeating: bounds.beginning, count: clips.count))
    let cache = decoder.makeCache(tape, memory: memory, memoryRanges: clips.rowRanges, capacity: steps)
    while cache.length < steps, !open.isEmpty {
      let (count, ahead) = (open.count, min(backend.stepsBetweenReads, steps - cache.length))
      let words = backend.makeIndices(count: ahead * count)
      for step in 0..<ahead {
        let places = words.view(step * count..<(step + 1) * count)
        backend.argmax(decoder.step(tape, cache, last: last), columns: vocabulary, places: places)
        last = places
      }
      let read = backend.values(of: words)
      var going: [Int] = []
      for row in 0..<count {
        let own = (0..<ahead).lazy.map { read[$0 * count + row] }.prefix { $0 != bounds.end }
        captions[open[row]] += own
        if own.count == ahead { going.append(row) }
      }
      if going.count < count {
        decoder.keep(tape, cache, going)
        last = backend.makeIndices(going.map { read[(ahead - 1) * count + $0] })
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
    _ tape: Tape, memory: Tensor, clips: Segments, _ bounds: CaptionBounds, _ options: DecodingOptions,
    steps: Int
  ) -> [[Int32]] {
    var open = (0..<clips.count).map { Hypothesis(clip: $0, words: [], logProbability: 0) }
    var finished = [[Hypothesis]](repeating: [], count: clips.count)
    let cache = decoder.makeCache(tape, memory: memory, memoryRanges: clips.rowRanges, capacity: steps)
    for step in 0..<steps {
      let last = tape.backend.makeIndices(open.map { $0.words.last ?? bounds.beginning })
      let values = tape.backend.values(of: decoder.step(tape, cache, last: last))
      let width = values.count / open.count
      var candidates = [[(parent: Int, hypothesis: Hypothesis)]](repeating: [], count: clips.count)
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
      for clip in 0..<clips.count {
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
      decoder.keep(tape, cache, parents)
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
