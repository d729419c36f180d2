import Engine
import Formats

/// The named arrays of a checkpoint (a HERO, whole or in part, or a RoBERTa), read one at a time.
public final class Checkpoint {
  /// The path as the user gave it.
  public let path: String
  /// The names as the model spells them, in the file's order, without an optimizer's arrays.
  public let names: [String]
  /// What a user should know of how the file was read, one line each.
  public let notes: [String]
  private let file: WeightFile
  /// The file's spelling of each name that it spells differently.
  private let spellings: [String: String]

  static let words = "embeddings.word_embeddings.weight"

  /// Opens a file of weights, or a model's folder, in any format of `WeightFile`.
  ///
  /// The name of the file does not matter.
  /// - Throws: `DataError` if it is no such file, is truncated, or holds anything but data.
  public init(path: String) throws {
    self.path = path
    file = try WeightFile(path: path, start: Self.start)
    notes = file.notes
    // Checkpoints converted from TensorFlow keep its names of a layer norm's scale and shift.
    var spellings: [String: String] = [:]
    names = file.names.map { [file] name in
      var own = name
      if name.hasSuffix(".gamma") { own = name.dropLast("gamma".count) + "weight" }
      if name.hasSuffix(".beta") { own = name.dropLast("beta".count) + "bias" }
      guard own != name, !file.contains(own) else { return name }
      spellings[own] = name
      return own
    }
    self.spellings = spellings
  }

  /// Returns where the names of a HERO or a RoBERTa begin in an array's name.
  private static func start(of name: String) -> Int? {
    let parts = name.split(separator: ".", omittingEmptySubsequences: false)
    var place = 0
    for part in parts {
      if part == "v_encoder" { return place }
      place += part.utf8.count + 1
    }
    guard name == words || name.hasSuffix(".\(words)") else { return nil }
    let before = name.dropLast(words.count)
    return (before.hasSuffix("roberta.") ? before.dropLast("roberta.".count) : before).utf8.count
  }

  /// Compares the file with its stored hash, if it has one.
  ///
  /// Call it before taking weights. Reading shapes alone does not need it, and saves reading
  /// hundreds of megabytes.
  /// - Throws: `DataError` if they differ.
  public func verify() throws { try file.verify() }

  /// Reads the array of this name; nil if there is none.
  ///
  /// - Throws: `DataError` naming the parameter if the array is damaged, not finite, or of an
  ///   unsupported type.
  public func array(_ name: String) throws -> NDArray? { try file.array(spellings[name] ?? name) }

  /// Returns the shape of the array of this name; nil if there is none of a supported type.
  public func shape(_ name: String) throws -> [Int]? { try file.shape(spellings[name] ?? name) }

  /// Returns the feature width that the checkpoint's model reads; nil if it has no such parameter.
  public func featureWidth() throws -> Int? {
    try shape("v_encoder.f_encoder.img_embeddings.img_linear.weight")?.last
  }

  /// Returns the number of frame positions of the checkpoint's model; nil if it has no such
  /// parameter.
  func framePositions() throws -> Int? {
    try shape("v_encoder.f_encoder.img_embeddings.position_embeddings.weight")?.first
  }

  /// Returns the number of places that the checkpoint's FOM head predicts; nil if it has none.
  func frameOrderPlaces() throws -> Int? {
    try shape("v_encoder.fom_output.linear_2.bias")?.first
  }
}

/// The outcome of loading a checkpoint into a model.
public struct LoadReport: Sendable {
  /// Parameters that took the checkpoint's values in full.
  public var loaded: [String] = []
  /// Parameters that the checkpoint lacks; they keep their values.
  public var missing: [String] = []
  /// Arrays without a parameter in the model.
  public var unused: [String] = []
  /// Tables whose number of rows differs from the parameter's; the common rows are loaded.
  public var resized: [(name: String, checkpoint: [Int], model: [Int])] = []
  /// Arrays whose shape differs from the parameter's, which keeps its values.
  public var mismatched: [(name: String, checkpoint: [Int], model: [Int])] = []
  /// What a user should know of the loading, one line each.
  public var notes: [String] = []

  /// Makes an empty report.
  public init() {}
}

extension LoadReport {
  /// Lists the parameters without a value in the checkpoint as missing.
  mutating func complete(_ parameters: [Parameter]) {
    let found = Set(loaded + resized.map(\.name) + mismatched.map(\.name))
    missing = parameters.map(\.name).filter { !found.contains($0) }
  }
}

extension ParameterStore {
  /// Loads every array whose name and shape match a parameter.
  ///
  /// Rows that pad the vocabulary may be absent on either side. The reference's unused buffers
  /// (`pad`, `tri_mask`, `one_hot`, `vocab_padded`) are skipped, and so is the second name of the
  /// tied word embedding.
  /// - Parameter tolerant: true loads what fits: the common rows of tables of positions, and
  ///   nothing of other arrays that do not fit. If false, a shape that does not fit is an error,
  ///   and a head may have the name of another task's equal head (VALUE's VIOLIN has TVQA's).
  /// - Throws: `DataError` naming the parameter and both shapes, or a value that is not finite;
  ///   also for a file that does not match its hash.
  public func load(_ checkpoint: Checkpoint, tolerant: Bool = false) throws -> LoadReport {
    try checkpoint.verify()
    var report = LoadReport()
    let head = tolerant ? nil : otherHead(in: checkpoint)
    if let head { report.notes.append("its “\(head.theirs)…” is taken as “\(head.ours)…”") }
    for name in checkpoint.names where !isBuffer(name) {
      var place = name
      if let head, name.hasPrefix(head.theirs) { place = head.ours + name.dropFirst(head.theirs.count) }
      guard let parameter = self[place] else {
        report.unused.append(name)
        continue
      }
      try take(name, of: checkpoint, into: parameter, tolerant: tolerant, &report)
    }
    report.complete(parameters)
    if !tolerant { try refuseFurtherLayers(report.unused, file: checkpoint.path) }
    return report
  }

