import Formats

/// The queries of the tasks that find videos and moments (TVR, How2R, DiDeMo, MSR-VTT, VALUE's),
/// and VALUE's captions of videos.
struct RetrievalAnnotations {
  let options: DemoOptions

  /// One sentence about one scene of a video, with its moment.
  struct Query: Equatable, Sendable {
    let id: Int
    let text: String
    let type: QueryType
    /// The moment in seconds within the video.
    let moment: ClosedRange<Double>
    let scene: Int
  }

  /// Returns the queries of TVR and How2R; every scene has one before any has a second.
  func queries(of scenario: Scenario) -> [Query] {
    var random = SeededRandom(seed: options.seed, "queries", scenario.index)
    let order = random.shuffled(Array(scenario.scenes.indices))
    return (0..<options.queriesPerVideo).map { number in
      let scene = order[number % order.count]
      let draw = random.unit()
      let wanted: QueryType = draw < 0.4 ? .video : draw < 0.7 ? .both : .text
      let (text, type) = SceneWords(scenario.scenes[scene]).sentence(wanted, form: random.below(12))
      return Query(
        id: 1000 + scenario.index * options.queriesPerVideo + number, text: text, type: type,
        moment: moment(of: scenario.scenes[scene], in: scenario, &random), scene: scene)
    }
  }

  /// Returns a scene's seconds as an annotator marks them: inside the video, off by at most a
  /// quarter of a frame.
  func moment(
    of scene: Scene, in scenario: Scenario, _ random: inout SeededRandom
  ) -> ClosedRange<Double> {
    let slack = options.frameInterval / 4
    let start = Double(scene.frames.lowerBound) * options.frameInterval + random.between(-slack, slack)
    let end = Double(scene.frames.upperBound) * options.frameInterval + random.between(-slack, slack)
    return roundToHundredths(max(0, start))...roundToHundredths(min(scenario.duration, end))
  }

  /// Returns rows `{vid_name, duration, ts, desc, type, desc_id}`.
  func tvrRows(_ scenario: Scenario) -> [JSON] {
    queries(of: scenario).map {
      row($0, scenario, ts: pair($0.moment), desc: $0.text, more: ["type": .string($0.type.rawValue)])
    }
  }

  /// Returns rows like TVR's, without the type.
  func how2rRows(_ scenario: Scenario) -> [JSON] {
    queries(of: scenario).map { row($0, scenario, ts: pair($0.moment), desc: $0.text) }
  }

  private func row(
    _ query: Query, _ scenario: Scenario, ts: JSON, desc: String, more: JSONObject = [:]
  ) -> JSON {
    var row: JSONObject = [
      "vid_name": .string(scenario.name), "duration": .double(scenario.duration), "ts": ts,
      "desc": .string(desc),
    ]
    for (key, value) in more { row[key] = value }
    row["desc_id"] = .int(query.id)
    return .object(row)
  }

  /// Returns the moments of four annotators: two agree, one begins a frame early, one ends a frame
  /// late.
  func didemoMoments(_ query: Query, in scenario: Scenario) -> [ClosedRange<Double>] {
    let (start, end) = (query.moment.lowerBound, query.moment.upperBound)
    let early = max(0, roundToHundredths(start - options.frameInterval))
    let late = min(scenario.duration, roundToHundredths(end + options.frameInterval))
    return [start...end, start...end, early...end, start...late]
  }

  /// Returns rows like How2R's, with several moments.
  ///
  /// All are about what is seen, since DiDeMo has no speech.
  func didemoRows(_ scenario: Scenario) -> [JSON] {
    var random = SeededRandom(seed: options.seed, "didemo", scenario.index)
    return queries(of: scenario).map { query in
      let text = SceneWords(scenario.scenes[query.scene]).seen(form: random.below(4))
      return row(query, scenario, ts: .array(didemoMoments(query, in: scenario).map(pair)), desc: text)
    }
  }

  /// Returns rows `{sen_id, clip_name, vid_name, desc}`: each sentence describes the video, from
  /// one or two of its scenes.
  func msrvttRows(_ scenario: Scenario) -> [JSON] {
    sentences(about: scenario, seed: "msrvtt").map { id, text in
      [
        "sen_id": .int(id), "clip_name": .string(scenario.name), "vid_name": .string(scenario.name),
        "desc": .string(text),
      ]
    }
  }

  /// Returns VALUE's queries about whole videos, `{desc_id, desc, vid_name, duration}`.
  func valueRows(_ task: DemoTask, _ scenario: Scenario) -> [JSON] {
    sentences(about: scenario, seed: task.rawValue).map { id, text in
      [
        "desc_id": .int(id), "desc": .string(text), "vid_name": .string(scenario.name),
        "duration": .double(scenario.duration),
      ]
    }
  }

  /// Returns VALUE's row of captions, `{vid_name, clip_id, duration, descs: [{desc_id, desc}]}`.
  func valueCaptionRow(_ task: DemoTask, _ scenario: Scenario) -> JSON {
    let captions = sentences(about: scenario, seed: task.rawValue).map { id, text -> JSON in
      ["desc_id": .int(id), "desc": .string(text)]
    }
    return [
      "vid_name": .string(scenario.name), "clip_id": .int(scenario.index),
      "duration": .double(scenario.duration), "descs": .array(captions),
    ]
  }

  /// Returns sentences about a whole video with their ids, each from one or two of its scenes.
  private func sentences(about scenario: Scenario, seed: String) -> [(id: Int, text: String)] {
    var random = SeededRandom(seed: options.seed, seed, scenario.index)
    return (0..<options.queriesPerVideo).map { number in
      let order = random.shuffled(scenario.scenes)
      let one = SceneWords(order[0])
      let two = SceneWords(order[1])
      let text =
        switch random.below(4) {
        case 0: one.seenAndHeard(form: random.below(3)) ?? one.seen(form: 0)
        case 1: "\(one.person.name) is \(one.action.gerund) \(one.object) \(one.place) in this video."
        case 2 where one.person != two.person:
          "\(one.person.name) \(one.action.third) \(one.object) and "
            + "\(two.person.name) \(two.action.third) \(two.object)."
        default:
          "\(one.person.name) \(one.action.third) \(one.object) and \(two.person.name) is \(two.place)."
        }
      return (1000 + scenario.index * options.queriesPerVideo + number, text)
    }
  }

  private func pair(_ moment: ClosedRange<Double>) -> JSON {
    .array([.double(moment.lowerBound), .double(moment.upperBound)])
  }
}
