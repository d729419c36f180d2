import Engine
import Formats
import Foundation
import TestSupport
import Testing

@testable import Training

/// Stores that every validation measures, and the splits of their videos.
struct TestStoreTests {
  private func result(_ run: TinyRun, _ name: String) -> JSON? {
    try? JSON.read(path: run.folder.path("run/results/\(name)"))
  }

  @Test(arguments: [RunTask.tvqa, .violin]) func questionsAndStatementsAreReported(task: RunTask) throws {
    let run = try TinyRun()
    let (_, said) = try run.train(task, run.options(task))
    for split in ["val", "test"] {
      #expect(result(run, "\(split)_results_2.json")?.object?.isEmpty == false)
      #expect(said.contains("\(split), update 2"))
    }
    let events = try FileManager.default.contentsOfDirectory(atPath: run.folder.path("run/log"))
      .filter { $0.hasPrefix("events") }
    let bytes = try Data(contentsOf: URL(fileURLWithPath: run.folder.path("run/log/\(events[0])")))
    let name = task == .violin ? "test_violin/valid/test_acc" : "test_tvqa/valid/acc"
    #expect(bytes.range(of: Data(name.utf8)) != nil)
  }

  /// A test store is measured without a validation store, which would choose the best checkpoint.
  @Test func aTestStoreAlone() throws {
    let run = try TinyRun()
    var options = try run.options(.tvqa)
    options["val_query_txt_db"] = nil
    try run.train(.tvqa, options)
    #expect(result(run, "test_results_2.json") != nil && result(run, "val_results_2.json") == nil)
  }

  /// Returns a copy of the reference's subtitle store with a changed `vid2dur_idx.json`.
  private func subtitles(_ run: TinyRun, _ change: (inout JSON) -> Void) throws -> JSON {
    let path = run.folder.path("subtitles.db")
    try FileManager.default.copyItem(atPath: TinyRun.store("tv_subtitles"), toPath: path)
    var splits = try JSON.read(path: "\(path)/vid2dur_idx.json")
    change(&splits)
    try AtomicFile.write(splits.encoded(), to: "\(path)/vid2dur_idx.json")
    return .string(path)
  }

  private static func rename(_ splits: inout JSON) {
    splits["test_public"] = splits["test"]
    splits["test"] = nil
  }

  /// TVR's own name of its test split is found.
  @Test func theSplitOfAStoreIsFound() throws {
    let run = try TinyRun()
    var options = try run.options(.tvr)
    options["sub_txt_db"] = try subtitles(run, Self.rename)
    let (_, said) = try run.train(.tvr, options)
    #expect(said.contains("the split \"test_public\""))
    let plain = try TinyRun()
    try plain.train(.tvr, plain.options(.tvr))
    #expect(result(run, "test_results_2.json") == result(plain, "test_results_2.json"))
  }

  @Test func theSplitIsNamed() throws {
    let run = try TinyRun()
    var options = try run.options(.tvr)
    options["sub_txt_db"] = try subtitles(run) { $0["other"] = $0["test"] }
    options["test_split"] = "other"
    let (_, said) = try run.train(.tvr, options)
    #expect(said.contains("the split \"other\""))
  }

  /// An unknown or ambiguous split is refused before training.
  @Test(arguments: ["tset", nil]) func noSplitIsGuessed(name: String?) throws {
    let run = try TinyRun()
    var options = try run.options(.tvr)
    options["sub_txt_db"] = try subtitles(run) { splits in
      Self.rename(&splits)
      splits["test_private"] = splits["test_public"]
    }
    options["test_split"] = name.map { .string($0) }
    let error = #expect(throws: DataError.self) { try run.train(.tvr, options) }
    #expect(error?.description.contains("test_public, test_private") == true)
    #expect(!FileManager.default.fileExists(atPath: run.folder.path("run/ckpt")))
  }
}
