import Corpus
import Engine
import Formats
import Metrics
import TestSupport
import Testing

@testable import Training

/// Ranking options chosen on a split.
struct RetrievalTuningTests {
  @Test func oneThingAfterAnother() {
    // A hill climbed one axis at a time, where the best of each axis depends on the other.
    let search = CoordinateSearch(counts: [9, 7])
    var measured = 0
    let best = search.best(from: [0, 6]) { places in
      measured += 1
      let (x, y) = (Double(places[0]) - 6, Double(places[1]) - 2)
      return -(x * x + y * y + x * y / 2)
    }
    #expect(best == [6, 2])
    #expect(measured < 100)
    // nil is no choice. Among equals the start stays, or else the nearest is taken.
    #expect(search.best(from: [3, 3]) { $0[0] == 8 ? nil : Double($0[0]) } == [7, 3])
    #expect(search.best(from: [3, 3]) { _ in 1 } == [3, 3])
    #expect(search.best(from: [3, 3]) { $0[0] > 4 || $0[0] < 1 ? 1 : 0 } == [5, 3])
    #expect(search.best(from: [3, 3]) { $0[0] == 3 ? nil : 0 } == [2, 3])
  }

  private func saved(_ run: TinyRun, _ arguments: RunArguments, for work: RunWork) throws -> SavedRun {
    try SavedRun(
      path: run.folder.path("run"), checkpoint: "latest", arguments, for: work, log: Said().log)
  }

