import Engine
import Formats
import Foundation
import Model
import TestSupport
import Testing

/// Models start from other weights than a checkpoint of the same model.
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

  /// Returns a RoBERTa of 12 layers with Hugging Face's names; array n is full of n, except the
  /// types.
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
    // Vocabulary rows are padded with zeros, both type rows are RoBERTa's only one, and positions
    // are copied as far as both tables go.
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
    // The other parameters keep their values.
    #expect(report.missing.contains("v_encoder.frame_transform.net.1.weight"))
    let kept = "video_query_linear.weight"
    #expect(try values(model, kept) == values(fresh, kept))
    #expect(
      Set(report.loaded + report.missing + report.resized.map(\.name))
        == Set(model.store.parameters.map(\.name)))
  }

  /// A model of fewer layers refuses to evaluate weights of more layers.
  @Test func weightsOfMoreLayersAreRefused() throws {
    let folder = try TemporaryFolder()
    let larger = try model(layers: 3)
    let path = folder.path("three.safetensors")
    try larger.store.save(to: path)
    #expect(throws: Never.self) { try model(layers: 3).store.load(Checkpoint(path: path)) }
    let smaller = try model(layers: 2)
    let error = try #require(throws: DataError.self) { try smaller.store.load(Checkpoint(path: path)) }
    #expect(error.place?.contains(".layer.2.") == true && error.cure?.contains("num_hidden_layers") == true)
    // The table reports the layers left out of a model that starts from them.
    let report = try smaller.store.load(Checkpoint(path: path), tolerant: true)
    #expect(report.unused.contains { $0.contains("f_encoder.encoder.layer.2.") })
  }

  /// A file may name tied arrays only once, by the head's name.
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

  /// A HERO with more or fewer frame positions gives the positions that both have.
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

  // MARK: Weights as people save them

  /// Returns a checkpoint of this suite's HERO after a change of names and values.
  private func saved(
    _ folder: TemporaryFolder, _ change: (inout [(name: String, array: NDArray)]) -> Void
  ) throws -> Checkpoint {
    let source = try model()
    source.store.initialize(seed: 2)
    var arrays = source.store.parameters.map {
      (name: $0.name, array: NDArray(floats: source.store.values(of: $0), shape: $0.shape))
    }
    change(&arrays)
    return try checkpoint(arrays, folder)
  }

  /// Any wrapper around the names gives the same values, in fine-tuning and in evaluation.
  @Test(arguments: ["module.", "_orig_mod.module.", "model.", "state_dict."], [true, false])
  func wrappedNamesAreTheModels(_ prefix: String, tolerant: Bool) throws {
    let folder = try TemporaryFolder()
    let checkpoint = try saved(folder) { arrays in
      for place in arrays.indices { arrays[place].name = prefix + arrays[place].name }
      arrays.append(
        ("optimizer.exp_avg.v_encoder.mask_embedding.weight", NDArray(floats: [.nan], shape: [1])))
    }
    #expect(checkpoint.notes.count == 1 && checkpoint.notes[0].contains(prefix.split(separator: ".")[0]))
    #expect(try checkpoint.featureWidth() == 5)
    let (model, source) = (try model(), try model())
    source.store.initialize(seed: 2)
    let report = try model.store.load(checkpoint, tolerant: tolerant)
    #expect(report.missing.isEmpty && report.unused.isEmpty && report.mismatched.isEmpty)
    for parameter in model.store.parameters {
      #expect(try model.store.values(of: parameter) == values(source, parameter.name))
    }
  }

  @Test func normsMayHaveTensorFlowsNames() throws {
    let folder = try TemporaryFolder()
    let checkpoint = try saved(folder) { arrays in
      for place in arrays.indices where arrays[place].name.contains("LayerNorm") {
        arrays[place].name = arrays[place].name.replacingOccurrences(
          of: "LayerNorm.weight", with: "LayerNorm.gamma"
        )
        .replacingOccurrences(of: "LayerNorm.bias", with: "LayerNorm.beta")
      }
    }
    let report = try model().store.load(checkpoint)
    #expect(report.missing.isEmpty && report.unused.isEmpty)
  }

  @Test(arguments: [Float.nan, .infinity]) func whatIsNotFiniteIsRefused(_ value: Float) throws {
    let folder = try TemporaryFolder()
    let name = "v_encoder.f_encoder.encoder.layer.0.attention.self.query.weight"
    let checkpoint = try saved(folder) { arrays in
      for place in arrays.indices where arrays[place].name == name {
        var floats = arrays[place].array.floats()
        floats[3] = value
        arrays[place].array = NDArray(floats: floats, shape: arrays[place].array.shape)
      }
      // An array without a place in the model may hold anything.
      arrays.append(("beside", NDArray(floats: [.nan], shape: [1])))
    }
    let store = try model().store
    for load in [
      { try store.load(checkpoint) }, { try store.start(from: checkpoint, layers: 6, skippingLayers: true) },
    ] {
      let error = try #require(throws: DataError.self) { _ = try load() }
      #expect(error.file == checkpoint.path && error.place?.contains(name) == true)
    }
    var arrays = roberta()
    arrays[0].array = NDArray(
      floats: [Float](repeating: value, count: Self.words * Self.width), shape: [Self.words, Self.width])
    let error = try #require(throws: DataError.self) {
      try store.start(from: try self.checkpoint(arrays, folder), layers: 6, skippingLayers: true)
    }
    #expect(error.place?.contains("word_embeddings") == true)
  }

  /// Evaluation takes VIOLIN's head under TVQA's name, as VALUE saves it; training starts a new
  /// head.
  @Test func headsOfLikeTasksGoBothWays() throws {
    let folder = try TemporaryFolder()
    let cross = TransformerConfiguration(
      hiddenSize: Self.width, layers: 2, heads: 2, intermediateSize: 12, positions: 20, vocabulary: Self.words
    )
    let configuration = ModelConfiguration(
      cross: cross, temporal: cross, query: cross, featureWidth: 5, framePositions: 10)
    let backend = try CPUBackend()
    let statements = StatementModel(configuration, backend: backend)
    statements.store.initialize(seed: 3)
    let arrays = statements.store.parameters.map {
      (
        name: $0.name.replacingOccurrences(of: "violin_", with: "qa_"),
        array: NDArray(floats: statements.store.values(of: $0), shape: $0.shape)
      )
    }
    let file = try checkpoint(arrays, folder)
    let other = StatementModel(configuration, backend: backend)
    other.store.initialize(seed: 4)
    let report = try other.store.load(file)
    #expect(report.missing.isEmpty && report.unused.isEmpty)
    #expect(report.notes.count == 1 && report.notes[0].contains("qa_") && report.notes[0].contains("violin_"))
    for parameter in statements.store.parameters {
      let loaded = try #require(other.store[parameter.name])
      #expect(other.store.values(of: loaded) == statements.store.values(of: parameter))
    }
    #expect(try other.store.load(file, tolerant: true).missing.contains("violin_pool.weight"))
    let back = try checkpoint(
      arrays.map { ($0.name.replacingOccurrences(of: "qa_", with: "violin_"), $0.array) }, folder)
    let answers = QuestionModel(configuration, backend: backend)
    #expect(try answers.store.load(back).missing.allSatisfy { $0.hasPrefix("st_ed_") })
  }

  @Test func otherVocabulariesAreRefused() throws {
    let folder = try TemporaryFolder()
    var arrays = roberta(prefix: "bert.")
    arrays[0].array = NDArray(floats: [Float](repeating: 0, count: 40 * Self.width), shape: [40, Self.width])
    let error = try #require(throws: DataError.self) {
      try model().store.start(from: try checkpoint(arrays, folder), layers: 6, skippingLayers: true)
    }
    #expect("\(error)".contains("vocabulary"))
  }

  /// A process's own file under ZeRO stage 3, whose names have no elements, is refused.
  @Test func arraysWithoutElementsAreRefused() throws {
    let folder = try TemporaryFolder()
    let checkpoint = try saved(folder) { arrays in
      for place in arrays.indices { arrays[place].array = NDArray(floats: [], shape: [0]) }
    }
    let store = try model().store
    let error = try #require(throws: DataError.self) {
      try store.start(from: checkpoint, layers: 6, skippingLayers: true)
    }
    #expect("\(error)".contains("zero_to_fp32"))
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

  /// The row for "not masked" is zero, also for the reference when it reads hero's checkpoints.
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
