import Formats
import Foundation
import TestSupport
import Testing

@testable import Corpus

/// The feature stores of the golden corpus, made again from its feature files.
@Suite struct VideoStoreGoldenTests {
  /// The golden folder's feature stores, each with its dataset.
  static let stores: [(dataset: String, store: String)] = {
    let golden = SharedData.golden
    let root = golden.appendingPathComponent("db/video_db").path
    return subfolders(root).flatMap { dataset in
      subfolders(root + "/" + dataset).map { (dataset: dataset, store: $0) }
    }
  }()

  private static func subfolders(_ path: String) -> [String] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
    return names.sorted().filter {
      (try? FileManager.default.contentsOfDirectory(atPath: "\(path)/\($0)")) != nil
    }
  }

  @Test
  func thereAreStores() {
    #expect(Self.stores.count >= 2)
  }

  @Test(arguments: stores.indices, ["folder", "info"])
  func makesTheStoreOfTheReference(_ number: Int, _ kind: String) throws {
    let golden = SharedData.golden
    let (dataset, store) = Self.stores[number]
    let expected = golden.appendingPathComponent("db/video_db/\(dataset)").path
    let scratch = try TemporaryFolder()
    let info = expected + "/video_feat_info.pkl"
    var options = VideoStoreOptions(
      source: kind == "info"
        ? .infoFile(info) : .folder(golden.appendingPathComponent("corpus/features").path),
      output: scratch.path("video_db"), dataset: dataset)
    options.compress = store.hasSuffix("_compressed")
    // NAME_SECONDS or NAME_SECONDS_compressed
    let parts = store.split(separator: "_").filter { $0 != "compressed" }
    options.frameLength = try #require(Double(parts.last ?? ""))
    options.featVersion = parts.dropLast().joined(separator: "_")
    let report = try VideoStoreBuilder(options).run { Issue.record("skipped \($0)") }
    #expect(report.path == scratch.path("video_db/\(dataset)/\(store)"))
    try compareEntries(report.path, with: "\(expected)/\(store)", isCompressed: options.compress)
    let counts = scratch.path("video_db/\(dataset)/id2nframe.json")
    let expectedCounts = "\(expected)/id2nframe.json"
    if kind == "info" {
      #expect(try FileBytes.read(path: counts) == FileBytes.read(path: expectedCounts))
    } else {
      #expect(try sorted(counts) == sorted(expectedCounts))
    }
  }

  private func sorted(_ path: String) throws -> [String: Int] {
    let object = try #require(try JSON.read(path: path).object)
    return Dictionary(object.map { ($0.key, $0.value.int ?? -1) }, uniquingKeysWith: { $1 })
  }

  private func compareEntries(_ made: String, with expected: String, isCompressed: Bool) throws {
    let (ours, theirs) = (try LMDBReader(path: made), try LMDBReader(path: expected))
    #expect(ours.count == theirs.count)
    for (name, value) in try storeEntries(expected) {
      let own = try #require(try ours.get(name), "\(name)")
      if isCompressed {
        #expect(
          try NPZ.read(bytes: own, name: "features") == NPZ.read(bytes: value, name: "features"), "\(name)")
      } else {
        #expect(own == value, "\(name)")
      }
    }
  }
}
