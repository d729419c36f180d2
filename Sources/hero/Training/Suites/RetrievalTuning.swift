import Corpus
import Engine
import Formats
import Metrics
import Model
import Tasks

/// `hero tune`: a search for the values of the ranking options that measure best on a split.
///
/// A choice looks better on the queries that it was made on than it is. So the choice is made three
/// times: on all queries, and on each half of the videos. The other half then shows the gain.
public struct RetrievalTuning {
  private let run: SavedRun
  private let suite: RetrievalSuite
  private let choices: [Choice]
  private let ranking: Ranking
  /// The figure to maximise, by the last part of its name.
  public let measure: String

  private var configuration: RunConfiguration { run.configuration }

  /// An option and its possible values, in ascending order.
  private struct Choice {
    let option: any AnyRunOption
    let values: [JSON]
    /// The index of the run's own value.
    let own: Int

    init<Value: ConfigurationValue>(
      _ path: KeyPath<RunOptions, RunOption<Value>>, _ values: [Value], _ configuration: RunConfiguration
    ) {
      option = RunOptions.shared[keyPath: path]
      let mine = configuration[dynamicMember: path].json
      var all = values.map(\.json)
      if !all.contains(where: { $0.double == mine.double }) { all.append(mine) }
      self.values = all.sorted { ($0.double ?? 0) < ($1.double ?? 0) }
      own = self.values.firstIndex { $0.double == mine.double } ?? 0
    }
  }

  /// - Parameter measure: the figure to maximise; nil for the one that chooses the best checkpoint.
  /// - Throws: `UsageError` for a figure that no option changes, `DataError` for a run that finds
  ///   no moments.
  public init(_ run: SavedRun, measure: String? = nil) throws {
    let cure = "Give a run that finds moments: tvr, how2r, didemo, qvhighlights, …"
    suite = try run.suite(as: RetrievalSuite.self, cure: cure)
    self.run = run
    let configuration = run.configuration
    guard suite.settings.hasSpans else {
      throw DataError(
        "\(configuration.task.rawValue) finds videos as wholes, and no option changes their ranks",
        file: run.folder.path, cure: cure)
    }
    if let headline = configuration.task.windowHeadline {
      (self.measure, ranking) = (measure ?? headline, .singleVideoMoment)
    } else {
      let names = Recall.ofMoments.map(Self.name)
      // VCMR comes before SVMR.
      let usual = Ranking.allCases.first { $0.findsMoments && configuration.rankings.contains($0) }
      let wanted = measure ?? "\((usual ?? .videoCorpusMoment).rawValue)_0.7-r1"
      guard let recall = Recall.ofMoments.first(where: { Self.name($0) == wanted }) else {
        let videos = wanted.hasPrefix(Ranking.video.rawValue + "_")
        throw UsageError(
          "--measure is one of \(names.joined(separator: ", ")), not \(wanted)"
            + (videos ? ": no option changes the ranks of videos" : ""))
      }
      (self.measure, ranking) = (wanted, recall.ranking)
    }
    choices = Self.choices(ranking, configuration)
  }

  private static func name(_ recall: Recall) -> String { last(recall.name(prefix: "")) }
  private static func last(_ name: String) -> String { String(name.split(separator: "/").last ?? "") }

  private static func choices(_ ranking: Ranking, _ configuration: RunConfiguration) -> [Choice] {
    let longest = configuration.maxClipLength
    var choices = [
      Choice(
        \.maxSpanLength, [4, 6, 8, 10, 12, 16, 20, 24, 32, 48, 64].filter { $0 <= longest }, configuration),
      Choice(\.minSpanLength, [0, 1, 2, 3, 4], configuration),
      Choice(\.suppressionThreshold, [-1, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8], configuration),
    ]
    if ranking == .videoCorpusMoment {
      choices.insert(
        Choice(
          \.spanScoreSharpness, [0, 2, 5, 10, 15, 20, 25, 30, 40, 50, 60, 80, 100, 150], configuration), at: 0
      )
      choices.insert(Choice(\.maxVideosPerMomentQuery, [5, 10, 20, 50, 100, 200], configuration), at: 1)
    }
    return choices
  }

  /// The values of a choice, and its figures.
  private struct Chosen {
    let places: [Int]
    let values: Values
  }

