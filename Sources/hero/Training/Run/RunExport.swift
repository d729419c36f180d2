import Formats
import Foundation
import Model

/// `hero export`: a checkpoint of a run in a format for another program.
public struct RunExport {
  private let folder: RunFolder

  /// The formats of an export.
  public enum Format: String, CaseIterable, Sendable {
    case pt, safetensors
    /// A folder in the Hugging Face Hub's layout: weights, `config.json` and a model card.
    case hub

    /// The extensions of the format's files; none for a folder.
    private var endings: [String] {
      switch self {
      case .pt: ["pt", "pth", "bin", "ckpt"]
      case .safetensors: ["safetensors"]
      case .hub: []
      }
    }

    /// Finds the format by a file name's extension; nil if no format has it.
    fileprivate init?(named path: String) {
      guard let format = Self.allCases.first(where: { $0.endings.contains(Self.ending(of: path)) }) else {
        return nil
      }
      self = format
    }

    /// Refuses a file name with the extension of another format.
    fileprivate func require(_ path: String) throws {
      let ending = Self.ending(of: path)
      let others = Self.allCases.filter { $0 != self }.flatMap(\.endings) + ["npz", "onnx", "h5", "gguf"]
      guard others.contains(ending) else { return }
      let fitting = Self(named: path).map { "--format \($0.rawValue), or " } ?? ""
      throw UsageError(
        "--output \(path) is named as a .\(ending), and --format is \(rawValue). Give \(fitting)another name")
    }

    private static func ending(of path: String) -> String { (path as NSString).pathExtension.lowercased() }
  }

  /// - Parameter path: the folder of a run of this program or of the reference.
  public init(path: String) { folder = RunFolder(path: path) }

  /// Writes the weights under the reference's names.
  ///
  /// - Parameters:
  ///   - checkpoint: a step, `best`, `latest` or a file.
  ///   - format: nil for the format of the extension of `output`, else PyTorch's.
  ///   - output: the file, or the folder for `hub`; nil for `ckpt/model_step_N` in the run's
  ///     folder, where the reference looks for it.
  ///   - overwrites: whether an existing file may be replaced.
  /// - Returns: the path of the file or folder.
  /// - Throws: `UsageError` for the extension of another format, `DataError` if the weights cannot
  ///   be read or the file exists.
  public func run(
    checkpoint: String, format: Format? = nil, output: String? = nil, overwrites: Bool = false
  ) throws -> String {
    let format = format ?? output.flatMap { Format(named: $0) } ?? .pt
    if let output { try format.require(output) }
    guard format != .hub else { return try writeFolder(checkpoint, output) }
    let kind: RunCheckpoint.Format = format == .pt ? .pt : .safetensors
    let (path, label) = try folder.checkpoint(named: checkpoint)
    let output = output ?? "\(folder.checkpoints)/model_step_\(label).\(kind.rawValue)"
    guard !OutputFile.isSame(output, path) else {
      throw DataError("is the checkpoint itself", file: output, cure: "Give another --output")
    }
    try OutputFile.require(output, overwrites: overwrites)
    try write(path, as: kind, to: output)
    return output
  }

  /// Writes a folder that contains all that describes the run, and returns its path.
  private func writeFolder(_ checkpoint: String, _ output: String?) throws -> String {
    guard let output else { throw UsageError("--format hub writes a folder; give --output") }
    let (path, _) = try folder.checkpoint(named: checkpoint)
    let made = try OutputFolder(path: output)
    try write(path, as: .safetensors, to: "\(made.partial)/model.safetensors")
    try folder.describe(into: made.partial)
    try made.commit()
    return made.path
  }

  private func write(_ path: String, as kind: RunCheckpoint.Format, to output: String) throws {
    let weights = try Checkpoint(path: path)
    try weights.verify()
    let list = try weights.names.map { name in
      guard let shape = try weights.shape(name) else {
        throw DataError("is of a type that is not read", file: path, place: "parameter \"\(name)\"")
      }
      return (name: name, shape: shape)
    }
    let bytes = { (index: Int) throws -> [UInt8] in
      guard let array = try weights.array(list[index].name) else {
        throw DataError("is gone", file: path, place: "parameter \"\(list[index].name)\"")
      }
      return NDArray(floats: array.floats(), shape: array.shape).bytes
    }
    switch kind {
    case .pt:
      // The reference records whether its table of words is padded to a multiple of 8.
      let words = list.filter { $0.name.hasSuffix("word_embeddings.weight") }
      let isPadded = !words.isEmpty && words.allSatisfy { ($0.shape.first ?? 1) % 8 == 0 }
      try TorchWriter.write(path: output, list: list, flags: [("vocab_padded", isPadded)], bytes: bytes)
    case .safetensors:
      try Safetensors.write(
        path: output, list: list.map { (name: $0.name, type: ScalarType.float32, shape: $0.shape) },
        metadata: ["format": "pt"], bytes: bytes)
    }
  }
}
