import Foundation

/// The weights of a CLIP model, and the settings that only a file beside them states.
///
/// Three layouts are known: OpenAI's archive (`ViT-B-32.pt`), Hugging Face's folder
/// (`config.json`), and open_clip's file or folder (`open_clip_config.json`).
public struct CLIPFiles: Sendable {
  /// One of the two towers.
  public struct Tower: Sendable, Equatable {
    /// The feed-forward layers' activation: QuickGELU or GELU.
    public var activation: CLIPActivation
    /// The number of attention heads; nil if each has the width of all of OpenAI's, 64 elements.
    public var heads: Int?

    /// - Parameter heads: nil for heads of 64 elements.
    public init(activation: CLIPActivation, heads: Int?) {
      (self.activation, self.heads) = (activation, heads)
    }

    /// Returns the number of heads of a transformer of this width.
    public func heads(width: Int) -> Int { heads ?? max(1, width / Self.headWidth) }

    static let headWidth = 64
  }

  /// The path for `WeightFile`: a file, or a folder of shards.
  public let weights: String
  /// The files of the weights: one file, or all shards.
  public let parts: [String]
  /// The tower that encodes pictures.
  public private(set) var image: Tower
  /// The tower that encodes texts.
  public private(set) var text: Tower
  /// The name of the image tower's features, as HERO's extractor names its folders.
  ///
  /// It is `clip-vit` for a vision transformer, and `clip-rn50x4` or the like for a residual
  /// network.
  public let imageNetwork: String
  /// The notes for the user about the choice of activation, a line each.
  public let notes: [String]

  private static let configuration = "config.json"
  private static let openConfiguration = "open_clip_config.json"
  /// The weight files of open_clip's folders, whose names `WeightFile` does not know.
  private static let openFiles = [
    "open_clip_model.safetensors", "open_clip_pytorch_model.safetensors", "open_clip_pytorch_model.bin",
  ]
  /// The name of a vision transformer's features.
  public static let transformer = "clip-vit"
  private static let cure =
    "Give the weights of CLIP ViT-B/32, B/16, L/14 or RN50x4: OpenAI's .pt, Hugging Face's folder or open_clip's"

  /// - Parameters:
  ///   - path: a file, or the folder of one model.
  ///   - activation: the user's choice; nil takes it from the files.
  /// - Throws: `DataError` if there are no weights of a CLIP, if its shape is not supported, or if
  ///   nothing tells the activation.
  public init(path: String, activation: CLIPActivation? = nil) throws {
    let place = Self.file(path)
    weights = place
    let file = try DataError.locating(cure: Self.cure) { try WeightFile(path: place) }
    parts = file.files
    let names = Set(file.names)
    imageNetwork = try Self.imageNetwork(file)
    let parent = (path as NSString).deletingLastPathComponent
    let folder = FileManager.default.isFolder(path) ? path : parent.isEmpty ? "." : parent
    func json(_ name: String) throws -> (file: String, json: JSON)? {
      let file = "\(folder)/\(name)"
      return FileManager.default.fileExists(atPath: file) ? (file, try JSON.read(path: file)) : nil
    }
    let told: (image: Tower, text: Tower)?
    if Self.isHuggingFace(names) {
      told = try json(Self.configuration).map { try Self.huggingFace($0.json, file: $0.file) }
    } else if Self.isOpenAI(names) {
      let tower = Tower(activation: .quickGELU, heads: nil)
      told = (tower, tower)
    } else {
      told = try json(Self.openConfiguration).map { try Self.openCLIP($0.json, file: $0.file) }
    }
    if let activation {
      // Wider encoders have wider heads, whose width differs from model to model.
      if told == nil, let width = try file.shape("visual.class_embedding")?.last,
        ![768, 1024].contains(width)
      {
        throw DataError(
          "nothing says how many attention heads an image encoder of \(width) elements has", file: path,
          cure: "Put the model's \(Self.openConfiguration) beside it")
      }
      let plain = Tower(activation: activation, heads: nil)
      (image, text) = told ?? (plain, plain)
      let others = [image, text].filter { $0.activation != activation }
      notes =
        others.first.map { other in
          [
            "\(path): its files say \(other.activation.rawValue); computed with \(activation.rawValue), as --clip-activation says"
          ]
        } ?? []
      image.activation = activation
      text.activation = activation
      return
    }
    guard let told else {
      throw DataError(
        "nothing says whether it was trained with quick_gelu, as OpenAI's were, or with gelu, as LAION's",
        file: path,
        cure:
          "Put \(Self.isHuggingFace(names) ? Self.configuration : Self.openConfiguration) of the model beside it, "
          + "or give --clip-activation quick_gelu or gelu")
    }
    (image, text) = told
    notes = []
  }

  /// OpenAI's residual networks by the number of blocks in each stage and the first stage's width.
  private static let residual: [(name: String, depths: [Int], width: Int)] = [
    ("rn50", [3, 4, 6, 3], 64), ("rn101", [3, 4, 23, 3], 64), ("rn50x4", [4, 6, 10, 6], 80),
    ("rn50x16", [6, 8, 18, 8], 96), ("rn50x64", [3, 15, 36, 10], 128),
  ]