  /// The figure for all queries, and for those of each half.
  private typealias Values = (all: Double, halves: [Double])

  /// Measures the choices and returns the best.
  /// - Parameters:
  ///   - split: the split whose candidates are searched.
  ///   - store: the split's queries.
  /// - Throws: `DataError` for a split whose truth is hidden.
  public func run(split: String, store: String, backend: any Backend) throws -> Outcome {
    let queries = try suite.known(store)
    guard queries.truthCount > 0 else {
      throw DataError(
        "the truth of its queries is hidden, so that nothing tells which options are better", file: store,
        cure: "Give a split whose truth is known, such as val")
    }
    try requireMeasure(of: queries)
    let member = try run.open(suite, store: store, backend: backend)
    let encoded = try suite.encode([member], queries, candidates: split)
    let search = CoordinateSearch(counts: choices.map(\.values.count))
    let start = choices.map(\.own)
    var known: [[Int]: Values] = [:]
    var found: (options: RetrievalEvaluationOptions, results: RetrievalResults)?
    var parts: (all: KnownQueries, halves: [KnownQueries])?
    let progress = ProgressReporter("Tuning", total: nil, unit: "choices")
    func values(_ places: [Int]) throws -> Values? {
      if let values = known[places] { return values }
      guard let options = try options(places) else { return nil }
      // Suppression comes after the search, so the search does not depend on it.
      var searched = options
      searched.suppression = nil
      if found?.options != searched {
        found = nil
        let evaluator = try RetrievalEvaluator(
          encoded, queries: queries.store, options: searched, skips: queries.skips)
        found = (
          searched,
          try evaluator.run(among: suite.communicator) { _ in try InterruptHandler.check() }
        )
      }
      guard let results = found?.results else { return nil }
      if parts == nil { parts = Self.parts(of: queries.without(Set(results.leftOut))) }
      guard let parts else { return nil }
      let measured = try ([parts.all] + parts.halves).map {
        try value(of: $0, results, options, split: split)
      }
      known[places] = (measured[0], Array(measured.dropFirst()))
      progress.advance(note: String(format: "%@ %.2f", measure, measured[0]))
      return known[places]
    }
    func chosen(on half: Int?) throws -> Chosen {
      let best = try search.best(from: start) { places in
        try values(places).map { values in half.map { values.halves[$0] } ?? values.all }
      }
      return Chosen(places: best, values: known[best] ?? (0, []))
    }
    suite.log.info("tuning \(choices.map(\.option.name).joined(separator: ", ")) for \(measure)")
    let all = try chosen(on: nil)
    guard let own = known[start], let parts else {
      throw DataError("the run's own options allow no moment", file: run.folder.path)
    }
    var outcome = Outcome(
      measure: measure, options: pairs(all.places),
      all: .init(queries: parts.all.truthCount, before: own.all, after: all.values.all))
    defer { progress.finish() }
    guard parts.halves.allSatisfy({ $0.truthCount > 0 }) else { return outcome }
    for half in parts.halves.indices {
      let other = try chosen(on: 1 - half)
      outcome.held.append(
        .init(
          queries: parts.halves[half].truthCount, before: own.halves[half], after: other.values.halves[half]))
    }
    return outcome
  }

  /// - Throws: `UsageError` for a figure that does not exist.
  private func requireMeasure(of queries: KnownQueries) throws {
    guard configuration.task.findsWindows, let truth = queries.windows.first else { return }
    let windows = truth.windows.map { WindowPredictions.Window(span: $0, score: 1) }
    let row = WindowPredictions(id: truth.id, query: nil, video: nil, windows: windows, saliency: nil)
    let names = try WindowMetrics([row], truth: queries.windows).figures.map(\.name)
    guard names.contains(measure) else {
      throw UsageError("--measure is one of \(names.joined(separator: ", ")), not \(measure)")
    }
  }

  /// Returns the options of a choice; nil if they allow no moment.
  private func options(_ places: [Int]) throws -> RetrievalEvaluationOptions? {
    var configuration = configuration
    for (choice, place) in zip(choices, places) { configuration.set(choice.option, choice.values[place]) }
    guard configuration.minSpanLength < configuration.maxSpanLength else { return nil }
    var options = try RetrievalSettings(configuration).evaluation
    (options.rankings, options.byQueryType) = ([ranking], false)
    // Moments in the queries' own videos need no other videos.
    if ranking == .singleVideoMoment { options.videosSearched = 1 }
    return options
  }

