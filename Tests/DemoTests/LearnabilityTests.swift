import Formats
import Testing

@testable import Demo

/// A linear probe must be able to learn from the corpus.
///
/// Ridge regression learns, on the training videos, from frames to the words of the queries that
/// cover them. It then matches test queries to frames by their words alone.
@Suite struct LearnabilityTests {
  @Test func aLinearProbeFindsVideosAndMomentsOfUnseenCombinations() throws {
    var options = DemoOptions()
    options.trainVideos = 240
    options.valVideos = 1
    options.testVideos = 40
    let corpus = try DemoCorpus(options)
    let probe = try LinearProbe(corpus)
    let result = probe.evaluate(corpus)
    print(
      "linear probe on queries about what is seen: R@1 \(result.videos) %, frame in the moment \(result.frames) %"
    )
    #expect(result.videos > 80)  // 2.5 % by chance
    #expect(result.frames > 85)  // about 22 % by chance
    #expect(result.videos < 100)
  }

  @Test func withoutFeaturesNothingIsFound() throws {
    var options = DemoOptions()
    options.trainVideos = 60
    options.valVideos = 1
    options.testVideos = 40
    let other = try DemoCorpus(options)
    options.seed = 99
    let probe = try LinearProbe(DemoCorpus(options))
    // Another seed has other codes, so its probe does no better than chance here.
    #expect(probe.evaluate(other).videos < 15)
  }
}

/// A probe whose word scores of a frame are linear in its features.
private struct LinearProbe {
  private var vocabulary: [String: Int] = [:]
  /// The weights, [width][words].
  private var weights: [[Double]] = []

  init(_ corpus: DemoCorpus) throws {
    let annotations = RetrievalAnnotations(options: corpus.options)
    var inputs: [[Double]] = []
    var targets: [[Int]] = []
    for scenario in corpus.scenarios(in: .train) {
      let frames = Self.frames(scenario, corpus.options)
      for query in annotations.queries(of: scenario) where query.type == .video {
        let words = Self.words(query.text).map { word in
          vocabulary[word]
            ?? {
              vocabulary[word] = vocabulary.count; return vocabulary.count - 1
            }()
        }
        for frame in scenario.scenes[query.scene].frames {
          inputs.append(frames[frame])
          targets.append(words)
        }
      }
    }
    let width = inputs[0].count
    var gram = Array(repeating: Array(repeating: 0.0, count: width), count: width)
    var right = Array(repeating: Array(repeating: 0.0, count: vocabulary.count), count: width)
    for (input, words) in zip(inputs, targets) {
      for row in 0..<width {
        for column in 0..<width { gram[row][column] += input[row] * input[column] }
        for word in words { right[row][word] += input[row] }
      }
    }
    // Counts are relative to each word's frequency, or the words of every query would dominate.
    let often = (0..<vocabulary.count).map { word in
      Double(targets.count { $0.contains(word) }) / Double(targets.count)
    }
    for row in 0..<width {
      let sum = inputs.reduce(0) { $0 + $1[row] }
      for word in often.indices { right[row][word] -= often[word] * sum }
      gram[row][row] += 10
    }
    weights = Self.solve(gram, right)
  }

  /// Returns the percentages of visual test queries whose video, and whose best frame in it, is
  /// right.
  func evaluate(_ corpus: DemoCorpus) -> (videos: Double, frames: Double) {
    let annotations = RetrievalAnnotations(options: corpus.options)
    let scenarios = corpus.scenarios(in: .test)
    let videos = scenarios.map { Self.frames($0, corpus.options) }
    var (count, first, inside) = (0, 0, 0)
    for (own, scenario) in scenarios.enumerated() {
      for query in annotations.queries(of: scenario) where query.type == .video {
        let words = Self.words(query.text).compactMap { vocabulary[$0] }
        let wanted = weights.map { row in words.reduce(0) { $0 + row[$1] } }
        let scores = videos.map { $0.map { zip($0, wanted).reduce(0) { $0 + $1.0 * $1.1 } } }
        let best = scores.map { $0.max() ?? 0 }
        count += 1
        if best.indices.max(by: { best[$0] < best[$1] }) == own { first += 1 }
        let frame = scores[own].indices.max { scores[own][$0] < scores[own][$1] } ?? 0
        if scenario.scenes[query.scene].frames.contains(frame) { inside += 1 }
      }
    }
    return (100 * Double(first) / Double(count), 100 * Double(inside) / Double(count))
  }

  private static func frames(_ scenario: Scenario, _ options: DemoOptions) -> [[Double]] {
    let features = PictureFeatures(options: options).features(of: scenario)
    let (appearance, motion) = (features.appearance.floats(), features.motion.floats())
    return (0..<scenario.frameCount).map { frame in
      let left = appearance[(frame * options.appearanceWidth)..<((frame + 1) * options.appearanceWidth)]
      let right = motion[(frame * options.motionWidth)..<((frame + 1) * options.motionWidth)]
      return (left + right).map { Double($0) }
    }
  }

  private static func words(_ text: String) -> [String] {
    text.lowercased().split { !$0.isLetter }.map { String($0) }
  }

  /// Solves a symmetric positive definite system with several right sides by Gaussian elimination.
  private static func solve(_ matrix: [[Double]], _ right: [[Double]]) -> [[Double]] {
    var (a, b) = (matrix, right)
    for pivot in a.indices {
      for row in (pivot + 1)..<max(pivot + 1, a.count) {
        let factor = a[row][pivot] / a[pivot][pivot]
        for column in pivot..<a.count { a[row][column] -= factor * a[pivot][column] }
        for column in b[row].indices { b[row][column] -= factor * b[pivot][column] }
      }
    }
    for pivot in a.indices.reversed() {
      for column in b[pivot].indices {
        var value = b[pivot][column]
        for other in (pivot + 1)..<max(pivot + 1, a.count) { value -= a[pivot][other] * b[other][column] }
        b[pivot][column] = value / a[pivot][pivot]
      }
    }
    return b
  }
}
