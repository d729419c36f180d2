import Engine
import Formats

extension Checkpoint {
  /// Whether the checkpoint is a RoBERTa with Hugging Face's names rather than a HERO.
  public var isLanguageModel: Bool {
    names.contains { $0.hasSuffix(Self.words) } && !names.contains { $0.hasPrefix("v_encoder.") }
  }
}

extension ParameterStore {
  /// Loads what fits of a checkpoint to start from (Docs/Computation.md §2 "Init").
  ///
  /// The checkpoint is a HERO, whole or in part, or a RoBERTa. A RoBERTa becomes the cross-modal
  /// transformer. Its names are Hugging Face's, with or without `roberta.`. The first row of its
  /// type table fills all rows of the model's.
  /// - Parameters:
  ///   - layers: the number of layers of the cross-modal transformer.
  ///   - skippingLayers: true spreads the layers over the RoBERTa's, up to its last (of 12, layers
  ///     1, 3, 5 … become 0, 1, 2 …); false takes its first ones (`skip_layer_loading`).
  /// - Throws: `DataError` if the file is neither, or a model of another size.
  public func start(from checkpoint: Checkpoint, layers: Int, skippingLayers: Bool) throws -> LoadReport {
    let report =
      checkpoint.isLanguageModel
      ? try loadLanguageModel(checkpoint, layers: layers, skippingLayers: skippingLayers)
      : try load(checkpoint, tolerant: true)
    if let (name, theirs, ours) = report.mismatched.first, report.mismatched.count >= report.loaded.count {
      throw DataError(
        "is of a model of another size: \"\(name)\" has the shape \(theirs), in this model \(ours)",
        file: checkpoint.path, cure: "Use the model_config that the checkpoint was trained with")
    }
    if let (name, theirs, ours) = report.mismatched.first(where: { $0.name.hasSuffix(Checkpoint.words) }) {
      throw DataError(
        "is of another vocabulary: \"\(name)\" has the shape \(theirs), in this model \(ours)",
        file: checkpoint.path,
        cure: "Give a RoBERTa or a HERO of the vocabulary that the stores were made with")
    }
    guard !report.loaded.isEmpty else {
      throw DataError(
        "holds neither a RoBERTa nor a HERO", file: checkpoint.path,
        cure: "Give model.safetensors or pytorch_model.bin of roberta-base, or a checkpoint of HERO")
    }
    return report
  }

  private func loadLanguageModel(
    _ checkpoint: Checkpoint, layers: Int, skippingLayers: Bool
  ) throws -> LoadReport {
    try checkpoint.verify()
    let map = LanguageModelNames(
      checkpoint.names, layers: layers, skippingLayers: skippingLayers, prefix: "v_encoder.f_encoder.")
    var report = LoadReport()
    var filled: Set<String> = []
    for name in checkpoint.names where !map.isBuffer(name) {
      guard let place = map.parameter(of: name), let parameter = self[place], !filled.contains(place) else {
        report.unused.append(name)
        continue
      }
      filled.insert(place)
      if place.hasSuffix("token_type_embeddings.weight"), let row = try firstRow(name, checkpoint, parameter)
      {
        set(parameter, to: (0..<parameter.shape[0]).flatMap { _ in row })
        report.loaded.append(place)
      } else {
        try take(name, of: checkpoint, into: parameter, tolerant: true, &report)
      }
    }
    report.complete(parameters)
    return report
  }

  private func firstRow(_ name: String, _ checkpoint: Checkpoint, _ table: Parameter) throws -> [Float]? {
    guard let shape = try checkpoint.shape(name), shape.count == 2, shape[0] > 0, shape[1] == table.shape[1]
    else { return nil }
    return try checkpoint.array(name).map { Array($0.floats().prefix(shape[1])) }
  }
}

/// The mapping from arrays of a RoBERTa checkpoint to parameters.
private struct LanguageModelNames {
  private let prefix: String
  /// The model's layer for each of the checkpoint's layers.
  private let layers: [Int: Int]
  private let hasWords: Bool
  private let hasHeadBias: Bool

  init(_ names: [String], layers count: Int, skippingLayers: Bool, prefix: String) {
    self.prefix = prefix
    let bare = names.map(Self.bare)
    hasWords = bare.contains("embeddings.word_embeddings.weight")
    hasHeadBias = bare.contains("lm_head.bias")
    let depth = (bare.compactMap { Self.layer(of: $0)?.number }.max() ?? -1) + 1
    let gap = skippingLayers ? max(1, depth / max(1, count)) : 1
    layers = Dictionary(uniqueKeysWithValues: (0..<count).map { ((($0 + 1) * gap) - 1, $0) })
  }

  /// Returns whether an array means nothing to the model, or repeats another array.
  func isBuffer(_ name: String) -> Bool {
    let name = Self.bare(name)
    return name == "embeddings.position_ids" || (name == "lm_head.decoder.weight" && hasWords)
      || (name == "lm_head.decoder.bias" && hasHeadBias)
  }

  /// Returns the parameter's name; nil for a skipped layer.
  func parameter(of name: String) -> String? {
    switch Self.bare(name) {
    case "lm_head.decoder.weight": return prefix + "embeddings.word_embeddings.weight"
    case "lm_head.decoder.bias": return prefix + "lm_head.bias"
    case let bare:
      guard let (number, rest) = Self.layer(of: bare) else { return prefix + bare }
      return layers[number].map { "\(prefix)encoder.layer.\($0).\(rest)" }
    }
  }

  /// Returns the name without `roberta.`, in the reference's spelling.
  private static func bare(_ name: String) -> String {
    var bare = name.hasPrefix("roberta.") ? String(name.dropFirst("roberta.".count)) : name
    if bare.hasPrefix("lm_head.layer_norm.") {
      bare = "lm_head.LayerNorm." + bare.dropFirst("lm_head.layer_norm.".count)
    }
    return bare
  }

  private static func layer(of bare: String) -> (number: Int, rest: String)? {
    let start = "encoder.layer."
    guard bare.hasPrefix(start) else { return nil }
    let parts = bare.dropFirst(start.count).split(separator: ".", maxSplits: 1)
    guard parts.count == 2, let number = Int(parts[0]), (0..<10_000).contains(number) else { return nil }
    return (number, String(parts[1]))
  }
}
