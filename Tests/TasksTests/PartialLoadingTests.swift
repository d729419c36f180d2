import Engine
import Formats
import Foundation
import Model
import TestSupport
import Testing

/// Starting points other than a checkpoint of the very model.
struct PartialLoadingTests {
  private static let (width, words) = (8, 13)

  private func model(layers: Int = 6, framePositions: Int = 10) throws -> RetrievalModel {
    let cross = TransformerConfiguration(
      hiddenSize: Self.width, layers: layers, heads: 2, intermediateSize: 12, positions: 20,
      vocabulary: Self.words)
    let temporal = TransformerConfiguration(
      hiddenSize: Self.width, layers: 1, heads: 2, intermediateSize: 12, positions: framePositions)
    let model = RetrievalModel(
      ModelConfiguration(
        cross: cross, temporal: temporal, query: cross, featureWidth: 5, framePositions: framePositions),
      backend: try CPUBackend())
    model.store.initialize(seed: 1)
    return model
  }

  private func values(_ model: RetrievalModel, _ name: String) throws -> [Float] {
    model.store.values(of: try #require(model.store[name], "\(name)"))
  }

  /// A RoBERTa of 12 layers by Hugging Face's names; array n is full of n, but for the type table.
  private func roberta(prefix: String = "roberta.", oldNorms: Bool = false) -> [(
    name: String, array: NDArray
  )] {
    let (width, inner) = (Self.width, 12)
    let (scale, shift) = oldNorms ? ("gamma", "beta") : ("weight", "bias")
    var shapes: [(String, [Int])] = [
      ("\(prefix)embeddings.word_embeddings.weight", [Self.words, width]),
      ("\(prefix)embeddings.position_embeddings.weight", [24, width]),
      ("\(prefix)embeddings.position_ids", [1, 24]),
      ("\(prefix)embeddings.LayerNorm.\(scale)", [width]),
      ("\(prefix)embeddings.LayerNorm.\(shift)", [width]),
      ("lm_head.bias", [Self.words]), ("lm_head.dense.weight", [width, width]),
      ("lm_head.dense.bias", [width]),
      ("lm_head.layer_norm.weight", [width]), ("lm_head.layer_norm.bias", [width]),
      ("lm_head.decoder.weight", [Self.words, width]), ("classifier.weight", [2, width]),
    ]
    for layer in 0..<12 {
      let name = "\(prefix)encoder.layer.\(layer)"
      for part in ["query", "key", "value"] {
        shapes += [
          ("\(name).attention.self.\(part).weight", [width, width]),
          ("\(name).attention.self.\(part).bias", [width]),
        ]
      }
      for (part, inputs, outputs) in [
        ("attention.output.dense", width, width), ("intermediate.dense", width, inner),
        ("output.dense", inner, width),
      ] {
        shapes += [("\(name).\(part).weight", [outputs, inputs]), ("\(name).\(part).bias", [outputs])]
      }
      for part in ["attention.output", "output"] {
        shapes += [
          ("\(name).\(part).LayerNorm.\(scale)", [width]), ("\(name).\(part).LayerNorm.\(shift)", [width]),
        ]
      }
    }
    let arrays = shapes.enumerated().map { number, entry in
      (
        name: entry.0,
        array: NDArray(
          floats: [Float](repeating: Float(number + 1), count: entry.1.reduce(1, *)), shape: entry.1)
      )
    }
    let types = NDArray(floats: (0..<width).map { Float($0) }, shape: [1, width])
    return arrays + [("\(prefix)embeddings.token_type_embeddings.weight", types)]
  }

  private func checkpoint(_ arrays: [(name: String, array: NDArray)], _ folder: TemporaryFolder) throws
    -> Checkpoint
  {
    let path = folder.path("model.safetensors")
    try Safetensors.write(path: path, tensors: arrays)
    return try Checkpoint(path: path)
  }

  @Test(arguments: [("roberta.", false), ("", false), ("roberta.", true)], [true, false])
  func takesARobertasLayers(_ names: (prefix: String, oldNorms: Bool), skipping: Bool) throws {
    let (prefix, folder) = (names.prefix, try TemporaryFolder())
    let arrays = roberta(prefix: prefix, oldNorms: names.oldNorms)
    let checkpoint = try checkpoint(arrays, folder)
    #expect(checkpoint.isLanguageModel)
    let (model, fresh) = (try model(), try model())
    let report = try model.store.start(from: checkpoint, layers: 6, skippingLayers: skipping)
    let given = Dictionary(uniqueKeysWithValues: arrays.map { ($0.name, $0.array.floats()) })
    let encoder = "v_encoder.f_encoder"
    for layer in 0..<6 {
      let source = skipping ? 2 * layer + 1 : layer
      for part in ["attention.self.query.weight", "intermediate.dense.bias", "output.dense.weight"] {
        #expect(
          try values(model, "\(encoder).encoder.layer.\(layer).\(part)")
            == given["\(prefix)encoder.layer.\(source).\(part)"])
      }
      let norm = names.oldNorms ? "gamma" : "weight"
      #expect(
        try values(model, "\(encoder).encoder.layer.\(layer).output.LayerNorm.weight")
          == given["\(prefix)encoder.layer.\(source).output.LayerNorm.\(norm)"])
    }
    // Vocabulary rows are padded with zeros, both type rows are the one there is, positions come as far as both go.
    let words = try #require(given["\(prefix)embeddings.word_embeddings.weight"])
    let padding = [Float](repeating: 0, count: (16 - Self.words) * Self.width)
    #expect(try values(model, "\(encoder).embeddings.word_embeddings.weight") == words + padding)
    let type = (0..<Self.width).map { Float($0) }
    #expect(try values(model, "\(encoder).embeddings.token_type_embeddings.weight") == type + type)
    let positions = try #require(given["\(prefix)embeddings.position_embeddings.weight"])
    #expect(
      try values(model, "\(encoder).embeddings.position_embeddings.weight")
        == Array(positions.prefix(20 * Self.width)))
    #expect(report.resized.map(\.name) == ["\(encoder).embeddings.position_embeddings.weight"])
    #expect(try values(model, "\(encoder).lm_head.LayerNorm.bias") == given["lm_head.layer_norm.bias"])
    #expect(report.mismatched.isEmpty)
    #expect(report.unused.contains("classifier.weight"))
    #expect(report.unused.count == 1 + 6 * 16)
    #expect(report.loaded.count + report.resized.count == arrays.count - report.unused.count - 2)
    // The rest keeps what it had.
    #expect(report.missing.contains("v_encoder.frame_transform.net.1.weight"))
    let kept = "video_query_linear.weight"
    #expect(try values(model, kept) == values(fresh, kept))
    #expect(
      Set(report.loaded + report.missing + report.resized.map(\.name))
        == Set(model.store.parameters.map(\.name)))
  }

  /// Files that name tied arrays only once, by the head's name.
  @Test func tiedArraysMayHaveTheHeadsNames() throws {
    let folder = try TemporaryFolder()
    let arrays = roberta().filter { $0.name != "lm_head.bias" }
    let bias = NDArray(floats: [Float](repeating: -1, count: Self.words), shape: [Self.words])
    let model = try model()
    let report = try model.store.start(
      from: try checkpoint(arrays + [("lm_head.decoder.bias", bias)], folder), layers: 6, skippingLayers: true
    )
    #expect(try values(model, "v_encoder.f_encoder.lm_head.bias") == bias.floats() + [0, 0, 0])
    #expect(report.loaded.contains("v_encoder.f_encoder.lm_head.bias"))
  }

  @Test func shapesThatDoNotFitAreShown() throws {
    let folder = try TemporaryFolder()
    var arrays = roberta()
    let place = try #require(arrays.firstIndex { $0.name == "lm_head.dense.weight" })
    arrays[place].array = NDArray(floats: [1, 2], shape: [1, 2])
    let (model, fresh) = (try model(), try model())
    let report = try model.store.start(
      from: try checkpoint(arrays, folder), layers: 6, skippingLayers: true)
    let name = "v_encoder.f_encoder.lm_head.dense.weight"
    #expect(report.mismatched.map(\.name) == [name])
    #expect(report.mismatched.first?.checkpoint == [1, 2])
    #expect(try values(model, name) == values(fresh, name))
  }

  /// A HERO with more, or fewer, frame positions gives those that both have.
  @Test(arguments: [4, 10, 17]) func framePositionsMayDiffer(_ positions: Int) throws {
    let folder = try TemporaryFolder()
    let source = try model(framePositions: positions)
    source.store.initialize(seed: 2)
    try source.store.save(to: folder.path("model.safetensors"))
    let checkpoint = try Checkpoint(path: folder.path("model.safetensors"))
    #expect(!checkpoint.isLanguageModel)
    let (model, fresh) = (try model(), try model())
    let report = try model.store.start(from: checkpoint, layers: 6, skippingLayers: true)
    let tables = [
      "v_encoder.f_encoder.img_embeddings.position_embeddings.weight",
      "v_encoder.c_encoder.embeddings.position_embeddings.weight", "v_encoder.fom_output.linear_2.weight",
      "v_encoder.fom_output.linear_2.bias",
    ]
    #expect(Set(report.resized.map(\.name)) == (positions == 10 ? [] : Set(tables)))
    #expect(report.missing.isEmpty && report.unused.isEmpty && report.mismatched.isEmpty)
    for name in tables {
      let (given, own) = (try values(source, name), try values(fresh, name))
      let common = min(given.count, own.count)
      #expect(try values(model, name) == Array(given[..<common]) + own[common...])
    }
    if positions != 10 {
      #expect(throws: DataError.self) { try fresh.store.load(checkpoint) }
    }
  }

  @Test func otherFilesAreRefused() throws {
    let folder = try TemporaryFolder()
    let checkpoint = try checkpoint([("weight", NDArray(floats: [1], shape: [1]))], folder)
    let store = try model().store
    #expect(throws: DataError.self) {
      try store.start(from: checkpoint, layers: 6, skippingLayers: true)
    }
  }

  @Test func modelsOfAnotherSizeAreRefused() throws {
    let folder = try TemporaryFolder()
    let arrays = roberta().map { (name: $0.name, array: NDArray(floats: [0, 0, 0], shape: [3])) }
    let error = try #require(throws: DataError.self) {
      try model().store.start(from: try checkpoint(arrays, folder), layers: 6, skippingLayers: true)
    }
    #expect("\(error)".contains("another size"))
  }

  /// The row that stands for "not masked" adds nothing, also in the reference that reads our checkpoints.
  @Test func unmaskedFramesGainNothing() throws {
    let model = try model()
    for name in [
      "v_encoder.mask_embedding.weight", "v_encoder.f_encoder.img_embeddings.mask_embedding.weight",
    ] {
      let rows = try values(model, name)
      #expect(rows.prefix(5).allSatisfy { $0 == 0 } && rows.suffix(5).allSatisfy { $0 != 0 })
    }
  }
}
