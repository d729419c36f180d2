import Corpus
import Formats
import Foundation
import Model
import Training
import Vision

extension FileReport {
  /// Reports on JSON: an annotation, options, a model's shape, lists of videos, or predictions.
  static func document(_ path: String) throws -> FileReport {
    var (rows, first): (Int, JSON?) = (0, nil)
    do {
      try JSONLines.read(path: path) { _, row in
        if first == nil { first = row }
        rows += 1
      }
    } catch is DataError where rows == 0 {
      // The file may be one object over several lines.
      (rows, first) = (1, try JSON.read(path: path))
    }
    guard let first, let object = first.object else {
      throw DataError(
        rows == 0 ? "is empty" : "holds no objects", file: path, cure: "Give rows {\"key\": value, …}")
    }
    let tasks = TextStoreTask.holding(object)
    if let task = tasks.first {
      var report = FileReport(
        path: path, kind: "an annotation as of \(tasks.map(\.rawValue).joined(separator: ", "))")
      report.facts.append(("rows", "\(rows)"))
      report.use(
        "hero create-txtdb --task \(task.rawValue) --tokenizer FOLDER --output STORE --annotation", path)
      return report
    }
    return try single(path, object, rows)
  }

  private static func single(_ path: String, _ object: JSONObject, _ rows: Int) throws -> FileReport {
    if object.keys.contains(where: { ModelKeys.Part(rawValue: $0) != nil }) {
      var report = FileReport(path: path, kind: "a model's configuration")
      for part in ModelKeys.Part.allCases {
        guard let own = object[part.rawValue]?.object else { continue }
        let numbers = ["num_hidden_layers", "hidden_size", "vocab_size"].compactMap { key in
          own[key]?.int.map { "\(key) \($0)" }
        }
        report.facts.append((part.rawValue, numbers.joined(separator: ", ")))
      }
      report.use("hero finetune --model-config", path)
      return report
    }
    let parts = [object] + object.values.compactMap(\.object)
    let known = parts.map { $0.keys.filter { RunOptions.named($0) != nil } }.max { $0.count < $1.count } ?? []
    if known.count >= 2, !parts.contains(where: RunConfiguration.namesTask) {
      var report = FileReport(path: path, kind: "options of a run, of a task that they do not name")
      report.facts.append(("options", "\(known.count) are known"))
      report.use("hero eval --config", path)
      return report
    }
    if known.count >= 2 {
      let (configuration, warnings) = try RunConfiguration.load(file: path, arguments: [])
      var report = FileReport(path: path, kind: "the options of a run of \(configuration.task.rawValue)")
      report.facts.append(("options", "\(known.count) are known"))
      report.notes = warnings
      report.use(configuration.task == .pretrain ? "hero pretrain --config" : "hero finetune --config", path)
      return report
    }
    if object["pred_relevant_windows"] != nil || object["video2idx"] != nil {
      var report = FileReport(path: path, kind: "predictions")
      report.facts.append(("rows", "\(rows)"))
      report.use("hero eval --references ANNOTATION --predictions", path)
      return report
    }
    if object.values.allSatisfy({ $0.int != nil }) {
      var report = FileReport(path: path, kind: "a list of numbers by name, as of videos and their frames")
      report.facts.append(("names", "\(object.count)"))
      report.use("hero create-txtdb --task subtitles --vid2nframe", path)
      return report
    }
    if let splits = try? ListedVideo.splits(path: path) {
      var report = FileReport(path: path, kind: "a list of videos with their lengths, by split")
      report.facts = splits.map { ("split \($0.name)", "\($0.videos.count) videos") }
      report.use("hero create-txtdb --task subtitles --vid2dur-idx", path)
      return report
    }
    throw DataError(
      "is JSON with the keys \(object.keys.prefix(6).joined(separator: ", ")), which hero does not know",
      file: path,
      cure: "Give an annotation, options, a model's configuration, a list of videos or predictions")
  }

  static func subtitles(_ path: String) throws -> FileReport {
    var report = FileReport(path: path, kind: "subtitles")
    var notes: [String] = []
    let cues = try SubtitleFile.read(
      path: path, frameRate: { VideoBeside.frameRate(path, FileEndings.stem(of: path)) }
    ) { notes.append($0) }
    report.facts.append(("cues", "\(cues.count)"))
    if let last = cues.map(\.end).max() { report.facts.append(("until", MomentFormat.clock(last))) }
    report.notes = notes
    report.use("hero create-txtdb --task subtitles --tokenizer FOLDER --output STORE --annotation", path)
    return report
  }

  static func video(_ path: String) throws -> FileReport {
    let file = try VideoFile(path: path)
    var report = FileReport(path: path, kind: "a video")
    report.facts = [
      ("pictures", "\(file.width)×\(file.height), \(file.codec)"),
      ("length", file.duration.map(MomentFormat.clock) ?? "not said by the file"),
    ]
    for track in try VideoFile.subtitles(of: path) {
      report.facts.append(
        ("subtitles", "\(track.language ?? "of no stated language"), \(track.cues.count) cues"))
    }
    report.use("hero index --videos", path)
    return report
  }

  /// Reports on the features of one video; nil if the file holds something else.
  static func frames(_ path: String) throws -> FileReport? {
    guard let (rows, width) = try? FeatureFile.shape(path: path) else { return nil }
    let array = try FeatureFile(path: path)
    try array.array.requireFinite(file: path, parameter: "features")
    var report = FileReport(path: path, kind: "the features of a video")
    report.facts = [("frames", "\(rows)"), ("features", features(width))]
    report.notes = [array.note].compactMap { $0 }
    report.uses = ["hero convert-videodb --feature-dir FOLDER"]
    return report
  }
}
