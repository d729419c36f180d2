/// The channels that a sentence draws on, as TVR marks its queries.
enum QueryType: String, Sendable {
  case video = "v"
  case text = "t"
  case both = "vt"
}

/// A scene put into words.
struct SceneWords {
  let person: Lexicon.Person
  let action: Lexicon.Action
  let object: String
  let place: String
  let remark: Lexicon.Remark?
  let topic: String?

  init(_ scene: Scene) {
    person = Lexicon.people[scene.person]
    action = Lexicon.actions[scene.action]
    object = Lexicon.objects[scene.object]
    place = Lexicon.places[scene.place]
    remark = scene.speech.map { Lexicon.remarks[$0.remark] }
    topic = scene.speech.map { Lexicon.topics[$0.topic] }
  }

  /// Returns what is seen, in one of four forms.
  func seen(form: Int) -> String {
    switch form % 4 {
    case 0: "\(person.name) \(action.third) \(object) \(place)."
    case 1: "\(capitalised(place)), \(person.name) \(action.third) \(object)."
    case 2: "\(person.name) is \(action.gerund) \(object) \(place)."
    default: "\(person.name) \(action.third) \(object)."
    }
  }

  /// Returns the speech, in one of four forms; nil if nobody talks.
  func heard(form: Int) -> String? {
    guard let remark, let topic else { return nil }
    switch form % 4 {
    case 0: return "\(person.name) talks about \(topic)."
    case 1: return "\(person.name) says something about \(topic)."
    case 2: return "\(person.name) \(report(remark, topic))."
    default: return "\(capitalised(topic)) is what \(person.name) talks about."
    }
  }

  private func report(_ remark: Lexicon.Remark, _ topic: String) -> String {
    remark.reported.replacing("{T}", with: topic).replacing("{S}", with: person.pronoun)
  }

  /// Returns what is seen and said, in one of three forms; nil if nobody talks.
  func seenAndHeard(form: Int) -> String? {
    guard let remark, let topic else { return nil }
    switch form % 3 {
    case 0: return "\(person.name) \(action.third) \(object) while talking about \(topic)."
    case 1: return "\(capitalised(place)), \(person.name) \(report(remark, topic))."
    default: return "While \(action.gerund) \(object), \(person.name) talks about \(topic)."
    }
  }

  /// Returns a sentence of the given type, or of what is seen if nobody talks, with its actual
  /// type.
  func sentence(_ wanted: QueryType, form: Int) -> (text: String, type: QueryType) {
    switch wanted {
    case .text:
      if let text = heard(form: form) { return (text, .text) }
    case .both:
      if let text = seenAndHeard(form: form) { return (text, .both) }
    case .video: break
    }
    return (seen(form: form), .video)
  }
}

/// Returns the sentence part with its first letter upper case.
func capitalised(_ text: String) -> String { text.prefix(1).uppercased() + text.dropFirst() }
