import Formats

/// The questions of TVQA and How2QA, VLEP's pairs of events, and VIOLIN's pairs of a true and a
/// false statement.
///
/// Most ask who does something, as most of TVQA's are about people. The rest ask what, how and
/// where, and what is said. Some wrong parts come from other scenes of the same video. It is
/// therefore not enough to know what occurs in the video: a model must find the parts together.
struct QuestionAnnotations {
  let options: DemoOptions

  /// The share of questions that ask for the person.
  ///
  /// A small model learns in minutes only what it sees often.
  private static let personShare = 0.9
  /// The probability that a wrong part comes from the same video, if that has one.
  private static let nearShare = 0.3

  /// The part of a scene that a question asks for, or that a false statement changes.
  enum Part: CaseIterable, Sendable {
    case person, action, object, place, topic
  }

  /// A question with its answers.
  struct Question: Equatable, Sendable {
    let id: Int
    let text: String
    let answers: [String]
    let correct: Int
    let moment: ClosedRange<Double>
  }

  /// Returns the questions of a video, each with `answerCount` answers.
  func questions(of scenario: Scenario, answerCount: Int) -> [Question] {
    var random = SeededRandom(seed: options.seed, "questions", scenario.index)
    let retrieval = RetrievalAnnotations(options: options)
    let order = random.shuffled(Array(scenario.scenes.indices))
    return (0..<options.queriesPerVideo).map { number in
      let scene = scenario.scenes[order[number % order.count]]
      let part = part(of: scene, &random)
      let wrong = alternatives(to: scene, part, in: scenario, &random).prefix(answerCount - 1)
      let correct = random.below(answerCount)
      var answers = wrong.map { answer(SceneWords($0), part) }
      answers.insert(answer(SceneWords(scene), part), at: correct)
      return Question(
        id: 9000 + scenario.index * options.queriesPerVideo + number,
        text: question(SceneWords(scene), part), answers: answers, correct: correct,
        moment: retrieval.moment(of: scene, in: scenario, &random))
    }
  }

  /// Returns rows `{qid, q, a0 … a4, answer_idx, vid_name, ts, show_name}`; one span in twelve is
  /// unknown, "nan-nan".
  func tvqaRows(_ scenario: Scenario) -> [JSON] {
    questions(of: scenario, answerCount: 5).map { question in
      let span = question.id % 12 == 0 ? "nan-nan" : spanText(question.moment)
      return row(
        question, scenario, span: span, more: [("show_name", "Demo")])
    }
  }

  /// Returns rows like TVQA's, with four answers and without the show's name.
  func how2qaRows(_ scenario: Scenario) -> [JSON] {
    questions(of: scenario, answerCount: 4).map {
      row($0, scenario, span: spanText($0.moment), more: [])
    }
  }

  /// Returns VLEP's rows `{example_id, vid_name, ts, events, answer}`: the event that follows a
  /// scene, and the same with one part wrong.
  func vlepRows(_ scenario: Scenario) -> [JSON] {
    var random = SeededRandom(seed: options.seed, "futures", scenario.index)
    let retrieval = RetrievalAnnotations(options: options)
    let order = random.shuffled(Array(scenario.scenes.indices.dropLast()))
    return (0..<options.queriesPerVideo).map { number -> JSON in
      let place = order[number % order.count]
      let moment = retrieval.moment(of: scenario.scenes[place], in: scenario, &random)
      let next = scenario.scenes[place + 1]
      let part = part(of: next, &random)
      let changed = alternatives(to: next, part, in: scenario, &random)[0]
      let form = random.below(3)
      let right = random.below(2)
      let events = (right == 0 ? [next, changed] : [changed, next]).map { scene -> JSON in
        .string(statement(SceneWords(scene), part, form: form))
      }
      return [
        "example_id": .int(20_000 + scenario.index * options.queriesPerVideo + number),
        "vid_name": .string(scenario.name),
        "ts": .array([.double(moment.lowerBound), .double(moment.upperBound)]), "events": .array(events),
        "answer": .int(right),
      ]
    }
  }

