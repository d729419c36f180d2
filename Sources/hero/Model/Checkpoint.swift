import Engine
import Formats

/// Named arrays of a checkpoint, read one at a time: a HERO's, in whole or in part, or a RoBERTa's.
public final class Checkpoint {
  /// As the user named it.
  public let path: String
  /// By the model's own names, in the file's order, without what an optimizer may have put beside
  /// the model.
  public let names: [String]
  /// What a user should know of how the file was read, a line each.
  public let notes: [String]
  private let file: WeightFile
  /// The file's name of an array that is called otherwise here.
  private let spellings: [String: String]

  static let words = "embeddings.word_embeddings.weight"

  /// Opens a file of weights, or the folder of a model, in any format of `WeightFile`, whatever it
  /// is called.
  ///
  /// - Throws: `DataError` where it is none, is cut short, or asks for anything but data.
  public init(path: String) throws {
    self.path = path
    file = try WeightFile(path: path, start: Self.start)
    notes = file.notes
    // TensorFlow's names of what scales and shifts a layer norm, in checkpoints that were made from
    // its own.
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

  /// Where a HERO's own names begin, or a RoBERTa's.
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

  /// Compares the file with the hash that it was written with, if it has one. Whoever takes weights
  /// from it does so first; whoever only looks at shapes need not read hundreds of megabytes.
  /// - Throws: `DataError` where they differ.
  public func verify() throws { try file.verify() }

  /// The array of this name; nil if there is none.
  ///
  /// - Throws: `DataError` naming the parameter where the array is damaged, of a type that is not
  ///   read, or not finite.
  public func array(_ name: String) throws -> NDArray? { try file.array(spellings[name] ?? name) }

  /// The shape of the array of this name; nil if there is none, or none of a type that is read.
  public func shape(_ name: String) throws -> [Int]? { try file.shape(spellings[name] ?? name) }

  /// Width of the frames' features that the checkpoint's model reads; nil if it has no such
  /// parameter.
  public func featureWidth() throws -> Int? {
    try shape("v_encoder.f_encoder.img_embeddings.img_linear.weight")?.last
  }

  /// Positions a frame can have in the checkpoint's model; nil if it has no such parameter.
  func framePositions() throws -> Int? {
    try shape("v_encoder.f_encoder.img_embeddings.position_embeddings.weight")?.first
  }

  /// Places that FOM predicts in the checkpoint's model; nil if it has no such parameter.
  func frameOrderPlaces() throws -> Int? {
    try shape("v_encoder.fom_output.linear_2.bias")?.first
  }
}

/// What became of a checkpoint's arrays and a model's parameters.
public struct LoadReport: Sendable {
  /// Names of parameters that took the checkpoint's values whole.
  public var loaded: [String] = []
  /// Parameters that the checkpoint lacks; they keep what they had.
  public var missing: [String] = []
  /// Arrays that the model has no place for.
  public var unused: [String] = []
  /// Tables with more or fewer rows than the parameter of their name: the rows that both have were
  /// taken over.
  public var resized: [(name: String, checkpoint: [Int], model: [Int])] = []
  /// Arrays of another shape than the parameter of their name, which keeps what it had.
  public var mismatched: [(name: String, checkpoint: [Int], model: [Int])] = []
  /// What a user should know of it, a line each.
  public var notes: [String] = []

  /// Nothing loaded yet.
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
  /// Takes over every array whose name and shape a parameter has.
  ///
  /// Rows that pad the vocabulary may be absent on either side. Buffers of the reference that mean
  /// nothing (`pad`, `tri_mask`, `one_hot`, `vocab_padded`) and the second name of the tied word
  /// embedding are passed over.
  /// - Parameter tolerant: take what fits: of tables of positions the rows that both have, of other
  ///   arrays that do not fit nothing. Otherwise a shape that does not fit is an error, and a head
  ///   may have the name of the like one of another task (VALUE calls VIOLIN's as TVQA's is
  ///   called).
  /// - Throws: `DataError` naming the parameter and both shapes, or what is no finite number, and
  ///   for a file that is not as it was written.
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

  /// Weights with more layers are those of another model, whose answers these layers would not
  /// give.
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

  /// The heads of answers and statements are alike: where the checkpoint lacks ours and has the
  /// other, its beginning and ours.
  private func otherHead(in checkpoint: Checkpoint) -> (theirs: String, ours: String)? {
    let names = Set(checkpoint.names)
    return [("qa_", "violin_"), ("violin_", "qa_")].first { theirs, ours in
      func head(_ start: String) -> String { "\(start)pool.weight" }
      return self[head(ours)] != nil && self[head(theirs)] == nil && names.contains(head(theirs))
        && !names.contains(head(ours))
    }
  }

  /// Overwrites a parameter with an array, or with what fits of it, and notes what became of it.
  func take(
    _ name: String, of checkpoint: Checkpoint, into parameter: Parameter, tolerant: Bool,
    _ report: inout LoadReport
  ) throws {
    // What does not fit is not read; what is of no type that is read says so.
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
      // It says so.
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

  /// Whether it is a table of positions, of which rows as far as both go can be taken.
  private func hasCommonRows(_ shape: [Int], _ parameter: Parameter) -> Bool {
    let tables = ["position_embeddings.weight", "fom_output.linear_2.weight", "fom_output.linear_2.bias"]
    return tables.contains(where: { parameter.name.hasSuffix($0) }) && shape.count == parameter.shape.count
      && !shape.contains(0) && shape.dropFirst() == parameter.shape.dropFirst()
  }

  /// Whether an array is a parameter's, of the same shape or of a vocabulary that is padded
  /// otherwise.
  private func fits(_ shape: [Int], _ parameter: Parameter) -> Bool {
    if shape == parameter.shape { return true }
    let isPadded = ["word_embeddings.weight", "lm_head.bias"].contains { parameter.name.hasSuffix($0) }
    guard isPadded, let rows = shape.first, let wanted = parameter.shape.first, rows > 0 else { return false }
    return shape.dropFirst() == parameter.shape.dropFirst() && (rows - 1) / 8 == (wanted - 1) / 8
  }

  /// An array's elements with zeros for the rows that pad the vocabulary, or without such rows.
  private func padded(_ values: [Float], to parameter: Parameter) -> [Float] {
    if values.count == parameter.count { return values }
    return values.prefix(parameter.count)
      + [Float](repeating: 0, count: max(0, parameter.count - values.count))
  }

  private func isBuffer(_ name: String) -> Bool {
    name.hasSuffix(".pad") || name.hasSuffix("lm_head.decoder.weight") || name == "decoder.tri_mask"
      || name.hasSuffix("loss_func.one_hot") || name == "vocab_padded"
  }

  /// Every parameter by its name, in the order of declaration.
  public func save(to path: String, metadata: [String: String] = [:]) throws {
    let list = parameters.map { (name: $0.name, type: ScalarType.float32, shape: $0.shape) }
    try Safetensors.write(path: path, list: list, metadata: metadata) { index in
      NDArray(floats: values(of: parameters[index]), shape: parameters[index].shape).bytes
    }
  }
}
