import Formats

/// The annotations of TVC: every scene is a clip with several captions.
struct CaptionAnnotations {
  let options: DemoOptions
  private static let captionsPerClip = 4
  private static let clipsPerVideo = 8

  /// Returns rows `{vid_name, duration, ts, clip_id, descs: [{desc, type, desc_id}]}`.
  func rows(_ scenario: Scenario) -> [JSON] {
    var random = SeededRandom(seed: options.seed, "captions", scenario.index)
    let retrieval = RetrievalAnnotations(options: options)
    return scenario.scenes.enumerated().map { number, scene in
      let clip = scenario.index * Self.clipsPerVideo + number
      let moment = retrieval.moment(of: scene, in: scenario, &random)
      let captions = captions(of: SceneWords(scene), &random).enumerated().map { place, caption -> JSON in
        [
          "desc": .string(caption.text), "type": .string(caption.type.rawValue),
          "desc_id": .int(100_000 + clip * Self.captionsPerClip + place),
        ]
      }
      return [
        "vid_name": .string(scenario.name), "duration": .double(scenario.duration),
        "ts": .array([.double(moment.lowerBound), .double(moment.upperBound)]),
        "clip_id": .int(5000 + clip), "descs": .array(captions),
      ]
    }
  }

  /// Returns three captions of what is seen and, if someone talks, one of what is said too.
  private func captions(
    of words: SceneWords, _ random: inout SeededRandom
  ) -> [(text: String, type: QueryType)] {
    [0, 1, 2].map { words.sentence(.video, form: $0) }
      + [words.sentence(.both, form: 0)].filter { $0.type == .both }
  }
}
