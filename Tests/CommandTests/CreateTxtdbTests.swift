import Formats
import Foundation
import TestSupport
import Testing

@Suite(.ownThreads) struct CreateTxtdbTests {
  private let folder: TemporaryFolder

  private static let corpus = SharedData.golden.appendingPathComponent("corpus").path

  init() throws { folder = try TemporaryFolder() }

  private func words(_ corpus: String, _ more: String...) -> [String] {
    [
      "create-txtdb", "--annotation", "\(corpus)/ann/tvr_val.jsonl", "--tokenizer", "\(corpus)/tokenizer",
      "--output", "\(folder.root)/tvr_val.db",
    ] + more
  }

  @Test
  func aStoreIsMadeOnceAndNeverOverwritten() throws {
    let arguments = words(Self.corpus, "--task", "tvr", "--compression", "lz4")
    let run = try HeroProcess(arguments: arguments)
    #expect(run.status == 0, "\(run.errors)")
    let golden = SharedData.golden.appendingPathComponent("db/txt_db/tvr_val.db").path
    let (made, expected) = (try LMDBReader(path: "\(folder.root)/tvr_val.db"), try LMDBReader(path: golden))
    #expect(made.count == expected.count)
    #expect(run.output.contains("\(made.count) rows stored, 0 skipped"))

    let again = try HeroProcess(arguments: arguments)
    #expect(again.status == 1)
    #expect(again.errors.contains("tvr_val.db: exists already"))
  }

  @Test
  func subtitlesTakeTheReferencesSpelling() throws {
    let corpus = Self.corpus
    let run = try HeroProcess(
      "create-txtdb", "--task", "subtitles", "--annotation", "\(corpus)/ann/tv_subtitles.jsonl", "--toker",
      "\(corpus)/tokenizer", "--output", "\(folder.root)/s.db", "--vid2nframe",
      "\(corpus)/ann/tv_vid2nframe.json",
      "--frame_length", "1.5", "--vid2dur_idx=\(corpus)/ann/vid2dur_idx.json")
    #expect(run.status == 0, "\(run.errors)")
    for name in ["data.mdb", "meta.json", "vid2len.json", "vid2dur_idx.json"] {
      #expect(FileManager.default.fileExists(atPath: "\(folder.root)/s.db/\(name)"), "\(name)")
    }
  }

  @Test func badInputLeavesNothingBehind() throws {
    let run = try HeroProcess(arguments: words(folder.root, "--task", "tvr"))
    #expect(run.status == 1)
    #expect(run.errors.hasPrefix("hero: error: \(folder.root)/"))
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.root).isEmpty)
  }

  @Test(arguments: [
    ["--task", "tvs"], ["--task", "subtitles"], ["--task", "tvc"], ["--task", "tvr", "--frame-length", "0"],
  ])
  func wrongCommandLinesExitWithTwo(more: [String]) throws {
    let run = try HeroProcess(arguments: words(folder.root) + more)
    #expect(run.status == 2, "\(run.errors)")
  }
}
