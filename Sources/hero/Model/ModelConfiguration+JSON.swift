import Formats

extension TransformerConfiguration {
  /// - Parameters:
  ///   - json: one of `f_config`, `c_config`, `q_config`, `d_config`.
  ///   - key, file: the key and the file to name in errors.
  init(_ json: JSON, key: String, file: String) throws {
    func fail(_ problem: String) -> DataError { DataError(problem, file: file, place: "\"\(key)\"") }
    func integer(_ name: String, _ allowed: ClosedRange<Int>, default fallback: Int? = nil) throws -> Int {
      guard let value = json[name] else {
        if let fallback { return fallback }
        throw fail("\"\(name)\" is missing")
      }
      guard let number = value.int ?? value.double.flatMap({ Int(exactly: $0) }), allowed.contains(number)
      else {
        throw fail("\"\(name)\" is not a whole number from \(allowed.lowerBound) to \(allowed.upperBound)")
      }
      return number
    }
    func probability(_ name: String, default fallback: Double) throws -> Float {
      guard let value = json[name] else { return Float(fallback) }
      guard let number = value.double, (0..<1).contains(number) else {
        throw fail("\"\(name)\" is not in 0 ..< 1")
      }
      return Float(number)
    }
    guard json.object != nil else { throw fail("is missing or not an object") }
    hiddenSize = try integer("hidden_size", 1...65_536)
    layers = try integer("num_hidden_layers", 0...1_000)
    heads = try integer("num_attention_heads", 1...4_096)
    intermediateSize = try integer("intermediate_size", 1...1_048_576)
    positions = try integer("max_position_embeddings", 1...1_048_576)
    typeVocabulary = try integer("type_vocab_size", 0...65_536, default: 1)
    vocabulary = json["vocab_size"] == nil ? nil : try integer("vocab_size", 1...16_777_216)
    hiddenDropout = try probability("hidden_dropout_prob", default: 0.1)
    attentionDropout = try probability("attention_probs_dropout_prob", default: 0.1)
    initializerRange = try probability("initializer_range", default: 0.02)
    guard initializerRange > 0 else {
      throw fail("\"initializer_range\" is 0: all weights would start as 0, and none would be learnt")
    }
    guard hiddenSize % heads == 0 else {
      throw fail("\"hidden_size\" \(hiddenSize) is not a multiple of \"num_attention_heads\" \(heads)")
    }
  }
}

extension SubtitleFusion {
  /// The keys that choose the fusion.
  static let keys = (model: "model", method: "video_sub_fusion_method")

  /// - Parameters:
  ///   - json: a model configuration, HERO's (where the keys may be absent) or VALUE's.
  ///   - file: the file to name in errors.
  /// - Throws: `DataError` for any other network.
  init(_ json: JSON, file: String) throws {
    let (model, method) = (json[Self.keys.model] ?? .null, json[Self.keys.method] ?? .null)
    func refuse(_ key: String, _ value: JSON, _ known: String) -> DataError {
      DataError(
        "is \(value.shown), which asks for another network", file: file,
        place: "key \"\(key)\"", cure: "Give \(known)")
    }
    switch model.string?.lowercased() {
    case "video_sub_feature_fusion":
      switch method.string?.lowercased() {
      case "add": self = .add
      case "concat": self = .concat
      default: throw refuse(Self.keys.method, method, "\"add\" or \"concat\"")
      }
      return
    case "video_sub_sequence_model": self = .sequence
    case "hero": self = .hierarchical
    case nil where model == .null: self = .hierarchical
    default:
      throw refuse(
        Self.keys.model, model,
        "\"hero\", \"video_sub_feature_fusion\" or \"video_sub_sequence_model\", or take the key out")
    }
    guard method == .null || method.string?.lowercased() == "hero" else {
      throw refuse(
        Self.keys.method, method,
        "\"\(Self.keys.model)\": \"video_sub_feature_fusion\" beside it, or take the key out")
    }
  }
}

extension ModelConfiguration {
  /// - Parameters:
  ///   - json: `{"f_config": …, "c_config": …, "q_config": …, "d_config": …}`.
  ///   - file: the file to name in errors.
  ///   - checkpoint: the weights of the model or of its start, which give the number of frame
  ///     positions and of FOM's places. Without them, both are 100 (the reference's
  ///     `MAX_FRM_SEQ_LEN`).
  ///   - clipLength: the least number of frames that need positions and places.
  public init(
    _ json: JSON, file: String, featureWidth: Int, checkpoint: Checkpoint?, clipLength: Int = 0
  ) throws {
    cross = try TransformerConfiguration(json["f_config"] ?? .null, key: "f_config", file: file)
    temporal = try TransformerConfiguration(json["c_config"] ?? .null, key: "c_config", file: file)
    func part(_ key: String) throws -> TransformerConfiguration? {
      guard let value = json[key], !value.isNull else { return nil }
      return try TransformerConfiguration(value, key: key, file: file)
    }
    query = try part("q_config") ?? cross
    decoder = try part("d_config")
    fusion = try SubtitleFusion(json, file: file)
    self.featureWidth = featureWidth
    framePositions = max(try checkpoint?.framePositions() ?? 100, clipLength)
    frameOrderPlaces = max(try checkpoint?.frameOrderPlaces() ?? 100, clipLength)
    guard cross.vocabulary != nil else {
      throw DataError("\"vocab_size\" is missing", file: file, place: "\"f_config\"")
    }
    for (key, other) in [("c_config", temporal), ("q_config", query), ("d_config", decoder ?? cross)]
    where other.hiddenSize != cross.hiddenSize {
      throw DataError(
        "\"hidden_size\" is \(other.hiddenSize), that of \"f_config\" \(cross.hiddenSize)", file: file,
        place: "\"\(key)\"", cure: "Give all parts of the model the same width")
    }
  }
}