  private static func imageNetwork(_ file: WeightFile) throws -> String {
    guard file.contains("visual.attnpool.positional_embedding") else { return transformer }
    let depths = (1...4).map { stage in
      (0..<1000).first { !file.contains("visual.layer\(stage).\($0).conv1.weight") } ?? 0
    }
    let width = try file.shape("visual.layer1.0.conv1.weight")?.first
    let known = residual.first { $0.depths == depths && $0.width == width }
    return "clip-\(known?.name ?? "rn")"
  }

  private static func file(_ path: String) -> String {
    guard FileManager.default.isFolder(path),
      !["model.safetensors", "pytorch_model.bin"].contains(where: { name in
        ["", ".index.json"].contains { FileManager.default.fileExists(atPath: "\(path)/\(name)\($0)") }
      })
    else { return path }
    let name = openFiles.first { FileManager.default.fileExists(atPath: "\(path)/\($0)") }
    return name.map { "\(path)/\($0)" } ?? path
  }

  private static func isHuggingFace(_ names: Set<String>) -> Bool {
    names.contains("text_model.embeddings.token_embedding.weight")
      || names.contains("vision_model.embeddings.class_embedding")
  }

  /// Returns whether the weights are OpenAI's, because only its archives hold these numbers too.
  private static func isOpenAI(_ names: Set<String>) -> Bool {
    names.isSuperset(of: ["input_resolution", "context_length", "vocab_size"])
  }

  // MARK: What files say

  /// Reads Hugging Face's `CLIPConfig`, with its defaults for missing values.
  private static func huggingFace(_ json: JSON, file: String) throws -> (image: Tower, text: Tower) {
    func tower(_ part: String, heads: Int) throws -> Tower {
      let own = json[part]
      let place = "\"\(part)\""
      if let epsilon = own?["layer_norm_eps"]?.double, abs(epsilon - 1e-5) > 1e-9 {
        throw refused("\"layer_norm_eps\" is \(epsilon), and CLIP's is 1e-5", file, place)
      }
      let name = own?["hidden_act"]?.string ?? CLIPActivation.quickGELU.rawValue
      guard let activation = CLIPActivation(rawValue: name) else {
        throw refused("\"hidden_act\" is \"\(name)\", and CLIP's is quick_gelu or gelu", file, place)
      }
      return Tower(
        activation: activation,
        heads: try number(own?["num_attention_heads"], "num_attention_heads", file, place) ?? heads)
    }
    return (try tower("vision_config", heads: 12), try tower("text_config", heads: 8))
  }

  /// Reads open_clip's `model_cfg`.
  private static func openCLIP(_ json: JSON, file: String) throws -> (image: Tower, text: Tower) {
    let model = json["model_cfg"] ?? json
    let (image, text) = (model["vision_cfg"], model["text_cfg"])
    for (part, own, key, usual) in [
      ("vision_cfg", image, "attentional_pool", JSON.bool(false)), ("vision_cfg", image, "no_ln_pre", false),
      ("vision_cfg", image, "pool_type", "tok"), ("vision_cfg", image, "pos_embed_type", "learnable"),
      ("vision_cfg", image, "final_ln_after_pool", false), ("vision_cfg", image, "timm_model_name", nil),
      ("text_cfg", text, "hf_model_name", nil), ("text_cfg", text, "hf_tokenizer_name", nil),
      ("text_cfg", text, "no_causal_mask", false), ("text_cfg", text, "embed_cls", false),
      ("text_cfg", text, "pool_type", "argmax"),
    ] as [(String, JSON?, String, JSON?)] {
      guard let value = own?[key], value != .null, value != usual else { continue }
      throw refused(
        "\"\(key)\" is \(value.shown), which no CLIP of OpenAI's shape has", file, "\"\(part)\"")
    }
    if let mean = json["preprocess_cfg"]?["mean"]?.array?.compactMap(\.double), mean.count == 3,
      abs(mean[0] - 0.48145466) > 1e-3
    {
      throw refused(
        "its pictures are scaled in another way than CLIP's: mean \(mean)", file, "\"preprocess_cfg\"")
    }
    let activation: CLIPActivation = model["quick_gelu"]?.bool == true ? .quickGELU : .gelu
    // Only a residual network lists its layers; its last map is 32 times as wide as its first.
    let width = try number(image?["width"], "width", file, "\"vision_cfg\"").map {
      image?["layers"]?.array == nil ? $0 : 32 * $0
    }
    let head = try number(image?["head_width"], "head_width", file, "\"vision_cfg\"") ?? Tower.headWidth
    return (
      Tower(activation: activation, heads: width.map { max(1, $0 / head) }),
      Tower(
        activation: activation, heads: try number(text?["heads"], "heads", file, "\"text_cfg\""))
    )
  }

  private static func number(_ value: JSON?, _ key: String, _ file: String, _ place: String) throws -> Int? {
    guard let value else { return nil }
    guard let number = value.int, (1...65_536).contains(number) else {
      throw refused("\"\(key)\" is \(value.shown), not a whole number from 1 to 65,536", file, place)
    }
    return number
  }

  private static func refused(_ problem: String, _ file: String, _ place: String) -> DataError {
    DataError(problem, file: file, place: place, cure: cure)
  }
}
