import Engine
import Formats

/// Named arrays of a checkpoint file, read one at a time.
public final class Checkpoint {
  public let path: String
  /// In the file's order, without what an optimizer may have put beside the model.
  public let names: [String]
  private let source: Source

  private enum Source {
    case safetensors(SafetensorsFile)
    case torch(TorchCheckpoint, prefix: String)
  }

  /// Opens a `.safetensors` file or a PyTorch checkpoint (either of its formats), whatever it is called.
  ///
  /// - Throws: `DataError` where it is neither, is cut short, or asks for anything but data.
  public init(path: String) throws {
    self.path = path
    let file = try MappedFile(path: path)
    let head = try file.withBytes(at: 0, count: min(file.count, 9)) { Array($0) }
    // A safetensors file begins with its header's length, in 8 bytes, and the header, which is JSON.
    if head.count == 9, head[8] == UInt8(ascii: "{"), head[6] == 0, head[7] == 0 {
      let file = try SafetensorsFile(path: path)
      source = .safetensors(file)
      names = file.entries.map(\.name)
    } else {
      let torch = try TorchCheckpoint(path: path)
      let prefix = torch.stateName.map { $0 + "." } ?? ""
      source = .torch(torch, prefix: prefix)
      names = torch.tensors.map(\.name).filter { $0.hasPrefix(prefix) }.map {
        String($0.dropFirst(prefix.count))
      }
    }
  }

  /// Compares the file with the hash that it was written with, if it has one. Whoever takes weights from it does so first; whoever
  /// only looks at shapes need not read hundreds of megabytes.
  /// - Throws: `DataError` where they differ.
  func verify() throws {
    if case .safetensors(let file) = source { try file.verify() }
  }

  /// The array of this name; nil if there is none.
  public func array(_ name: String) throws -> NDArray? {
    switch source {
    case .safetensors(let file): try file.array(named: name)
    case .torch(let torch, let prefix): try torch.array(named: prefix + name)
    }
  }

  /// Width of the frames' features that the checkpoint's model reads; nil if it has no such parameter.
  public func featureWidth() throws -> Int? {
    try array("v_encoder.f_encoder.img_embeddings.img_linear.weight")?.shape.last
  }

  /// Positions a frame can have in the checkpoint's model; nil if it has no such parameter.
  func framePositions() throws -> Int? {
    try array("v_encoder.f_encoder.img_embeddings.position_embeddings.weight")?.shape.first
  }

  /// Places that FOM predicts in the checkpoint's model; nil if it has no such parameter.
  func frameOrderPlaces() throws -> Int? {
    try array("v_encoder.fom_output.linear_2.bias")?.shape.first
  }
}

/// What became of a checkpoint's arrays and a model's parameters.
public struct LoadReport: Sendable {
  public var loaded: [String] = []
  /// Parameters that the checkpoint lacks; they keep what they had.
  public var missing: [String] = []
  /// Arrays that the model has no place for.
  public var unused: [String] = []
  /// Tables with more or fewer rows than the parameter of their name: the rows that both have were taken over.
  public var resized: [(name: String, checkpoint: [Int], model: [Int])] = []
  /// Arrays of another shape than the parameter of their name, which keeps what it had.
  public var mismatched: [(name: String, checkpoint: [Int], model: [Int])] = []

  public init() {}
}

extension LoadReport {
  /// Notes the parameters that nothing was found for.
  mutating func complete(_ parameters: [Parameter]) {
    let found = Set(loaded + resized.map(\.name) + mismatched.map(\.name))
    missing = parameters.map(\.name).filter { !found.contains($0) }
  }
}

extension ParameterStore {
  /// Takes over every array whose name and shape a parameter has.
  ///
  /// Rows that pad the vocabulary may be absent on either side. Buffers of the reference that mean nothing (`pad`,
  /// `tri_mask`, `one_hot`, `vocab_padded`) and the second name of the tied word embedding are passed over.
  /// - Parameter tolerant: take what fits: of tables of positions the rows that both have, of other arrays that do not
  ///   fit nothing. Otherwise a shape that does not fit is an error.
  /// - Throws: `DataError` naming the parameter and both shapes, and for a file that is not as it was written.
  public func load(_ checkpoint: Checkpoint, tolerant: Bool = false) throws -> LoadReport {
    try checkpoint.verify()
    var report = LoadReport()
    for name in checkpoint.names where !isBuffer(name) {
      guard let parameter = self[name] else {
        report.unused.append(name)
        continue
      }
      guard let array = try checkpoint.array(name) else { continue }
      try take(array, into: parameter, of: checkpoint, tolerant: tolerant, &report)
    }
    report.complete(parameters)
    return report
  }

  /// Overwrites a parameter with an array, or with what fits of it, and notes what became of it.
  func take(
    _ array: NDArray, into parameter: Parameter, of checkpoint: Checkpoint, tolerant: Bool,
    _ report: inout LoadReport
  ) throws {
    if let values = fit(array, to: parameter) {
      set(parameter, to: values)
      report.loaded.append(parameter.name)
    } else if tolerant, let values = commonRows(array, parameter) {
      set(parameter, to: values)
      report.resized.append((parameter.name, array.shape, parameter.shape))
    } else if tolerant {
      report.mismatched.append((parameter.name, array.shape, parameter.shape))
    } else {
      throw DataError(
        "has the shape \(array.shape) in the checkpoint, \(parameter.shape) in the model",
        file: checkpoint.path,
        place: "parameter \"\(parameter.name)\"",
        cure: "Use the model_config and the feature store that the checkpoint was trained with")
    }
  }

  /// A table of positions with the array's rows as far as both go; nil if it is none, or rows differ in width.
  private func commonRows(_ array: NDArray, _ parameter: Parameter) -> [Float]? {
    let tables = ["position_embeddings.weight", "fom_output.linear_2.weight", "fom_output.linear_2.bias"]
    guard tables.contains(where: { parameter.name.hasSuffix($0) }),
      array.shape.count == parameter.shape.count, array.shape.dropFirst() == parameter.shape.dropFirst()
    else { return nil }
    let given = array.floats().prefix(parameter.count)
    return Array(given) + values(of: parameter)[given.count...]
  }

  /// The array's elements for a parameter of the same shape, or of one whose vocabulary is padded otherwise.
  private func fit(_ array: NDArray, to parameter: Parameter) -> [Float]? {
    if array.shape == parameter.shape { return array.floats() }
    let padded = ["word_embeddings.weight", "lm_head.bias"].contains { parameter.name.hasSuffix($0) }
    guard padded, let rows = array.shape.first, let wanted = parameter.shape.first,
      array.shape.dropFirst() == parameter.shape.dropFirst(), (rows + 7) / 8 == (wanted + 7) / 8
    else { return nil }
    let width = parameter.count / max(1, wanted)
    let values = array.floats().prefix(parameter.count)
    return values + [Float](repeating: 0, count: max(0, wanted - rows) * width)
  }

  private func isBuffer(_ name: String) -> Bool {
    name.hasSuffix(".pad") || name.hasSuffix("lm_head.decoder.weight") || name == "decoder.tri_mask"
      || name == "loss_func.one_hot" || name == "vocab_padded"
  }

  /// Every parameter by its name, in the order of declaration.
  public func save(to path: String, metadata: [String: String] = [:]) throws {
    let list = parameters.map { (name: $0.name, type: ScalarType.float32, shape: $0.shape) }
    try Safetensors.write(path: path, list: list, metadata: metadata) { index in
      NDArray(floats: values(of: parameters[index]), shape: parameters[index].shape).bytes
    }
  }
}