  /// Returns rows `{desc_id, vid_name, label, desc}` in pairs: the true statement's id ends in
  /// "-1", the false one's in "-0".
  func violinRows(_ scenario: Scenario) -> [JSON] {
    var random = SeededRandom(seed: options.seed, "statements", scenario.index)
    let order = random.shuffled(Array(scenario.scenes.indices))
    return (0..<options.queriesPerVideo).flatMap { number -> [JSON] in
      let scene = scenario.scenes[order[number % order.count]]
      let part = part(of: scene, &random)
      let changed = alternatives(to: scene, part, in: scenario, &random)[0]
      let form = random.below(3)
      return [(scene, true), (changed, false)].map { scene, label -> JSON in
        [
          "desc_id": .string("\(scenario.name)-\(number)-\(label ? 1 : 0)"),
          "vid_name": .string(scenario.name), "label": .bool(label),
          "desc": .string(statement(SceneWords(scene), part, form: form)),
        ]
      }
    }
  }

  private func part(of scene: Scene, _ random: inout SeededRandom) -> Part {
    if random.chance(Self.personShare) { return .person }
    return random.pick(
      scene.speech == nil ? [.action, .object, .place] : [.action, .object, .place, .topic])
  }

  /// Returns the scenes with one part changed that the video does not show, in random order.
  ///
  /// Three in ten take the part from another scene of the video, while there are both kinds.
  func alternatives(
    to scene: Scene, _ part: Part, in scenario: Scenario, _ random: inout SeededRandom
  ) -> [Scene] {
    let own = value(scene, part)
    let seen = Set(scenario.scenes.compactMap { value($0, part) }).filter { $0 != own }.sorted()
    var near = random.shuffled(seen)
    var far = random.shuffled((0..<count(part)).filter { $0 != own && !seen.contains($0) })
    var order: [Int] = []
    while !near.isEmpty || !far.isEmpty {
      let takesNear = far.isEmpty || (!near.isEmpty && random.chance(Self.nearShare))
      order.append(takesNear ? near.removeLast() : far.removeLast())
    }
    return order.map { changing(scene, part, to: $0) }
  }

  private func value(_ scene: Scene, _ part: Part) -> Int? {
    switch part {
    case .person: scene.person
    case .action: scene.action
    case .object: scene.object
    case .place: scene.place
    case .topic: scene.speech?.topic
    }
  }

  private func count(_ part: Part) -> Int {
    switch part {
    case .person: Lexicon.people.count
    case .action: Lexicon.actions.count
    case .object: Lexicon.objects.count
    case .place: Lexicon.places.count
    case .topic: Lexicon.topics.count
    }
  }

  private func changing(_ scene: Scene, _ part: Part, to value: Int) -> Scene {
    var changed = scene
    switch part {
    case .person: changed.person = value
    case .action: changed.action = value
    case .object: changed.object = value
    case .place: changed.place = value
    case .topic: changed.speech?.topic = value
    }
    return changed
  }

  private func question(_ words: SceneWords, _ part: Part) -> String {
    switch part {
    case .person: "Who \(words.action.third) \(words.object) \(words.place)?"
    case .action: "What does \(words.person.name) do with \(words.object)?"
    case .object: "What does \(words.person.name) \(words.action.base) \(words.place)?"
    case .place: "Where does \(words.person.name) \(words.action.base) \(words.object)?"
    case .topic: "What does \(words.person.name) talk about while \(words.action.gerund) \(words.object)?"
    }
  }

  private func answer(_ words: SceneWords, _ part: Part) -> String {
    switch part {
    case .person, .action, .object: "\(words.person.name) \(words.action.third) \(words.object)."
    case .place: "\(words.person.name) \(words.action.third) \(words.object) \(words.place)."
    case .topic: "\(words.person.name) talks about \(words.topic ?? "nothing")."
    }
  }

  private func statement(_ words: SceneWords, _ part: Part, form: Int) -> String {
    // Form 1 of what is heard names no action, and so might be true of another scene.
    part == .topic
      ? words.seenAndHeard(form: form == 1 ? 0 : form) ?? words.seen(form: form) : words.seen(form: form)
  }

  private func row(
    _ question: Question, _ scenario: Scenario, span: String, more: [(String, JSON)]
  ) -> JSON {
    var row = JSONObject()
    row["qid"] = .int(question.id)
    row["q"] = .string(question.text)
    for (place, answer) in question.answers.enumerated() { row["a\(place)"] = .string(answer) }
    row["answer_idx"] = .int(question.correct)
    row["vid_name"] = .string(scenario.name)
    row["ts"] = .string(span)
    for (key, value) in more { row[key] = value }
    return .object(row)
  }

  private func spanText(_ moment: ClosedRange<Double>) -> String {
    "\(PythonNumber.repr(moment.lowerBound))-\(PythonNumber.repr(moment.upperBound))"
  }
}
