import Engine
import Formats
import Foundation
import TestSupport
import Testing

@testable import Training

/// Tasks, splits and checks of a run share stores, which are opened once.
struct OpenedStoresTests {
  private let run: TinyRun

  init() throws { run = try TinyRun() }

  /// Copies what a test watches, because other tests read the golden files meanwhile.
  private func copy(_ path: String) throws -> String {
    let name = URL(fileURLWithPath: path).lastPathComponent
    try FileManager.default.copyItem(atPath: path, toPath: run.folder.path(name))
    return run.folder.path(name)
  }

  private func files(in folder: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.contains(".json") }
      .map { "\(folder)/\($0)" }
  }

  @Test func tasksShareTheirVideos() throws {
    var options = try run.options(.multitask)
    let golden = SharedData.golden.path
    let (features, subtitles) = (
      try copy("\(golden)/db/video_db/tv"), try copy(TinyRun.store("tv_subtitles"))
    )
    for key in ["train_datasets", "val_datasets"] {
      var entries = try #require(options[key]?.array)
      for place in entries.indices {
        // A trailing slash names the same store.
        entries[place]["vfeat_db"] = .string(place == 1 ? features + "/" : features)
        entries[place]["sub_txt_db"] = .string(subtitles)
      }
      options[key] = .array(entries)
    }
    (options["num_train_steps"], options["valid_steps"]) = (2, 2)
    let opens = try FileOpens(files(in: features) + files(in: subtitles))
    try run.train(.multitask, options)
    let counts = opens.counts()
    #expect(counts.count > 3 && counts.values.allSatisfy { $0 == 1 }, "\(counts)")
  }

  @Test func splitsMayBeOneStore() throws {
    var options = try run.options(.tvr)
    let store = try copy(TinyRun.store("tvr_val"))
    (options["val_query_txt_db"], options["test_query_txt_db"]) = (.string(store), .string(store))
    let opens = try FileOpens(files(in: store))
    try run.train(.tvr, options)
    let counts = opens.counts()
    #expect(counts.count > 2 && counts.values.allSatisfy { $0 == 1 }, "\(counts)")
  }

  @Test func listsAreReadOnce() throws {
    var options = try run.options(.pretrain)
    let lists = try ["tv_train", "tv_val"].map {
      try copy("\(SharedData.golden.path)/db/txt_db/pretrain_splits/\($0).json")
    }
    var target = run.target(["mlm", "fom"])
    var splits = try #require(target["splits"]?.array)
    (splits[0]["train_idx"], splits[0]["val_idx"]) = ([.string(lists[0])], .string(lists[1]))
    splits.append(splits[0])
    splits[1]["name"] = "again"
    target["splits"] = .array(splits)
    options["targets"] = [target]
    let opens = try FileOpens(lists)
    try run.train(.pretrain, options)
    #expect(opens.counts().values.sorted() == [1, 1])
  }

  /// Runs of an ensemble share the stores that they read.
  @Test func runsShareTheirStores() throws {
    var options = try run.options(.tvr)
    let subtitles = try copy(TinyRun.store("tv_subtitles"))
    options["sub_txt_db"] = .string(subtitles)
    try run.train(.tvr, options)
    let stores = OpenedStores()
    let runs = try (0..<2).map { _ in
      try SavedRun(path: run.folder.path("run"), for: .evaluation, log: Said().log, stores: stores)
    }
    let opens = try FileOpens(files(in: subtitles))
    _ = try EvaluationRun(runs, named: "twice").run(
      split: "val", store: TinyRun.store("tvr_val"), backend: try CPUBackend())
    let counts = opens.counts()
    #expect(counts.count > 2 && counts.values.allSatisfy { $0 == 1 }, "\(counts)")
  }
}

/// Counters of how often any process opens files for reading.
private struct FileOpens {
  private let descriptor: Int32
  private let files: [Int32: String]

  private static let (opened, closed): (UInt32, UInt32) = (0x20, 0x10)
  private static let nonBlocking: Int32 = 0o4000

  init(_ paths: [String]) throws {
    descriptor = inotify_init1(Self.nonBlocking)
    var files: [Int32: String] = [:]
    for path in paths {
      // inotify merges equal successive events, so the watch includes closing.
      let watch = inotify_add_watch(descriptor, path, Self.opened | Self.closed)
      try #require(watch >= 0)
      files[watch] = path
    }
    self.files = files
  }

  /// Returns how often each opened file was opened, and ends the watch.
  func counts() -> [String: Int] {
    var counts: [String: Int] = [:]
    var bytes = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = read(descriptor, &bytes, bytes.count)
      guard count > 0 else { break }
      bytes.withUnsafeBytes { events in
        for start in stride(from: 0, to: count, by: 16) {
          let watch = events.loadUnaligned(fromByteOffset: start, as: Int32.self)
          let mask = events.loadUnaligned(fromByteOffset: start + 4, as: UInt32.self)
          if mask & Self.opened != 0, let file = files[watch] { counts[file, default: 0] += 1 }
        }
      }
    }
    close(descriptor)
    return counts
  }
}
