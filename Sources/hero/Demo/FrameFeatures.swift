import Formats

/// What a frame "looks like": every person, object, place and action has a random code, and a frame is the sum
/// of the codes of its scene, some stronger and some weaker, plus noise.
struct FrameFeatures {
  let options: DemoOptions
  private let people, objects, places, actions: [[Float]]

  init(options: DemoOptions) {
    self.options = options
    people = Self.codes(Lexicon.people.count, options.appearanceWidth, "person", options.seed)
    objects = Self.codes(Lexicon.objects.count, options.appearanceWidth, "object", options.seed)
    places = Self.codes(Lexicon.places.count, options.appearanceWidth, "place", options.seed)
    actions = Self.codes(Lexicon.actions.count, options.motionWidth, "action", options.seed)
  }

  private static func codes(_ count: Int, _ width: Int, _ kind: String, _ seed: UInt64) -> [[Float]] {
    (0..<count).map { concept in
      var random = SeededRandom(seed: seed, "code of \(kind)", concept)
      return (0..<width).map { _ in random.normal() }
    }
  }

  /// The 2D features, [frames, appearance width]: person, object and place.
  func appearance(of scenario: Scenario) -> NDArray {
    let rows = scenario.scenes.flatMap { scene in
      scene.frames.map { _ in [people[scene.person], objects[scene.object], places[scene.place]] }
    }
    return array(rows, width: options.appearanceWidth, "appearance", scenario)
  }

  /// The 3D features, [rows, motion width]: the action. Every fifth video has a row more than it has frames, as
  /// extractors that work with other windows make it.
  func motion(of scenario: Scenario) -> NDArray {
    let rows = scenario.scenes.flatMap { scene in scene.frames.map { _ in [actions[scene.action]] } }
    let extra = scenario.index % 5 == 4 ? rows.suffix(1) : []
    return array(rows + extra, width: options.motionWidth, "motion", scenario)
  }

  /// Sums the codes of each row, and adds the noise.
  private func array(
    _ rows: [[[Float]]], width: Int, _ purpose: String, _ scenario: Scenario
  ) -> NDArray {
    var random = SeededRandom(seed: options.seed, purpose, scenario.index)
    var values: [Float] = []
    values.reserveCapacity(rows.count * width)
    for codes in rows {
      let strengths = codes.map { _ in Float(random.between(0.4, 0.8)) }
      for column in 0..<width {
        let noise = options.noise * random.normal()
        values.append(zip(strengths, codes).reduce(noise) { $0 + $1.0 * $1.1[column] })
      }
    }
    return NDArray(floats: values, shape: [rows.count, width])
  }
}
