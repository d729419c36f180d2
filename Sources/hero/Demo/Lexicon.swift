/// The words of the demo's little world: people do things to objects at places and talk about
/// topics.
enum Lexicon {
  struct Person: Equatable, Sendable {
    let name: String
    /// The pronoun that stands for the person: "he" or "she".
    let pronoun: String
  }

  /// A transitive verb in the three forms that the sentences need.
  struct Action: Equatable, Sendable {
    let base: String
    let third: String
    let gerund: String
  }

  /// A remark about a topic, as people say it and as a viewer reports it.
  ///
  /// `{T}` is the topic.
  struct Remark: Equatable, Sendable {
    /// The remark in the first person, as the subtitle has it.
    let spoken: String
    /// The remark in the third person, after the speaker's name; `{S}` is the pronoun.
    let reported: String
  }

  static let people = [
    Person(name: "Amara", pronoun: "she"), Person(name: "Bela", pronoun: "he"),
    Person(name: "Carmen", pronoun: "she"), Person(name: "Diego", pronoun: "he"),
    Person(name: "Edith", pronoun: "she"), Person(name: "Felix", pronoun: "he"),
    Person(name: "Hana", pronoun: "she"), Person(name: "Ivan", pronoun: "he"),
    Person(name: "Jonas", pronoun: "he"), Person(name: "Leila", pronoun: "she"),
    Person(name: "Marco", pronoun: "he"), Person(name: "Nora", pronoun: "she"),
  ]

  static let objects = [
    "the violin", "the blue vase", "the suitcase", "the lamp", "the old clock", "the bicycle",
    "the wooden chair", "the telescope", "the mirror", "the red coat", "the basket", "the camera",
    "the ladder", "the statue", "the typewriter", "the kite", "the globe", "the drum", "the carpet",
    "the toolbox",
  ]

  /// The places, each with its preposition.
  static let places = [
    "in the kitchen", "on the beach", "in the library", "at the airport", "in the office",
    "on the bridge", "in the barn", "at the market", "in the hospital", "on the balcony",
  ]

  static let actions = [
    Action(base: "clean", third: "cleans", gerund: "cleaning"),
    Action(base: "carry", third: "carries", gerund: "carrying"),
    Action(base: "hide", third: "hides", gerund: "hiding"),
    Action(base: "drop", third: "drops", gerund: "dropping"),
    Action(base: "paint", third: "paints", gerund: "painting"),
    Action(base: "repair", third: "repairs", gerund: "repairing"),
    Action(base: "pick up", third: "picks up", gerund: "picking up"),
    Action(base: "push", third: "pushes", gerund: "pushing"),
    Action(base: "wrap", third: "wraps", gerund: "wrapping"),
    Action(base: "weigh", third: "weighs", gerund: "weighing"),
    Action(base: "draw", third: "draws", gerund: "drawing"),
    Action(base: "point at", third: "points at", gerund: "pointing at"),
    Action(base: "kick", third: "kicks", gerund: "kicking"),
    Action(base: "steal", third: "steals", gerund: "stealing"),
  ]

  static let topics = [
    "the wedding", "the concert", "the exam", "the party", "the holiday", "the dinner", "the meeting",
    "the race", "the picnic", "the interview", "the lesson", "the parade", "the festival", "the game",
  ]

  static let remarks = [
    Remark(spoken: "I am so worried about {T}.", reported: "is worried about {T}"),
    Remark(spoken: "I completely forgot about {T}.", reported: "says that {S} forgot about {T}"),
    Remark(spoken: "Who told you about {T}?", reported: "asks who knows about {T}"),
    Remark(spoken: "I am very happy about {T}.", reported: "is happy about {T}"),
    Remark(spoken: "I will not talk about {T}.", reported: "refuses to talk about {T}"),
    Remark(spoken: "I lied to you about {T}.", reported: "confesses a lie about {T}"),
    Remark(spoken: "I think we must cancel {T}.", reported: "wants to cancel {T}"),
    Remark(spoken: "Do not worry, I will pay for {T}.", reported: "offers to pay for {T}"),
    Remark(spoken: "Hurry up, we are late for {T}!", reported: "is late for {T}"),
    Remark(spoken: "Will you come with me to {T}?", reported: "invites a friend to {T}"),
  ]

  /// Remarks about what can be seen.
  ///
  /// `{O}` is the object, `{L}` the place, `{A}` the verb.
  static let seen = [
    "Look at {O}!", "Be careful with {O}.", "Where did you get {O}?", "Nobody wants to {A} it now.",
    "Why would you {A} {O}?", "I always feel at home {L}.", "What are we doing {L}?", "I need {O} today.",
  ]

  /// Small talk that says nothing about the scene.
  ///
  /// Some of it is written as real subtitles are: with HTML entities and tags, or all in capitals.
  static let smallTalk = [
    "Okay.", "I don't know.", "You can't be serious.", "Well, that's what she said.", "Come on, let's go.",
    "Wait a minute, please.", "(door slams) Who is there?", "Thank you. &quot;Really&quot;.",
    "<i>It's over &amp; done.</i>", "OH MY GOD!", "NO WAY!", "We have 24 hours left.",
  ]
}