  /// Returns the queries of all videos, and those of each half of the videos.
  private static func parts(of queries: KnownQueries) -> (all: KnownQueries, halves: [KnownQueries]) {
    (
      queries,
      [0, 1].map { half in queries.counting { id, video in Self.half(of: video ?? id.text) == half } }
    )
  }

  /// Returns the half of a name by a bit of its FNV-1a hash, so that no numbering of names matters.
  private static func half(of name: String) -> Int {
    let hash = name.utf8.reduce(0xcbf2_9ce4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    return Int((hash >> 32) & 1)
  }

  /// Returns the figure, after suppression if there is any.
  private func value(
    of queries: KnownQueries, _ results: RetrievalResults, _ options: RetrievalEvaluationOptions,
    split: String
  ) throws -> Double {
    guard queries.truthCount > 0 else { return 0 }
    let report = try suite.report(results, queries, options, split: split, title: "")
    guard let figure = report.scalars.last(where: { Self.last($0.name) == measure }) else {
      throw DataError(
        "the split has no \(measure): its queries name no moments", file: queries.store.path,
        cure: "Give a split whose moments are known")
    }
    return figure.value
  }

  private func pairs(_ places: [Int]) -> [(name: String, before: JSON, after: JSON)] {
    zip(choices, places).map { ($0.option.name, $0.values[$0.own], $0.values[$1]) }
  }
}

extension RetrievalTuning {
  /// The chosen options, and their gain.
  public struct Outcome {
    /// A figure with the run's own options, and with the chosen ones.
    public struct Gain: Equatable, Sendable {
      /// The number of queries that the figure counts.
      public let queries: Int
      /// The figure with the run's own options.
      public let before: Double
      /// The figure with the chosen options.
      public let after: Double
    }

    /// The figure that was maximised, such as `VCMR_0.5-r1`.
    public let measure: String
    /// The options by name, with the run's own values and the chosen ones.
    public let options: [(name: String, before: JSON, after: JSON)]
    /// The gain on the queries that the options are chosen on, which is more than others will show.
    public let all: Gain
    /// The gain on each half of the videos with the other half's choice; empty if a half has no
    /// queries.
    public fileprivate(set) var held: [Gain] = []

    /// The gain on queries that nothing was chosen on, with the halves weighted by their queries.
    public var honestGain: Double? {
      let queries = held.reduce(0) { $0 + $1.queries }
      guard queries > 0 else { return nil }
      return held.reduce(0) { $0 + ($1.after - $1.before) * Double($1.queries) } / Double(queries)
    }

    /// The chosen options as a file for `hero eval --config`.
    public var file: JSON { .object(JSONObject(options.map { (key: $0.name, value: $0.after) })) }

    /// The outcome as `--json` prints it.
    public var json: JSON {
      func json(_ gain: Gain) -> JSON {
        ["queries": .int(gain.queries), "before": .double(gain.before), "after": .double(gain.after)]
      }
      return [
        "measure": .string(measure), "options": file, "chosen_on_all": json(all),
        "held_out": .array(held.map(json)), "honest_gain": honestGain.map { .double($0) } ?? .null,
      ]
    }

    /// The tables of the options and of the figures.
    public var tables: [MetricsTable] {
      var chosen = MetricsTable(headings: ["option", "run", "chosen"])
      chosen.rows = options.map { [$0.name, $0.before.encoded(), $0.after.encoded()] }
      var gains = MetricsTable(title: measure, headings: ["", "queries", "run", "chosen", "gain"])
      func add(_ name: String, _ gain: Gain) {
        let figures = [gain.before, gain.after, gain.after - gain.before]
        gains.rows.append([name, String(gain.queries)] + figures.map { String(format: "%.2f", $0) })
      }
      add("all, which the options are chosen on", all)
      for (number, gain) in held.enumerated() {
        add("half \(number + 1), by what half \(2 - number) chooses", gain)
      }
      return [chosen, gains]
    }
  }
}
