import Engine
import Formats

/// The properties that all videos of an index share, and the model that encoded them.
public struct IndexHead: Equatable, Sendable {
  /// The number of elements of an encoded frame.
  public var width: Int
  /// Seconds between frames.
  public var frameInterval: Double
  /// The model that a query's vectors must come from.
  public var model: ModelIdentity
  /// The folder of the model's run when the index was made, or CLIP's weights.
  public var modelFolder: String
  /// The folder of the tokenizer, or CLIP's vocabulary.
  public var tokenizer: String
  /// The kind of model: a trained HERO or CLIP's image encoder.
  public var kind: Kind
  /// The precision in which the first videos were encoded.
  ///
  /// It is nil for CLIP's rows, which are features, and for indexes that older programs made.
  public var precision: Precision?

  /// The kind of model that encoded the videos.
  public enum Kind: Equatable, Sendable {
    /// A trained HERO.
    case trained
    /// CLIP's image encoder, with the activation if the user had to give it.
    case clip(CLIPActivation?)

    /// Returns whether both are HERO or both CLIP.
    ///
    /// Rows of different kinds cannot be compared.
    func isSameKind(as other: Kind) -> Bool { (self == .trained) == (other == .trained) }
  }

  /// - Parameters:
  ///   - width: elements of a frame's vector.
  ///   - frameInterval: seconds.
  public init(
    width: Int, frameInterval: Double, model: ModelIdentity, modelFolder: String, tokenizer: String,
    kind: Kind = .trained, precision: Precision? = nil
  ) {
    self.kind = kind
    self.precision = precision
    self.width = width
    self.frameInterval = frameInterval
    self.model = model
    self.modelFolder = modelFolder
    self.tokenizer = tokenizer
  }

  /// The model that made the index, in words.
  public var origin: String {
    switch kind {
    case .trained: "the HERO of \(modelFolder)" + (precision.map { " in \($0.rawValue)" } ?? "")
    case .clip: "the CLIP of \(modelFolder)"
    }
  }

  var json: JSON {
    var json: JSONObject = [
      "width": .int(width), "frame_interval": .double(frameInterval), "model": model.json,
      "model_folder": .string(modelFolder), "tokenizer": .string(tokenizer),
    ]
    if case .clip(let activation) = kind { json["clip"] = .string(activation?.rawValue ?? "") }
    if let precision { json["precision"] = .string(precision.rawValue) }
    return .object(json)
  }

  init(_ json: JSON, file: String) throws {
    guard let width = json["width"]?.int, (1...65_536).contains(width),
      let interval = json["frame_interval"]?.double,
      let model = json["model"].flatMap(ModelIdentity.init), let folder = json["model_folder"]?.string,
      let tokenizer = json["tokenizer"]?.string
    else { throw DataError("its head lacks something", file: file, cure: "Make the index again") }
    try IndexChecks.require(frameInterval: interval, file: file)
    var kind = Kind.trained
    if let clip = json["clip"] {
      guard let name = clip.string, name.isEmpty || CLIPActivation(rawValue: name) != nil else {
        throw DataError(
          "its head says \(clip.shown) of CLIP", file: file,
          cure: "Make the index again with 'hero index'")
      }
      kind = .clip(CLIPActivation(rawValue: name))
    }
    let precision = json["precision"]?.string.flatMap(Precision.init)
    if let given = json["precision"], precision == nil {
      throw DataError(
        "its videos were encoded in \(given.shown), which this program does not know", file: file,
        cure: "Make the index again with 'hero index', or use the program that made it")
    }
    self.init(
      width: width, frameInterval: interval, model: model, modelFolder: folder, tokenizer: tokenizer,
      kind: kind, precision: precision)
  }
}

/// The identity of the model that encoded videos.
///
/// Vectors of two models cannot be compared.
public struct ModelIdentity: Equatable, Sendable {
  /// The hash of the weights file.
  public var checkpoint: String
  /// The hash of the model's shape and of how videos are cut.
  public var configuration: String
  /// The hash of the tokenizer's vocabulary and merges.
  public var tokenizer: String

  /// - Parameters:
  ///   - checkpoint: hash of the weights.
  ///   - configuration: hash of the model's shape and of how videos are cut.
  ///   - tokenizer: hash of vocabulary and merges.
  public init(checkpoint: String, configuration: String, tokenizer: String) {
    self.checkpoint = checkpoint
    self.configuration = configuration
    self.tokenizer = tokenizer
  }

  var json: JSON {
    [
      "checkpoint": .string(checkpoint), "configuration": .string(configuration),
      "tokenizer": .string(tokenizer),
    ]
  }

  init?(_ json: JSON) {
    guard let checkpoint = json["checkpoint"]?.string, let configuration = json["configuration"]?.string,
      let tokenizer = json["tokenizer"]?.string
    else { return nil }
    self.init(checkpoint: checkpoint, configuration: configuration, tokenizer: tokenizer)
  }

  /// Returns what differs from another model, as a subject with its verb; nil if nothing does.
  func difference(from other: ModelIdentity) -> String? {
    let parts = [
      ("weights", checkpoint == other.checkpoint), ("configuration", configuration == other.configuration),
      ("tokenizer", tokenizer == other.tokenizer),
    ].filter { !$0.1 }.map(\.0)
    guard let first = parts.first else { return nil }
    return parts.joined(separator: " and ") + (parts.count > 1 || first == "weights" ? " differ" : " differs")
  }
}
