import Corpus
import Formats
import Foundation
import TestSupport
import Testing

/// Unusable items of a split are skipped by name and reported, in training and in evaluation.
@Suite(.ownThreads) struct LeftOutCommandTests {
  private let corpus: SmallCorpus
  private var folder: TemporaryFolder { corpus.folder }

  init() throws { corpus = try SmallCorpus() }

  private var training: [String] {
    ["finetune", "--config", "finetune.json", "--num-train-steps", "2", "--valid-steps", "2"]
  }

  private func rows(_ name: String) throws -> [JSONObject] {
    try JSONLines.values(path: folder.path("corpus/ann/\(name).jsonl")).compactMap(\.object)
  }

  private func store(_ rows: [JSONObject], _ name: String) throws {
    let file = try folder.file("\(name).jsonl", rows.map { JSON.object($0).encoded() + "\n" }.joined())
    try corpus.run([
      "create-txtdb", "--task", "tvr", "--annotation", file, "--output", "txt_db/\(name).db", "--tokenizer",
      "corpus/tokenizer",
    ])
  }

  /// Makes the first number of a stored video NaN.
  private func poison(_ video: String) throws {
    let store = try FeatureStore(path: folder.path("video_db/tv"))
    let (file, values) = (store.path + "/data.mdb", try store.features(of: video).values)
    let array = NDArray(floats: values, shape: [values.count])
    var bytes = try Data(contentsOf: URL(fileURLWithPath: file))
    for (stored, nan) in [
      (array.bytes, [0, 0, 0xC0, 0x7F]), (array.asFloat16().bytes, [0, 0x7E]),
    ]
      as [([UInt8], [UInt8])]
    {
      while let place = bytes.range(of: Data(stored)) {
        bytes.replaceSubrange(place.lowerBound..<place.lowerBound + nan.count, with: nan)
      }
    }
    try bytes.write(to: URL(fileURLWithPath: file))
    #expect(throws: DataError.self) { try FeatureStore(path: store.path).features(of: video) }
  }

