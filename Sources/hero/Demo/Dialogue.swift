import Formats

/// The subtitles of a video: what its people say about topics and about what can be seen, and small
/// talk.
struct Dialogue {
  struct Line: Equatable, Sendable {
    let text: String
    /// The start and the end in seconds within the video, to a thousandth.
    let start: Double
    let end: Double
  }

  /// Returns the sentences in the order of their start.
  ///
  /// A scene has room for two sentences; the first says what the queries ask about.
  static func lines(of scenario: Scenario, options: DemoOptions) -> [Line] {
    guard scenario.hasSubtitles else { return [] }
    var random = SeededRandom(seed: options.seed, "dialogue", scenario.index)
    return scenario.scenes.flatMap { scene -> [Line] in
      let words = SceneWords(scene)
      let first = spoken(words).map { " \(words.person.name) : \($0)" } ?? remark(words, &random)
      let second = remark(words, &random)
      let start = Double(scene.frames.lowerBound) * options.frameInterval
      let end = min(Double(scene.frames.upperBound) * options.frameInterval, scenario.duration)
      let middle = start + (end - start) * random.between(0.45, 0.6)
      return [(first, start, middle), (second, middle, end)].compactMap { text, from, to in
        text.map { line($0, from: from, to: to, &random) }
      }
    }
  }

  /// Returns a sentence that fills most of the time it is given.
  private static func line(
    _ text: String, from start: Double, to end: Double, _ random: inout SeededRandom
  ) -> Line {
    let length = end - start
    return Line(
      text: text, start: milliseconds(start + length * random.between(0.02, 0.2)),
      end: milliseconds(end - length * random.between(0.02, 0.2)))
  }

  private static func spoken(_ words: SceneWords) -> String? {
    guard let remark = words.remark, let topic = words.topic else { return nil }
    return remark.spoken.replacing("{T}", with: topic)
  }

  /// Returns a remark about what is seen, small talk, or nil.
  private static func remark(_ words: SceneWords, _ random: inout SeededRandom) -> String? {
    let draw = random.unit()
    if draw < 0.4 {
      let text = random.pick(Lexicon.seen).replacing("{O}", with: words.object)
        .replacing("{L}", with: words.place).replacing("{A}", with: words.action.base)
      return random.chance(0.7) ? " \(words.person.name) : \(text)" : " \(text)"
    }
    return draw < 0.6 ? " \(random.pick(Lexicon.smallTalk))" : nil
  }

  private static func milliseconds(_ seconds: Double) -> Double { (seconds * 1000).rounded() / 1000 }
}

extension Scenario {
  /// Returns the row of `tv_subtitles.jsonl`: `{"vid_name", "sub": [{"text", "start", "end"}]}`.
  func subtitleRow(options: DemoOptions) -> JSON {
    let lines = Dialogue.lines(of: self, options: options).map { line -> JSON in
      ["text": .string(line.text), "start": .double(line.start), "end": .double(line.end)]
    }
    return ["vid_name": .string(name), "sub": .array(lines)]
  }
}
