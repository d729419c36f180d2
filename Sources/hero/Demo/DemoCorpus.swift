import Formats

/// The tasks that a demo corpus has annotations for, by the first part of the files' names.
public enum DemoTask: String, CaseIterable, Sendable {
  case tvr, how2r, didemo, msrvtt, tvqa, how2qa, violin, tvc
  // Tasks of the VALUE benchmark.
  case yc2r
  case vatexRetrieval = "vatex_en_r"
  case vlep, yc2c
  case vatexCaptions = "vatex_en_c"

  /// The tasks whose sentences train the tokenizer; VALUE's sentences add nothing to them.
  static let tokenized: [DemoTask] = [.tvr, .how2r, .didemo, .msrvtt, .tvqa, .how2qa, .violin, .tvc]
}

/// The project's own small synthetic corpus.
///
/// In its videos people do things to objects at places and talk. It has annotations for every task
/// in the form in which the authors of TVR, TVQA, VIOLIN, TVC, How2R, How2QA, DiDeMo, MSR-VTT and
/// the VALUE benchmark publish theirs.
///
/// Features are computed from the drawn pictures, so a model must learn what colours and movements
/// mean. What people talk about is only in the subtitles. Validation and test videos combine known
/// people, actions, objects, places and topics in ways that training videos do not.
public struct DemoCorpus: Sendable {
  /// The options that determine the corpus.
  public let options: DemoOptions
  let scenarios: [Scenario]

  /// Throws a `DataError` for options that make no corpus.
  public init(_ options: DemoOptions = DemoOptions()) throws {
    try options.validate()
    self.options = options
    scenarios = ScenarioWriter(options: options).scenarios()
  }

  /// Returns the names of the videos of one split, in the order of their numbers.
  public func videos(in split: DemoSplit) -> [String] { scenarios(in: split).map { $0.name } }

  /// Returns the scores of guessing on a split in percent, the baseline of a run; empty for
  /// captions.
  ///
  /// The keys are the names of metrics: `VCMR_0.5-r1`, `SVMR_0.7-r10` and `VR_r1` in the search for
  /// moments, `VR_r1` in that for videos, `acc` for questions, events and statements. A guess in
  /// retrieval draws distinct candidates at random, all equally likely. `minimumLength` and
  /// `maximumLength` are `min_pred_l` and `max_pred_l`, in frames.
  public func chance(
    of task: DemoTask, on split: DemoSplit = .test, minimumLength: Int = 2, maximumLength: Int = 16
  ) -> [String: Double] {
    let scenarios = scenarios(in: split)
    let levels = ChanceLevels(
      scenarios: scenarios, options: options, minimumLength: minimumLength, maximumLength: maximumLength)
    let retrieval = RetrievalAnnotations(options: options)
    switch task {
    case .tvr, .how2r:
      return levels.ofMoments(
        scenarios.map { scenario in retrieval.queries(of: scenario).map { [$0.moment] } })
    case .didemo:
      return levels.ofMoments(
        scenarios.map { scenario in
          retrieval.queries(of: scenario).map { retrieval.didemoMoments($0, in: scenario) }
        })
    case .msrvtt, .yc2r, .vatexRetrieval: return levels.ofVideos()
    case .tvqa: return ["acc": 20]
    case .how2qa: return ["acc": 25]
    case .violin, .vlep: return ["acc": 50]
    case .tvc, .yc2c, .vatexCaptions: return [:]
    }
  }

  func scenarios(in split: DemoSplit) -> [Scenario] { scenarios.filter { $0.split == split } }

  /// Returns the rows of `ann/<task>_<split>.jsonl`.
  func rows(_ task: DemoTask, _ split: DemoSplit) -> [JSON] {
    let retrieval = RetrievalAnnotations(options: options)
    let questions = QuestionAnnotations(options: options)
    let captions = CaptionAnnotations(options: options)
    return scenarios(in: split).flatMap { scenario in
      switch task {
      case .tvr: retrieval.tvrRows(scenario)
      case .how2r: retrieval.how2rRows(scenario)
      case .didemo: retrieval.didemoRows(scenario)
      case .msrvtt: retrieval.msrvttRows(scenario)
      case .tvqa: questions.tvqaRows(scenario)
      case .how2qa: questions.how2qaRows(scenario)
      case .violin: questions.violinRows(scenario)
      case .tvc: captions.rows(scenario)
      case .yc2r, .vatexRetrieval: retrieval.valueRows(task, scenario)
      case .vlep: questions.vlepRows(scenario)
      case .yc2c, .vatexCaptions: [retrieval.valueCaptionRow(task, scenario)]
      }
    }
  }

  /// Returns the rows of `ann/tv_subtitles.jsonl`.
  func subtitleRows() -> [JSON] { scenarios.map { $0.subtitleRow(options: options) } }

  /// Returns `ann/tv_vid2nframe.json`: {video: frames}.
  func frameCounts() -> JSON {
    .object(object(scenarios.map { ($0.name, .int($0.frameCount)) }))
  }

  /// Returns `ann/vid2dur_idx.json`: {split: {video: [seconds, index]}}.
  func durations() -> JSON {
    .object(
      object(
        DemoSplit.allCases.map { split in
          let videos = scenarios(in: split).map { scenario in
            (scenario.name, JSON.array([.double(scenario.duration), .int(scenario.index)]))
          }
          return (split.rawValue, .object(object(videos)))
        }))
  }

  /// Returns `pretrain_splits/tv_<name>.json`: the training videos, or all others to validate with.
  func pretrainSplit(training: Bool) -> JSON {
    .array(scenarios.filter { ($0.split == .train) == training }.map { .string($0.name) })
  }

  /// Trains the tokenizer on what is said about and in the training videos.
  func tokenizer() -> DemoTokenizer {
    let annotations = DemoTask.tokenized.flatMap { rows($0, .train) }
    let subtitles = scenarios(in: .train).map { $0.subtitleRow(options: options) }
    return DemoTokenizer(texts: (annotations + subtitles).flatMap(sentences), mergeLimit: options.merges)
  }

  /// Returns the sentences of a row: the strings under the keys that annotations use for text.
  private func sentences(_ row: JSON) -> [String] {
    switch row {
    case .array(let items): items.flatMap(sentences)
    case .object(let object):
      object.flatMap { key, value -> [String] in
        let isText = ["desc", "q", "text", "a0", "a1", "a2", "a3", "a4"].contains(key)
        return isText ? value.string.map { [$0] } ?? [] : sentences(value)
      }
    default: []
    }
  }

  private func object(_ pairs: [(String, JSON)]) -> JSONObject {
    JSONObject(pairs.map { (key: $0.0, value: $0.1) })
  }
}
