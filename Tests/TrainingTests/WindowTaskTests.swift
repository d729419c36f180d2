import Corpus
import Engine
import Formats
import Foundation
import Metrics
import Tasks
import TestSupport
import Testing

@testable import Training

/// Moments within given videos, from their authors' files to figures.
struct WindowTaskTests {
  static let tasks = ["qvhighlights", "charades_sta", "activitynet", "tacos"]

  /// Videos of the reference's small corpus, with made-up moments.
  private struct Made {
    let run: TinyRun
    let videos: [String]

    init() throws {
      run = try TinyRun()
      videos = try QueryStore(path: TinyRun.store("tvr_train")).videos.sorted()
    }

    /// Returns two sentences a video, each with windows in seconds.
    private func moments(_ split: Int) -> [(video: String, text: String, windows: [[Double]])] {
      videos.enumerated().flatMap { place, video in
        (0..<2).map { sentence in
          let start = Double((place + 3 * sentence + split) % 5)
          let windows = [[start, start + 4], [start + 6, start + 7.5], [start + 1, start + 11]]
          return (video, "somebody \(sentence) opens \(place)", Array(windows.prefix(1 + place % 3)))
        }
      }
    }

    /// Returns the annotation of a task in its authors' format.
    func annotation(_ task: String, _ name: String, split: Int = 0) throws -> String {
      let moments = moments(split)
      var text = ""
      switch task {
      case "charades_sta":
        for row in moments { text += "\(row.video) \(row.windows[0][0]) \(row.windows[0][1])##\(row.text)\n" }
      case "activitynet", "tacos":
        var videos = JSONObject()
        for row in moments {
          let key = task == "tacos" ? row.video + ".avi" : row.video
          let scale = task == "tacos" ? 4.0 : 1
          var video = videos[key] ?? ["timestamps": [], "sentences": []]
          video[task == "tacos" ? "num_frames" : "duration"] = .double(20 * scale)
          if task == "tacos" { video["fps"] = .double(scale) }
          let span = JSON.array(row.windows[0].map { .double($0 * scale) })
          video["timestamps"] = .array((video["timestamps"]?.array ?? []) + [span])
          video["sentences"] = .array((video["sentences"]?.array ?? []) + [.string(row.text)])
          videos[key] = video
        }
        text = JSON.object(videos).encoded()
      default:
        for (number, row) in moments.enumerated() {
          let clips = [0, 1, 3]
          let json: JSON = [
            "qid": .int(100 + number), "query": .string(row.text), "vid": .string(row.video), "duration": 20,
            "relevant_windows": .array(row.windows.map { .array($0.map { .double($0) }) }),
            "relevant_clip_ids": .array(clips.map { .int($0) }),
            "saliency_scores": .array(clips.map { [.int(4 - $0), .int($0), 3] }),
          ]
          text += json.encoded() + "\n"
        }
      }
      return try run.folder.file(name, text)
    }

    /// Returns the store of an annotation.
    func store(_ task: String, _ annotation: String, _ name: String) throws -> String {
      let output = run.folder.path(name)
      try TextStoreBuilder(
        task: try #require(TextStoreTask(rawValue: task)), annotation: annotation, output: output,
        tokenizer: SharedData.golden.path + "/corpus/tokenizer"
      ).build { Issue.record("\($0)") }
      return output
    }
  }

