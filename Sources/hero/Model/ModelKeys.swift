import Formats

/// The keys of a model configuration other than its numbers, checked against what hero computes.
///
/// `TransformerConfiguration` reads the numbers. A key that asks for another network is refused,
/// unless its value is what hero computes. Keys without meaning here and unknown keys are reported.
public struct ModelKeys: Equatable, Sendable {
  /// The parts of a model configuration.
  public enum Part: String, CaseIterable, Sendable {
    case cross = "f_config"
    case temporal = "c_config"
    case query = "q_config"
    case decoder = "d_config"
  }

  /// The unknown keys, as warnings.
  public private(set) var unknown: [String] = []
  /// The keys whose values change nothing, each with the reason.
  public private(set) var idle: [String] = []

  /// - Parameters:
  ///   - json: a model configuration.
  ///   - file: the file to name in errors.
  ///   - parts: the parts that the model has.
  ///   - dropout: the run's dropout, which overrides the file's; nil where nothing is trained.
  /// - Throws: `DataError` naming a key that asks for another network.
  public init(_ json: JSON, file: String, parts: Set<Part>, dropout: Float?) throws {
    _ = try SubtitleFusion(json, file: file)
    for (key, value) in json.object ?? JSONObject() {
      guard let part = Part(rawValue: key) else {
        // The known keys here choose among networks, or belong to the Hub's layout.
        if ![SubtitleFusion.keys.model, SubtitleFusion.keys.method].contains(key), !Self.hubKeys.contains(key)
        {
          unknown.append(Self.unknownKey(key, among: Part.allCases.map(\.rawValue)))
        }
        continue
      }
      guard parts.contains(part) else {
        idle.append("\(key) (the task has no such part)")
        continue
      }
      for (name, value) in value.object ?? JSONObject() {
        try look(at: name, value, of: part, in: json, file: file, dropout: dropout)
      }
    }
  }

  private mutating func look(
    at name: String, _ value: JSON, of part: Part, in json: JSON, file: String, dropout: Float?
  ) throws {
    if let (allowed, what) = Self.fixed(name, part, json[part.rawValue]) {
      guard allowed.contains(where: { $0 == value || ($0.double != nil && $0.double == value.double) }) else {
        let computed = allowed[0].encoded(style: .python)
        throw DataError(
          "\"\(name)\" is \(value.shown), which asks for another network", file: file,
          place: "\"\(part.rawValue)\"",
          cure: "hero computes \(what): take the key out, or set it to \(computed) if the weights allow it")
      }
      return
    }
    if let reason = Self.idleReason(name, value, part, json, dropout) {
      idle.append("\(part.rawValue).\(name) (\(reason))")
    } else if !Self.numbers.contains(name), !Self.bookkeeping.contains(name) {
      unknown.append(Self.unknownKey("\(part.rawValue).\(name)", name, among: Self.numbers))
    }
  }

  // MARK: The table

  /// The keys that `TransformerConfiguration` reads.
  static let numbers = [
    "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "max_position_embeddings",
    "type_vocab_size", "vocab_size", "hidden_dropout_prob", "attention_probs_dropout_prob",
    "initializer_range",
  ]

  /// Keys of Hugging Face's files about storage and use, which do not change what a model computes.
  private static let bookkeeping: Set = [
    "architectures", "bos_token_id", "eos_token_id", "pad_token_id", "sep_token_id", "cls_token_id",
    "mask_token_id", "transformers_version", "torch_dtype", "dtype", "output_attentions",
    "output_hidden_states", "output_past", "return_dict", "use_cache", "torchscript", "num_labels",
    "id2label",
    "label2id", "finetuning_task", "problem_type", "classifier_dropout", "gradient_checkpointing",
    "chunk_size_feed_forward", "_name_or_path", "name_or_path", "use_bfloat16", "_attn_implementation",
    "_attn_implementation_autoset",
  ]

  /// The keys of a `config.json` other than those of the model.
  public static let hubKeys: Set = ["architectures", "model_type", "task"]

  /// Returns the values that ask for what hero computes, the usual one first, and a description.
  ///
  /// nil for a key that chooses nothing.
  private static func fixed(_ key: String, _ part: Part, _ own: JSON?) -> (values: [JSON], what: String)? {
    switch key {
    case "hidden_act": (["gelu"], "the exact GELU only")
    case "layer_norm_eps": ([1e-12], "layer norms of transformer layers with 1e-12")
    case "position_embedding_type": (["absolute"], "absolute positions only")
    case "is_decoder", "add_cross_attention":
      part == .decoder
        ? ([true, false], "a decoder here") : ([false], "an encoder here")
    case "is_encoder_decoder", "tie_encoder_decoder": ([false], "each part by itself")
    case "tie_word_embeddings": ([true], "words with the weights that embed them")
    case "model_type": (["roberta", "bert", "hero"], "BERT's layers")
    case "pruned_heads": ([[:], .null], "all heads")
    case "cross_attention_hidden_size": ([.null], "one width everywhere")
    case "embedding_size": ([own?["hidden_size"] ?? .null], "embeddings of the layers' width")
    case "type_vocab_size" where part == .cross:
      (own?[key]?.int).map { $0 >= 2 } ?? true
        ? nil : ([2], "frames and subtitles as type 1")
    default: nil
    }
  }

  /// Returns why a number has no effect; nil if it has one, or is the reference's own value.
  private static func idleReason(
    _ key: String, _ value: JSON, _ part: Part, _ json: JSON, _ dropout: Float?
  ) -> String? {
    switch key {
    case "hidden_dropout_prob", "attention_probs_dropout_prob":
      guard let dropout, value.double.map({ Float($0) }) != dropout else { return nil }
      return "the run's dropout, \(dropout), takes its place"
    case "vocab_size" where part != .cross:
      return value.double == json["f_config"]?[key]?.double ? nil : "the words are f_config's"
    case "type_vocab_size" where part != .cross:
      return [1, 2].contains(value.double) ? nil : "types are f_config's"
    case "num_hidden_layers" where part == .query:
      return value.double == 0 ? nil : "queries go through one block of attention"
    case "intermediate_size" where part == .query:
      return value.double == json["f_config"]?[key]?.double
        ? nil : "queries go through one block of attention, without a feed-forward layer"
    default: return nil
    }
  }

  private static func unknownKey(_ place: String, _ key: String? = nil, among known: [String]) -> String {
    let hint = nearestName(to: key ?? place, among: known).map { "; did you mean \"\($0)\"?" } ?? ""
    return "unknown key \"\(place)\" has no effect\(hint)"
  }
}
