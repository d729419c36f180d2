import Engine
import Formats
import Testing

@testable import Model

/// Every key of a model configuration shapes the model, is refused, or is reported as idle.
struct ModelKeysTests {
  private static let base: JSON = {
    let part: JSONObject = [
      "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32,
      "max_position_embeddings": 40, "type_vocab_size": 2, "vocab_size": 24, "initializer_range": 0.02,
      "hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1, "hidden_act": "gelu",
    ]
    var query = part
    query["num_hidden_layers"] = 0
    return [
      "f_config": .object(part), "c_config": .object(part), "q_config": .object(query),
      "d_config": .object(part),
    ]
  }()

  private func keys(_ json: JSON, _ parts: Set<ModelKeys.Part> = Set(ModelKeys.Part.allCases)) throws
    -> ModelKeys
  {
    try ModelKeys(json, file: "model.json", parts: parts, dropout: 0.1)
  }

  private func with(_ part: ModelKeys.Part, _ key: String, _ value: JSON) -> JSON {
    var json = Self.base
    json[part.rawValue]?[key] = value
    return json
  }

  /// Returns what a configuration makes: the parameters' names, shapes and initial values, and
  /// heads.
  private func made(_ json: JSON) throws -> [String] {
    let shape = try ModelConfiguration(json, file: "model.json", featureWidth: 4, checkpoint: nil)
    let backend = try CPUBackend(threads: 1)
    let models: [any HeroModel] = [
      RetrievalModel(shape, backend: backend), QuestionModel(shape, backend: backend),
      StatementModel(shape, backend: backend), CaptionModel(shape, backend: backend),
      PretrainingModel(shape, backend: backend),
    ]
    let parts = models.flatMap { model in
      model.store.initialize(seed: 1)
      return model.store.parameters.map { "\($0.name) \($0.shape) \(model.store.values(of: $0))" }
    }
    // The number of heads shows in no parameter.
    return parts + [shape.cross, shape.temporal, shape.query].map { "\($0.heads)" } + [
      "\(shape.decoder?.heads ?? 0)"
    ]
  }

  @Test func theReferencesOwnFileSaysNothingMore() throws {
    let keys = try keys(Self.base)
    #expect(keys.unknown.isEmpty && keys.idle.isEmpty)
  }

  @Test(arguments: ModelKeys.Part.allCases) func everyNumberCountsOrIsTold(part: ModelKeys.Part) throws {
    let before = try made(Self.base)
    for key in ModelKeys.numbers {
      let isProbability = key.hasSuffix("_prob") || key == "initializer_range"
      // All parts share one width.
      var json = with(part, key, isProbability ? 0.3 : 4)
      if key == "hidden_size" {
        for part in ModelKeys.Part.allCases { json[part.rawValue]?[key] = 4 }
      }
      let isTold = try keys(json).idle.contains { $0.hasPrefix("\(part.rawValue).\(key) ") }
      #expect((try made(json) != before) != isTold, "\(part.rawValue).\(key)")
    }
  }

  @Test func weightsThatAllStartAsZeroAreRefused() throws {
    let error = #expect(throws: DataError.self) { try made(with(.cross, "initializer_range", 0)) }
    #expect(error?.problem.contains("initializer_range") == true)
  }