  @Test(.timeLimit(.minutes(30))) func aSplitWithWhatCannotBeUsed() throws {
    var queries = try rows("tvr_val")
    let bad = try #require(queries[0]["vid_name"]?.string)
    let stranger = try #require(try rows("tvr_train")[0]["vid_name"])
    // A query longer than the model's 200 positions, and one about a video of another split.
    let others = queries.indices.filter { queries[$0]["vid_name"]?.string != bad }.prefix(2)
    queries[others[0]]["desc"] = .string(String(repeating: "somebody waits ", count: 150))
    queries[others[1]]["vid_name"] = stranger
    try store(queries, "mixed")
    // The side files list a row that the store lacks.
    let lengths = folder.path("txt_db/mixed.db/id2len.json")
    var listed = try #require(try JSON.read(path: lengths).object)
    listed["no row"] = 3
    try JSON.object(listed).encoded().write(toFile: lengths, atomically: false, encoding: .utf8)
    try poison(bad)

    let lost = queries.count { $0["vid_name"]?.string == bad } + 3
    let asked = queries.count + 1
    let ids = try Set(
      queries.filter { $0["vid_name"]?.string == bad }.map { try #require($0["desc_id"]?.int) }
        + others.map { try #require(queries[$0]["desc_id"]?.int) })
    let trained = try corpus.run(
      training + ["--output-dir", "run", "--val-query-txt-db", "txt_db/mixed.db"])
    let evaluated = try corpus.run([
      "eval", "--split", "val", "--query-txt-db", "txt_db/mixed.db", "--output-dir", "run", "--json",
    ])
    for said in [trained.errors, evaluated.errors] {
      #expect(said.contains("left out: ") && said.contains("video \"\(bad)\": frame 0 holds nan"), "\(said)")
      #expect(said.contains("val: 1 of 6 candidate videos are left out"))
      #expect(said.contains("val: the figures count \(asked - lost) of \(asked) queries"), "\(said)")
      #expect(said.contains("tokens, the model reads 200"))
    }
    let results = try JSON.read(
      path: try #require(JSON.parse(evaluated.output, file: "")["results"]?.string).absolute(in: folder))
    for ranking in ["VCMR", "SVMR", "VR"] {
      let rows = try #require(results[ranking]?.array)
      #expect(rows.count == asked - lost, "\(ranking)")
      #expect(rows.allSatisfy { !ids.contains($0["desc_id"]?.int ?? -1) })
    }
    #expect(results["video2idx"]?.object?.count == 6)
  }

  /// A run without usable data fails before training and leaves nothing behind.
  @Test(.timeLimit(.minutes(30))) func whatAValidationLacksIsSaidAtTheStart() throws {
    let refused: [(arguments: [String], said: String)] = [
      (["--val-query-txt-db", "txt_db/none.db"], "none.db"),
      (["--max-txt-len", "1"], "no item can be trained on"),
    ]
    for (arguments, said) in refused {
      let run = try HeroProcess(
        arguments: training + ["--output-dir", "deep/run"] + arguments, folder: folder.root)
      #expect(run.status == 1 && run.errors.contains(said), "\(run.errors)")
      #expect(!FileManager.default.fileExists(atPath: folder.path("deep")))
    }
    try FileManager.default.createDirectory(
      atPath: folder.path("own/log"), withIntermediateDirectories: true)
    _ = try folder.file("own/log/model_config.json", "mine")
    let taken = try HeroProcess(arguments: training + ["--output-dir", "own"], folder: folder.root)
    #expect(taken.status == 1 && taken.errors.contains("own/log/model_config.json: is in the way"))
    #expect(
      try FileManager.default.subpathsOfDirectory(atPath: folder.path("own")).sorted() == [
        "log", "log/model_config.json",
      ])
  }

  /// Results of an earlier evaluation stay, and no output overwrites a file.
  @Test(.timeLimit(.minutes(30))) func nothingIsWrittenOver() throws {
    try corpus.run(training + ["--output-dir", "run"])
    func eval(_ more: String...) throws -> HeroProcess {
      try HeroProcess(
        arguments: ["eval", "--split", "val", "--query-txt-db", "txt_db/val.db", "--output-dir", "run"]
          + more,
        folder: folder.root)
    }
    let results = folder.path("run/results_val/results_2_all.json")
    #expect(try eval().status == 0)
    let first = try FileBytes.read(path: results)
    let other = try eval("--nms-thd", "0.1")
    #expect(other.status == 0 && other.errors.contains("results_2_all.2.json"), "\(other.errors)")
    // The same evaluation again reuses the file.
    #expect(try eval().status == 0)
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path("run/results_val")).count == 2)
    #expect(try FileBytes.read(path: results) == first)
    #expect(try eval("--nms-thd", "0.1", "--overwrite").status == 0)
    #expect(try FileBytes.read(path: results) != first)

    let mine = try folder.file("submission.json", "mine")
    let refused = try eval("--submission", "submission.json")
    #expect(
      refused.status == 1 && refused.errors.contains("submission.json: exists already. Give --overwrite"))
    let profile = try eval("--profile", "submission.json")
    #expect(profile.status == 1 && profile.errors.contains("submission.json: exists already"))
    #expect(try FileBytes.read(path: mine) == Array("mine".utf8))
    let late = try eval("--submission", "none/submission.json")
    #expect(late.status == 1 && late.errors.contains("its folder is not there"))
    let caption = try HeroProcess(
      "caption", "--model-dir", "run", "--target-clip", "corpus/ann/tvc_val.jsonl", "--output",
      "submission.json", folder: folder.root)
    #expect(caption.status == 1 && caption.errors.contains("submission.json: exists already"))
    #expect(try eval("--submission", "submission.json", "--overwrite").status == 0)
    #expect(try FileBytes.read(path: mine) != Array("mine".utf8))
  }

  /// With a weight that overflows, results are finite logarithms in the right order.
  @Test(.timeLimit(.minutes(30))) func anyWeightOfVideos() throws {
    try corpus.run(training + ["--output-dir", "run"])
    let run = try corpus.run([
      "eval", "--split", "val", "--query-txt-db", "txt_db/val.db", "--output-dir", "run", "--q2c-alpha",
      "1000",
      "--nms-thd", "-1",
    ])
    #expect(run.errors.contains("scores of VCMR and VR are logarithms"))
    let text = try String(contentsOfFile: folder.path("run/results_val/results_2_all.json"), encoding: .utf8)
    // Foundation's parser accepts neither NaN nor Infinity.
    let results = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    let rows = try #require(results["VCMR"] as? [[String: Any]])
    for row in rows {
      let scores = try #require(row["predictions"] as? [[Double]]).map { $0[3] }
      #expect(scores.count == 100 && zip(scores, scores.dropFirst()).allSatisfy { $0 >= $1 })
    }
  }
}

extension String {
  fileprivate func absolute(in folder: TemporaryFolder) -> String {
    hasPrefix("/") ? self : folder.path(self)
  }
}
