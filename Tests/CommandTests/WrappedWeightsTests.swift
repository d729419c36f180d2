import Foundation
import TestSupport
import Testing

@testable import Formats

/// One model, saved in each of the usual ways, is evaluated alike.
@Suite(.ownThreads) struct WrappedWeightsTests {
  private let corpus: SmallCorpus
  private var folder: TemporaryFolder { corpus.folder }
  private let weights: [(name: String, array: NDArray)]
  /// The figures of the run's own checkpoint.
  private let figures: String

  init() throws {
    corpus = try SmallCorpus()
    try corpus.run([
      "finetune", "--config", "finetune.json", "--num-train-steps", "1", "--valid-steps", "1", "--output-dir",
      "run",
    ])
    let own = corpus.folder.path("run/ckpt/model_step_1.safetensors")
    weights = try Safetensors.read(path: own).tensors.map { ($0.name, $0.array) }
    figures = try Self.figures(of: Self.evaluate(own, in: corpus))
  }

  /// Returns the printed figures without the path of the results, which has the checkpoint's name.
  private static func figures(of run: HeroProcess) throws -> String {
    var figures = try JSON.parse(Array(run.output.utf8), file: "")
    #expect(figures["results"] != nil)
    figures["results"] = nil
    return figures.encoded()
  }

  private static func evaluate(_ checkpoint: String, in corpus: SmallCorpus) throws -> HeroProcess {
    try corpus.run([
      "eval", "--split", "val", "--query-txt-db", "txt_db/val.db", "--output-dir", "run", "--json",
      "--overwrite",
      "--checkpoint", checkpoint,
    ])
  }

  /// Evaluates a checkpoint, and returns what standard error says.
  private func told(_ name: String, sourceLocation: SourceLocation = #_sourceLocation) throws -> String {
    let run = try Self.evaluate(folder.path(name), in: corpus)
    #expect(
      try Self.figures(of: run) == figures, "\(name): \(run.errors)", sourceLocation: sourceLocation)
    return run.errors
  }

  private func safetensors(_ arrays: [(name: String, array: NDArray)], to name: String) throws {
    let url = URL(fileURLWithPath: folder.path(name))
    try FileManager.default.createDirectory(
      at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Safetensors.write(path: url.path, tensors: arrays)
  }

  /// Writes a PyTorch file with the model's state under nested keys.
  private func torch(_ keys: [String], prefix: String = "", to name: String) throws {
    var value = TorchFile.dictionary(
      weights.enumerated().map { (prefix + $1.name, TorchFile.tensor("\($0)", $1.array.shape)) })
    for key in keys.reversed() {
      value = TorchFile.dictionary([("epoch", TorchFile.number(3)), (key, value)])
    }
    var file = TorchFile(root: value)
    for (number, weight) in weights.enumerated() { file.storages["\(number)"] = weight.array.floats() }
    try file.write(to: folder.path(name))
  }

  @Test(.timeLimit(.minutes(30))) func everyWayIsTheModel() throws {
    try torch([], to: "plain.pt")
    _ = try told("plain.pt")
    for key in ["model", "state_dict", "module", "net"] {
      try torch([key], to: "\(key).pt")
      #expect(try told("\(key).pt").contains(key))
    }
    try torch(["state_dict"], prefix: "module.", to: "both.pt")
    #expect(try told("both.pt").contains("module."))
    for prefix in ["module.", "_orig_mod.", "model."] {
      try safetensors(weights.map { (prefix + $0.name, $0.array) }, to: "prefix.safetensors")
      #expect(try told("prefix.safetensors").contains(prefix))
    }
    try NPZ.write(path: folder.path("weights.npz"), weights)
    _ = try told("weights.npz")
  }

  @Test(.timeLimit(.minutes(30))) func shardsAreTheModel() throws {
    let half = weights.count / 2
    let names = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    try safetensors(Array(weights[..<half]), to: "sharded/\(names[0])")
    try safetensors(Array(weights[half...]), to: "sharded/\(names[1])")
    _ = try told("sharded/\(names[0])")
    let map = JSON.object(
      JSONObject(weights.enumerated().map { (key: $1.name, value: .string(names[$0 < half ? 0 : 1])) }))
    _ = try folder.file(
      "sharded/model.safetensors.index.json", (["metadata": [:], "weight_map": map] as JSON).encoded())
    _ = try told("sharded")
    _ = try told("sharded/model.safetensors.index.json")
    _ = try told("sharded/\(names[1])")
    // A missing shard ends the evaluation with its name.
    try FileManager.default.removeItem(atPath: folder.path("sharded/\(names[0])"))
    let refused = try HeroProcess(
      arguments: [
        "eval", "--split", "val", "--query-txt-db", "txt_db/val.db", "--output-dir", "run", "--checkpoint",
        "sharded",
      ], folder: folder.root)
    #expect(refused.status == 1 && refused.errors.contains(names[0]), "\(refused.errors)")
  }
}
