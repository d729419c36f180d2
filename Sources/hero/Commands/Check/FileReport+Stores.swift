import Corpus
import Formats
import Foundation
import Search
import Text
import Training

extension FileReport {
  static func run(_ folder: RunFolder) throws -> FileReport {
    let configuration = try folder.configuration()
    var report = FileReport(path: folder.path, kind: "a run of \(configuration.task.rawValue)")
    let saved = folder.savedCheckpoints()
    report.facts.append(("checkpoints", saved.isEmpty ? "none" : saved.map(\.name).joined(separator: ", ")))
    if let best = folder.best() {
      report.facts.append(("best", "\(best.step), \(best.metric) \(best.value)"))
    }
    if let newest = saved.last {
      let checkpoint = try FileReport(newest.path)
      report.facts += checkpoint.facts.map { ("\(newest.name): \($0.name)", $0.value) }
      report.notes = checkpoint.notes
    }
    if let saved = try folder.latestState(warn: { report.notes.append($0) }) {
      report.facts.append(("\(saved.state.step): without a gradient", try Self.withoutGradient(saved)))
    }
    let stores = [configuration.videos, configuration.subtitles].compactMap { $0 }
    report.notes += stores.filter { !FileManager.default.fileExists(atPath: $0) }.map {
      "\($0), which it was trained on, is not there from this folder"
    }
    guard !saved.isEmpty, configuration.family.isSingle else { return report }
    report.use("hero eval --split val --query-txt-db STORE --output-dir", folder.path)
    if configuration.family == .momentRetrieval || configuration.family == .videoRetrieval {
      report.use("hero index --output FILE --model-dir", folder.path)
    }
    return report
  }

  private static func withoutGradient(_ saved: SavedTrainingState) throws -> String {
    let (names, count) = try saved.parametersWithoutGradient()
    guard !names.isEmpty else { return "none of \(count) arrays" }
    return "\(names.count) of \(count) arrays: \(names.listed(4))"
  }

  /// Reports on a single feature store.
  static func features(_ path: String) throws -> FileReport {
    guard FrameCountFile.find(store: path) != nil else {
      let reader = try LMDBReader(path: path)
      throw DataError(
        "is an LMDB of \(reader.count) entries, such as \(try reader.someKeys().first?.spelled ?? "none"), with neither "
          + "meta.json nor id2nframe.json",
        file: path, cure: "Copy what lay beside it where the store was made")
    }
    let store = try FeatureStore(path: path)
    var report = FileReport(path: path, kind: "a store of features")
    try report.add(store)
    return report
  }

  /// Reports on the feature stores of one corpus.
  static func stores(_ path: String, _ names: [String]) throws -> FileReport {
    var report = FileReport(path: path, kind: "a folder of \(names.count) stores of features")
    for name in names {
      var own = FileReport(path: path, kind: "")
      try own.add(try FeatureStore(path: "\(path)/\(name)"))
      report.facts += own.facts.map { ("\(name): \($0.name)", $0.value) }
    }
    report.uses = ["hero finetune --vfeat-db \(ShellWords.line([path]))"]
    return report
  }

  /// Reports on a folder with a feature file for each video; nil for any other folder.
  static func featureFiles(_ path: String, _ names: FolderNames) throws -> FileReport? {
    let parts = names.entries.filter { $0.kind == .folder && $0.name.hasSuffix("_features") }.map(\.name)
    var report = FileReport(path: path, kind: "a folder of features, a file a video")
    if !parts.isEmpty {
      report.facts.append(("networks", parts.joined(separator: ", ")))
      report.uses = ["hero convert-videodb --feature-dir \(ShellWords.line([path])) --output FOLDER"]
      return report
    }
    let files = names.entries.filter { ["npz", "npy"].contains(ending(of: $0.name)) }.map(\.name)
    guard let first = files.first else { return nil }
    report.facts.append(("videos", "\(files.count)"))
    if let shape = try FeatureFile.shape(path: "\(path)/\(first)") {
      report.facts.append(("features", features(shape.width)))
    }
    report.uses = ["hero convert-videodb --feature-dir FOLDER --output FOLDER"]
    return report
  }

  private mutating func add(_ store: FeatureStore) throws {
    let videos = store.videos
    let frames = videos.reduce(0) { $0 + (store.frameCount(of: $1) ?? 0) }
    facts.append(("videos", "\(videos.count) with \(frames) frames"))
    if let first = videos.first(where: store.contains) {
      let read = try store.features(of: first)
      facts.append(("features", Self.features(read.width)))
    }
    if uses.isEmpty { use("hero finetune --vfeat-db", path) }
  }

  // MARK: Texts

  static func texts(_ path: String) throws -> FileReport {
    let meta = try StoreMeta(path: path + "/meta.json")
    let task = meta.task.flatMap(TextStoreTask.init(rawValue:))
    var report = FileReport(path: path, kind: "a store of texts" + (meta.task.map { " of \($0)" } ?? ""))
    // As the reference's does, its meta.json names the corpus.
    if FileManager.default.fileExists(atPath: path + "/vid2len.json") {
      let store = try SubtitleStore(path: path)
      report.kind = "a store of subtitles"
      report.facts.append(("videos", "\(try LMDBReader(path: path).count)"))
      for (name, videos) in store.splits ?? [] {
        report.facts.append(("split \(name)", "\(videos.count) videos"))
      }
      report.uses = ["hero finetune --sub-txt-db \(ShellWords.line([path]))"]
    } else {
      report.facts.append(("items", "\(try LMDBReader(path: path).count)"))
      let option = task?.takesNoCandidates == true ? "--train-db" : "--train-query-txt-db"
      report.uses = [
        "hero finetune \(option) \(ShellWords.line([path]))",
        "hero eval --query-txt-db \(ShellWords.line([path]))",
      ]
    }
    if let tokenizer = meta.tokenizer { report.facts.append(("tokenizer", tokenizer.folder)) }
    report.facts.append(
      ("words", "ids \(meta.vRange.lowerBound) to \(meta.vRange.upperBound - 1), and special ones"))
    return report
  }

  static func tokenizer(_ path: String) throws -> FileReport {
    let tokenizer = try Tokenizer(directory: path)
    var report = FileReport(path: path, kind: "a tokenizer of byte pairs")
    report.facts = [
      ("words", "\(tokenizer.vocabularySize)"), ("files", tokenizer.files.joined(separator: ", ")),
    ]
    report.uses = ["hero create-txtdb --tokenizer \(ShellWords.line([path]))"]
    return report
  }

  // MARK: Indexes

  static func index(_ path: String) throws -> FileReport {
    let index = try IndexFile(path: path)
    var report = FileReport(path: path, kind: "an index, made with \(index.head.origin)")
    report.facts = [
      ("videos", "\(index.count) with \(index.rows) frames, one every \(index.head.frameInterval) s")
    ]
    report.uses = ["hero search --index \(ShellWords.line([path])) QUERY"]
    report.use("hero serve --index", path)
    report.use("hero index --check --output", path)
    return report
  }
}