  /// Moments after the last frame are reported, as with another unit or other features.
  @Test func momentsBehindTheirVideosAreTold() throws {
    let made = try Made()
    let task = try #require(RunTask(rawValue: "activitynet"))
    var options = try made.run.options(task)
    let late = made.videos.map { #""\#($0)": {"timestamps": [[0, 4], [500, 900]], "sentences": ["a", "b"]}"# }
    let file = try made.run.folder.file("late", "{" + late.joined(separator: ", ") + "}")
    options["train_query_txt_db"] = .string(try made.store("activitynet", file, "train.db"))
    options["val_query_txt_db"] = .string(try made.store("activitynet", file, "val.db"))
    options["test_query_txt_db"] = nil
    let (_, said) = try made.run.train(task, options)
    let count = made.videos.count
    #expect(said.contains("\(count) of \(2 * count) true moments begin after the last frame"), "\(said)")
  }

  @Test(arguments: tasks) func figuresAreThoseOfTheFile(name: String) throws {
    let made = try Made()
    let task = try #require(RunTask(rawValue: name))
    let (train, val) = (try made.annotation(name, "train"), try made.annotation(name, "val", split: 1))
    var options = try made.run.options(task)
    options["train_query_txt_db"] = .string(try made.store(name, train, "train.db"))
    let store = try made.store(name, val, "val.db")
    options["val_query_txt_db"] = .string(store)
    options["test_query_txt_db"] = nil
    options["min_pred_l"] = 0
    options["max_pred_l"] = 2
    let (_, said) = try made.run.train(task, options)
    #expect(said.contains("true windows are longer than max_pred_l (2)"))
    #expect(FileManager.default.fileExists(atPath: made.run.folder.path("run/results/val_results_2.jsonl")))
    let best = try JSON.read(path: made.run.folder.path("run/log/best.json"))
    #expect(best["metric"]?.string == (name == "qvhighlights" ? "MR-full-mAP" : "mIoU"))

    let log = Said().log
    let saved = try SavedRun(
      path: made.run.folder.path("run"), checkpoint: "latest", RunArguments(["--max-pred-l", "20"]),
      for: .evaluation, log: log)
    let outcome = try EvaluationRun([saved]).run(split: "val", store: store, backend: try CPUBackend())
    #expect(outcome.path.hasSuffix("results_2_all.jsonl"))
    let own = Dictionary(uniqueKeysWithValues: outcome.report.scalars.map { ($0.name, $0.value) })
    #expect(own["mIoU"] != nil && own["MR-full-mAP"] != nil && own["R5@0.3"] != nil)
    #expect((own["HL-min-VeryGood-Hit1"] != nil) == (name == "qvhighlights"))
    #expect(own.values.contains { $0 > 0 })
    for references in [val, store] {
      var scoring = PredictionScoring(predictions: outcome.path, references: references)
      for told in [task, nil] {
        scoring.task = told
        let figures = try scoring.run(log: log).figures
        #expect(Dictionary(uniqueKeysWithValues: figures.map { ($0.name, $0.value) }) == own)
      }
    }
    let rows = try Self.rows(outcome.path)
    #expect(rows.count == 2 * made.videos.count)
    for row in rows {
      let windows = try #require(row["pred_relevant_windows"]?.array).map {
        $0.array?.compactMap(\.double) ?? []
      }
      #expect(!windows.isEmpty && windows.allSatisfy { $0.count == 3 && $0[0] <= $0[1] })
      #expect(zip(windows, windows.dropFirst()).allSatisfy { $0[2] >= $1[2] })
      if name != "charades_sta" { #expect(windows.allSatisfy { $0[1] <= 20 }) }
      #expect(row["query"]?.string != nil && made.videos.contains(row["vid"]?.string ?? ""))
      let scores = try #require(row["pred_saliency_scores"]?.array).compactMap(\.double)
      #expect(!scores.isEmpty && scores.allSatisfy { (0...1.00001).contains($0) })
    }
  }

  private static func rows(_ path: String) throws -> [JSON] {
    var rows: [JSON] = []
    try JSONLines.read(path: path) { _, row in rows.append(row) }
    return rows
  }

  /// Training draws one of several moments, as a function of the item's place in the run.
  @Test func oneOfSeveralMomentsIsDrawn() throws {
    let made = try Made()
    let annotation = try made.annotation("qvhighlights", "train")
    let queries = try QueryStore(path: try made.store("qvhighlights", annotation, "train.db"))
    let features = try FeatureStore(path: SharedData.golden.path + "/db/video_db/tv")
    let videos = VideoReader(features: features, videoOnly: queries.meta.cls, maxClipLength: 20)
    let model = try OpenedModel(
      RunConfiguration.load(
        file: nil,
        arguments: [
          "--task", "qvhighlights", "--max-clip-len", "20", "--model-config",
          SharedData.golden.path + "/expected/model_config.json",
        ]
      ).configuration, parts: [.cross, .temporal, .query], featureWidth: try features.width(),
      log: Said().log
    ).shape
    let loader = try RetrievalLoader(
      queries: queries, videos: videos, maxTextLength: -1, frameInterval: 1.5, hasSpans: true, model: model)
    let several = try #require(
      try loader.ids.indices.first { try queries.query(loader.ids[$0]).spans.count == 3 })
    func targets() throws -> [[Int]] {
      try (0..<60).map { step in
        let random = RandomStream(seed: 7, step: UInt64(step), for: .batch)
        let target = try #require(try loader.batch(of: [several], random: random)).targets[0]
        return [target.start, target.end]
      }
    }
    let drawn = try targets()
    #expect(Set(drawn).count == 3)
    #expect(try targets() == drawn)
  }

  /// A window task refuses TVR's stores, and TVR refuses a window task's.
  @Test func storesOfTheOtherKindAreRefused() throws {
    let made = try Made()
    let task = try #require(RunTask(rawValue: "qvhighlights"))
    let error = try #require(throws: DataError.self) {
      try made.run.train(task, made.run.options(task))
    }
    #expect(error.problem.contains("\"tvr\""))
    var options = try made.run.options(.tvr)
    options["val_query_txt_db"] = .string(
      try made.store("tacos", made.annotation("tacos", "val"), "val.db"))
    let other = try #require(throws: DataError.self) { try made.run.train(.tvr, options) }
    #expect(other.problem.contains("\"tacos\""))
  }

  @Test func itReadsFramesAlone() throws {
    for name in Self.tasks {
      let task = try #require(RunTask(rawValue: name))
      #expect(task.findsWindows && RunConfiguration(task: task).videoChannels == .video)
      let both = try RunConfiguration.load(file: nil, arguments: ["--task", name, "--channels", "both"])
      #expect(both.configuration.videoChannels == .both)
      #expect(try #require(RunTask(rawValue: name + "_video_sub")).findsWindows)
    }
  }
}