  /// Refuses weights with more layers: they belong to another model, with other answers.
  private func refuseFurtherLayers(_ unused: [String], file: String) throws {
    for name in unused {
      guard let mark = name.firstRange(of: ".layer."),
        let number = Int(name[mark.upperBound...].prefix { $0 != "." })
      else { continue }
      let stack = name[..<mark.upperBound]
      let own = parameters.lazy.map(\.name).filter { $0.hasPrefix(stack) }
      guard let some = own.first, !own.contains(where: { $0.hasPrefix("\(stack)\(number).") }) else {
        continue
      }
      throw DataError(
        "is of layer \(number), which the model that has \"\(some)\" lacks: the weights are of more layers",
        file: file, place: "parameter \"\(name)\"",
        cure: "Use the model_config that they were trained with, whose \"num_hidden_layers\" counts all")
    }
  }

  /// Returns the prefix of the checkpoint's head and of ours, where they are of different tasks.
  ///
  /// The heads of answers and of statements have the same form.
  private func otherHead(in checkpoint: Checkpoint) -> (theirs: String, ours: String)? {
    let names = Set(checkpoint.names)
    return [("qa_", "violin_"), ("violin_", "qa_")].first { theirs, ours in
      func head(_ start: String) -> String { "\(start)pool.weight" }
      return self[head(ours)] != nil && self[head(theirs)] == nil && names.contains(head(theirs))
        && !names.contains(head(ours))
    }
  }

  /// Overwrites a parameter with an array, or with its part that fits, and reports the outcome.
  func take(
    _ name: String, of checkpoint: Checkpoint, into parameter: Parameter, tolerant: Bool,
    _ report: inout LoadReport
  ) throws {
    // An array that does not fit is not read. One of an unsupported type throws here.
    guard let shape = try checkpoint.shape(name) else {
      _ = try checkpoint.array(name)
      return
    }
    if fits(shape, parameter), let array = try checkpoint.array(name) {
      set(parameter, to: padded(array.floats(), to: parameter))
      report.loaded.append(parameter.name)
    } else if tolerant, hasCommonRows(shape, parameter), let array = try checkpoint.array(name) {
      let given = array.floats().prefix(parameter.count)
      set(parameter, to: Array(given) + values(of: parameter)[given.count...])
      report.resized.append((parameter.name, shape, parameter.shape))
    } else if shape.contains(0) {
      // This throws and names the empty array.
      _ = try checkpoint.array(name)
    } else if tolerant {
      report.mismatched.append((parameter.name, shape, parameter.shape))
    } else {
      throw DataError(
        "has the shape \(shape) in the checkpoint, \(parameter.shape) in the model",
        file: checkpoint.path,
        place: "parameter \"\(parameter.name)\"",
        cure: "Use the model_config and the feature store that the checkpoint was trained with")
    }
  }

  /// Returns whether an array is a table of positions, whose common rows can be loaded.
  private func hasCommonRows(_ shape: [Int], _ parameter: Parameter) -> Bool {
    let tables = ["position_embeddings.weight", "fom_output.linear_2.weight", "fom_output.linear_2.bias"]
    return tables.contains(where: { parameter.name.hasSuffix($0) }) && shape.count == parameter.shape.count
      && !shape.contains(0) && shape.dropFirst() == parameter.shape.dropFirst()
  }

  /// Returns whether an array has the parameter's shape, except for the vocabulary's padding.
  private func fits(_ shape: [Int], _ parameter: Parameter) -> Bool {
    if shape == parameter.shape { return true }
    let isPadded = ["word_embeddings.weight", "lm_head.bias"].contains { parameter.name.hasSuffix($0) }
    guard isPadded, let rows = shape.first, let wanted = parameter.shape.first, rows > 0 else { return false }
    return shape.dropFirst() == parameter.shape.dropFirst() && (rows - 1) / 8 == (wanted - 1) / 8
  }

  /// Returns an array's elements with zeros for, or without, the rows that pad the vocabulary.
  private func padded(_ values: [Float], to parameter: Parameter) -> [Float] {
    if values.count == parameter.count { return values }
    return values.prefix(parameter.count)
      + [Float](repeating: 0, count: max(0, parameter.count - values.count))
  }

  private func isBuffer(_ name: String) -> Bool {
    name.hasSuffix(".pad") || name.hasSuffix("lm_head.decoder.weight") || name == "decoder.tri_mask"
      || name.hasSuffix("loss_func.one_hot") || name == "vocab_padded"
  }

  /// Writes every parameter by its name, in the order of declaration.
  public func save(to path: String, metadata: [String: String] = [:]) throws {
    let list = parameters.map { (name: $0.name, type: ScalarType.float32, shape: $0.shape) }
    try Safetensors.write(path: path, list: list, metadata: metadata) { index in
      NDArray(floats: values(of: parameters[index]), shape: parameters[index].shape).bytes
    }
  }
}