  /// The chosen options measure the reported figure, and no other `q2c_alpha` is better.
  @Test func whatIsChosenIsTheBest() throws {
    let run = try TinyRun()
    var options = try run.options(.tvr)
    for (key, value) in ["num_train_steps": 60, "valid_steps": 60, "save_steps": 60, "learning_rate": 2e-3]
      as JSONObject
    { options[key] = value }
    try run.train(.tvr, options)
    let store = TinyRun.store("tvr_train")
    let backend = try CPUBackend()
    func figure(_ arguments: RunArguments, _ measure: String) throws -> Double {
      let outcome = try EvaluationRun([try saved(run, arguments, for: .evaluation)]).run(
        split: "train", store: store, backend: backend)
      return try #require(outcome.report.scalars.last { $0.name.hasSuffix("/" + measure) }).value
    }
    // Without video weights only moments decide, which is known to be worse.
    let start = try RunArguments(["--q2c-alpha", "0", "--nms-thd", "-1"])
    var weighed = false
    for measure in ["VCMR_0.5-r1", "VCMR_0.5-r10"] {
      let outcome = try RetrievalTuning(saved(run, start, for: .tuning), measure: measure).run(
        split: "train", store: store, backend: backend)
      #expect(outcome.measure == measure)
      #expect(outcome.all.after > outcome.all.before)
      #expect(try figure(start, measure) == outcome.all.before)
      let file = try run.folder.file("\(measure).json", outcome.file.encoded())
      let chosen = try RunArguments(file: file)
      #expect(try figure(chosen, measure) == outcome.all.after)
      #expect(
        Set(outcome.options.map(\.name)) == [
          "q2c_alpha", "max_vcmr_video", "max_pred_l", "min_pred_l", "nms_thd",
        ])
      for alpha in ["0", "5", "20", "60", "150"] {
        var other = chosen
        other.append(try RunArguments(["--q2c-alpha", alpha]))
        #expect(try figure(other, measure) <= outcome.all.after, "alpha \(alpha)")
      }
      let alpha = try #require(outcome.options.first { $0.name == "q2c_alpha" })
      #expect(alpha.before.double == 0)
      weighed = weighed || (alpha.after.double ?? 0) > 0
      // Each half has its own queries, and both together have all.
      #expect(outcome.held.count == 2)
      #expect(outcome.held.reduce(0) { $0 + $1.queries } == outcome.all.queries)
      let before =
        outcome.held.reduce(0) { $0 + $1.before * Double($1.queries) } / Double(outcome.all.queries)
      #expect(abs(before - outcome.all.before) < 0.02)
      #expect(outcome.honestGain != nil)
    }
    #expect(weighed)
    for measure in ["VR_r1", "VCMR_0.6-r1", "nonsense"] {
      #expect(throws: UsageError.self) {
        try RetrievalTuning(saved(run, start, for: .tuning), measure: measure)
      }
    }
  }

  /// A file of options may hold only keys that the work reads.
  @Test func filesOfOptionsAreReadOrRefused() throws {
    let folder = try TemporaryFolder()
    func apply(_ text: String, _ task: RunTask = .tvr) throws -> RunConfiguration {
      var configuration = RunConfiguration(task: task)
      try configuration.apply(
        try RunArguments(file: try folder.file("options.json", text)), for: .evaluation)
      return configuration
    }
    let read = try apply(
      #"{"q2c_alpha": 60, "nms_thd": -1, "min_pred_l": 0, "max_pred_l": 24, "max_vcmr_video": 7}"#)
    #expect(read.spanScoreSharpness == 60 && read.suppressionThreshold == -1)
    #expect(read.minSpanLength == 0 && read.maxSpanLength == 24 && read.maxVideosPerMomentQuery == 7)
    for (text, words) in [
      (#"{"q2c_alhpa": 60}"#, "did you mean \"q2c_alpha\"?"), (#"{"q2c_alpha": "60"}"#, "key \"q2c_alpha\""),
      (#"{"q2c_alpha": -1}"#, "must be"), (#"{"learning_rate": 0.1}"#, "key \"learning_rate\""),
      (#"{"task": "tvr"}"#, "the task of a run is its own"), ("[]", "is not a JSON object"),
      ("", "options.json"),
    ] {
      let error = #expect(throws: DataError.self, "\(text)") { try apply(text) }
      #expect(error?.description.contains(words) == true, "\(text): \(error?.description ?? "")")
      #expect(error?.description.contains("options.json") == true)
    }
    let error = #expect(throws: DataError.self) { try apply(#"{"q2c_alpha": 60}"#, .tvqa) }
    #expect(error?.description.contains("means nothing to task tvqa") == true)
  }

  /// Runs without moments to rank, and splits without truth, are refused.
  @Test func whatCannotBeTunedIsRefused() throws {
    let run = try TinyRun()
    try run.train(.tvqa, run.options(.tvqa))
    #expect(throws: DataError.self) {
      try RetrievalTuning(
        SavedRun(path: run.folder.path("run"), checkpoint: "latest", for: .tuning, log: Said().log))
    }
    let videos = try TinyRun()
    let task = try #require(RunTask(rawValue: "msrvtt_video_only"))
    try videos.train(task, videos.options(task))
    let error = #expect(throws: DataError.self) {
      try RetrievalTuning(
        SavedRun(path: videos.folder.path("run"), checkpoint: "latest", for: .tuning, log: Said().log))
    }
    #expect(error?.description.contains("finds videos as wholes") == true)
    let moments = try TinyRun()
    try moments.train(.tvr, moments.options(.tvr))
    let rows = (1...3).map { "{\"desc_id\": \($0), \"desc\": \"somebody opens door \($0)\"}\n" }.joined()
    let store = moments.folder.path("hidden.db")
    try TextStoreBuilder(
      task: .tvr, annotation: try moments.folder.file("hidden.jsonl", rows), output: store,
      tokenizer: SharedData.golden.path + "/corpus/tokenizer"
    ).build { Issue.record("\($0)") }
    let hidden = #expect(throws: DataError.self) {
      try RetrievalTuning(saved(moments, RunArguments(), for: .tuning)).run(
        split: "val", store: store, backend: try CPUBackend())
    }
    #expect(hidden?.description.contains("hidden") == true)
  }
}