  @Test(arguments: ModelKeys.Part.allCases) func otherNetworksAreRefused(part: ModelKeys.Part) throws {
    let foreign: JSONObject = [
      "hidden_act": "relu", "layer_norm_eps": 1e-5, "position_embedding_type": "relative_key",
      "is_encoder_decoder": true, "tie_word_embeddings": false, "model_type": "albert",
      "pruned_heads": ["0": [1]], "embedding_size": 8, "is_decoder": "yes", "add_cross_attention": 1,
    ]
    for (key, value) in foreign {
      let error = #expect(throws: DataError.self, "\(key)") { try keys(with(part, key, value)) }
      #expect(error?.place == "\"\(part.rawValue)\"" && error?.problem.contains("\"\(key)\"") == true)
    }
    #expect(throws: DataError.self) { try keys(with(part, "hidden_act", nil)) }
    if part != .decoder { #expect(throws: DataError.self) { try keys(with(part, "is_decoder", true)) } }
    let usual: JSONObject = [
      "hidden_act": "gelu", "layer_norm_eps": 1e-12, "position_embedding_type": "absolute",
      "is_decoder": false, "model_type": "roberta", "embedding_size": 16, "pad_token_id": 1,
      "architectures": ["RobertaForMaskedLM"],
    ]
    for (key, value) in usual {
      let keys = try keys(with(part, key, value))
      #expect(keys.unknown.isEmpty && keys.idle.isEmpty, "\(key)")
    }
  }

  /// A single type is refused: frames have type 1, which RoBERTa's own table lacks.
  @Test func oneTypeIsNotEnough() throws {
    #expect(throws: DataError.self) { try keys(with(.cross, "type_vocab_size", 1)) }
    #expect(try keys(with(.query, "type_vocab_size", 1)).idle.isEmpty)
  }

  /// VALUE's configurations choose the network; unknown and incomplete choices are refused.
  @Test func networksAreChosen() throws {
    func fusion(_ model: JSON, _ method: JSON? = nil) throws -> SubtitleFusion {
      var json = Self.base
      json["model"] = model
      json["video_sub_fusion_method"] = method
      #expect(try keys(json).unknown.isEmpty)
      return try ModelConfiguration(json, file: "model.json", featureWidth: 4, checkpoint: nil).fusion
    }
    #expect(try fusion("hero") == .hierarchical && fusion(.null) == .hierarchical)
    #expect(try fusion("video_sub_feature_fusion", "add") == .add)
    #expect(try fusion("video_sub_feature_fusion", "concat") == .concat)
    #expect(try fusion("video_sub_sequence_model") == .sequence)
    let refused: [(JSON, JSON?, key: String)] = [
      ("other", nil, "model"), (1, nil, "model"),
      ("video_sub_feature_fusion", nil, "video_sub_fusion_method"),
      ("video_sub_feature_fusion", "mean", "video_sub_fusion_method"),
      ("hero", "add", "video_sub_fusion_method"),
      ("video_sub_sequence_model", "add", "video_sub_fusion_method"),
    ]
    for (model, method, key) in refused {
      let error = #expect(throws: DataError.self, "\(model)") { try fusion(model, method) }
      #expect(error?.place == "key \"\(key)\"")
    }
  }

  @Test func unknownKeysAreTold() throws {
    var json = with(.temporal, "num_hiden_layers", 3)
    json["f_confg"] = [:]
    #expect(
      try keys(json).unknown == [
        #"unknown key "c_config.num_hiden_layers" has no effect; did you mean "num_hidden_layers"?"#,
        #"unknown key "f_confg" has no effect; did you mean "f_config"?"#,
      ])
  }

  @Test func partsThatATaskLacksAreTold() throws {
    #expect(
      try keys(Self.base, [.cross, .temporal, .query]).idle == ["d_config (the task has no such part)"])
  }

  /// Whole numbers as Python may write them are accepted, and other values refused.
  @Test func numbersAreWhole() throws {
    let floats = with(.temporal, "num_hidden_layers", 2.0)
    #expect(
      try ModelConfiguration(floats, file: "", featureWidth: 4, checkpoint: nil).temporal.layers == 2)
    for value: JSON in [2.5, "2", nil, true, -1] {
      let json = with(.temporal, "num_hidden_layers", value)
      #expect(throws: DataError.self) {
        try ModelConfiguration(json, file: "", featureWidth: 4, checkpoint: nil)
      }
    }
    var json = Self.base
    json["d_config"] = .null
    #expect(try ModelConfiguration(json, file: "", featureWidth: 4, checkpoint: nil).decoder == nil)
  }
}
