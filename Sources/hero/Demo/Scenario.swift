/// A stretch of a video in which one person does one thing to one object at one place, and may
/// talk.
struct Scene: Equatable, Sendable {
  /// The frames that the scene covers.
  var frames: Range<Int>
  /// Indices into the lists of `Lexicon`.
  var person: Int
  var action: Int
  var object: Int
  var place: Int
  /// The person's remark and its topic; nil if the subtitles have none.
  var speech: Speech?

  struct Speech: Equatable, Sendable {
    var remark: Int
    var topic: Int
  }
}

/// One demo video: its name, its length and its scenes in order.
struct Scenario: Equatable, Sendable {
  /// The place in the whole corpus, as `vid2dur_idx.json` lists it.
  var index: Int
  var name: String
  var split: DemoSplit
  var frameCount: Int
  /// The duration in seconds, to two places, like TVR's.
  var duration: Double
  var scenes: [Scene]
  var hasSubtitles: Bool
}

/// The three parts of the corpus, in the order in which videos are numbered.
public enum DemoSplit: String, CaseIterable, Sendable {
  case train, val, test
}

/// A writer that invents videos.
///
/// Within one video no object and no action occurs twice, so a question about one has one answer.
/// People and places come back in other scenes, so answering needs the right scene.
struct ScenarioWriter {
  let options: DemoOptions

  /// Returns whether the pair never occurs in a training video.
  ///
  /// One pair in five is kept for validation and test, so a model that is good there has learnt the
  /// parts and not the pairs.
  static func isHeldOut(action: Int, object: Int) -> Bool { (action + 2 * object) % 5 == 0 }

  func scenarios() -> [Scenario] {
    let splits = DemoSplit.allCases.flatMap { split in
      Array(repeating: split, count: options.videos(in: split))
    }
    return splits.enumerated().map { scenario(index: $0.offset, split: $0.element) }
  }

  private func scenario(index: Int, split: DemoSplit) -> Scenario {
    var random = SeededRandom(seed: options.seed, "scenario", index)
    let frameCount = options.frames.lowerBound + random.below(options.frames.count)
    let hasSubtitles = index % 16 != 15
    let cast = Array(random.shuffled(Array(Lexicon.people.indices)).prefix(3))
    let sets = Array(random.shuffled(Array(Lexicon.places.indices)).prefix(3))
    var objects = random.shuffled(Array(Lexicon.objects.indices))
    var actions = random.shuffled(Array(Lexicon.actions.indices))
    var topics = random.shuffled(Array(Lexicon.topics.indices))
    var scenes: [Scene] = []
    for frames in sceneFrames(frameCount, &random) {
      let wantsNewPair = split != .train && random.chance(0.5)
      let (action, object) = takePair(&actions, &objects, heldOut: wantsNewPair)
      var scene = Scene(
        frames: frames, person: random.pick(cast), action: action, object: object,
        place: random.pick(sets), speech: nil)
      if hasSubtitles && random.chance(0.9), let topic = topics.popLast() {
        scene.speech = .init(remark: random.below(Lexicon.remarks.count), topic: topic)
      }
      scenes.append(scene)
    }
    let last = Double(frameCount) * options.frameInterval
    let duration = roundToHundredths(last - random.between(0.05, 0.3) * options.frameInterval)
    return Scenario(
      index: index, name: name(index), split: split, frameCount: frameCount, duration: duration,
      scenes: scenes, hasSubtitles: hasSubtitles)
  }

  /// Takes an action and an object that are, or are not, a held-out pair.
  ///
  /// A video takes at most five pairs, so both lists always have a pair of either kind left.
  private func takePair(_ actions: inout [Int], _ objects: inout [Int], heldOut: Bool) -> (Int, Int) {
    for (a, action) in actions.enumerated() {
      for (o, object) in objects.enumerated()
      where Self.isHeldOut(action: action, object: object) == heldOut {
        actions.remove(at: a)
        objects.remove(at: o)
        return (action, object)
      }
    }
    preconditionFailure("a video has more scenes than the lexicon has pairs")
  }

  /// Cuts a video into scenes of four frames or more.
  private func sceneFrames(_ frameCount: Int, _ random: inout SeededRandom) -> [Range<Int>] {
    let shortest = 4
    let count = max(1, min(5, frameCount / 5))
    var lengths = Array(repeating: min(shortest, frameCount), count: count)
    for _ in 0..<(frameCount - lengths.reduce(0, +)) { lengths[random.below(count)] += 1 }
    var start = 0
    return lengths.map { length in
      defer { start += length }
      return start..<(start + length)
    }
  }

  /// Returns a name like those of TV's clips: season, episode, segment, clip.
  private func name(_ index: Int) -> String {
    func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
    let (season, episode) = (index / 96 + 1, index / 8 % 12 + 1)
    return "demo_s\(two(season))e\(two(episode))_seg\(two(index / 4 % 2))_clip_\(two(index % 4))"
  }
}

/// Rounds a time to two decimals, as TVR's annotators write it.
func roundToHundredths(_ seconds: Double) -> Double { (seconds * 100).rounded() / 100 }
