import Foundation

/// The arrays of a trained model by the model's own names, in whatever format they were saved.
///
/// It reads safetensors, PyTorch's `save`, plain pickles and numpy's `.npz`, each also in shards.
/// `WeightNames` strips what wrappers and dictionaries put around the names. Arrays are read one by
/// one on request. Safe to use from several threads.
public final class WeightFile: Sendable {
  /// The path, as the user named it.
  public let path: String
  /// The files that hold the arrays.
  public var files: [String] { sources.map(\.path) }
  /// The names of all arrays, in the files' order.
  public let names: [String]
  /// The notes for the user, a line each, on what was stripped from the names and what was skipped.
  public let notes: [String]

  private let sources: [any WeightSource]
  private let places: [String: (source: Int, name: String)]

  /// Opens the file, or the folder of one model, at `path`.
  ///
  /// - Parameter start: returns the number of bytes in a name before the model's own name, or nil
  ///   if the name does not tell. Without it, only known prefixes are stripped.
  /// - Throws: `DataError` if the file has none of these formats, is damaged or incomplete, asks to
  ///   run anything, or holds two models.
  public init(path: String, start: ((String) -> Int?)? = nil) throws {
    self.path = path
    let shards = try WeightShards(path: path)
    let sources = try shards.files.map(Self.open)
    var stored: [String: Int] = [:]
    var order: [String] = []
    for (number, source) in sources.enumerated() {
      for name in source.names where shards.holds(name, file: number) {
        if let other = stored.updateValue(number, forKey: name), other != number {
          throw DataError(
            "it stands in \(shards.files[other]) as well", file: shards.files[number],
            place: "tensor “\(name)”", cure: "Give the shards of one model")
        }
        order.append(name)
      }
    }
    try shards.requireAll(stored)
    let named = try DataError.locating(file: path) { try WeightNames(order, start: start) }
    names = named.kept.map(\.name)
    notes = (shards.note.map { [$0] } ?? []) + named.notes.map { "\(path): \($0)" }
    places = Dictionary(
      named.kept.map { ($0.name, (source: stored[$0.stored] ?? 0, name: $0.stored)) },
      uniquingKeysWith: { first, _ in first })
    self.sources = sources
  }

  /// Compares the files with the hashes stored in them, if there are any.
  public func verify() throws {
    for source in sources { try source.verify() }
  }

  /// Returns whether there is an array of this name, readable or not.
  public func contains(_ name: String) -> Bool { places[name] != nil }

  /// Returns the shape of the array of this name; nil if there is none or its type is not
  /// supported.
  public func shape(_ name: String) throws -> [Int]? {
    guard let place = places[name] else { return nil }
    return try sources[place.source].shape(named: place.name)
  }

  /// Returns the array of this name; nil if there is none.
  ///
  /// - Throws: `DataError` naming the file and the parameter if the array is empty or damaged, if
  ///   its element type is an integer or not supported, or if its elements are not all finite.
  public func array(_ name: String) throws -> NDArray? {
    guard let place = places[name] else { return nil }
    let source = sources[place.source]
    let array = try source.array(named: place.name)
    if let array, !array.type.isFloatingPoint {
      throw DataError(
        "is of \(array.type), as weights are quantized, and nothing says what its numbers stand for",
        file: source.path, place: "parameter \"\(place.name)\"",
        cure: "Give the weights as float32, float16 or bfloat16")
    }
    if array?.count == 0 {
      throw DataError(
        "has no elements, as the files of one process have under DeepSpeed's ZeRO stage 3 or FSDP",
        file: source.path, place: "parameter \"\(place.name)\"",
        cure: "Gather the weights into one file, by DeepSpeed's zero_to_fp32.py or a full state dict")
    }
    try array?.requireFinite(file: source.path, parameter: place.name)
    return array
  }

  private static func open(_ path: String) throws -> any WeightSource {
    let file = try MappedFile(path: path)
    let head = try file.bytes(at: 0, count: min(file.count, 9))
    // A safetensors file begins with the length of its header in 8 bytes, then the header in JSON.
    if head.count == 9, head[8] == UInt8(ascii: "{"), head[6] == 0, head[7] == 0 {
      return try SafetensorsFile(path: path)
    }
    if NPZ.recognizes(head), let archive = try NumpyArchive(path: path) { return archive }
    let checkpoint = try TorchCheckpoint(path: path)
    try checkpoint.requireArrays()
    return checkpoint
  }
}

/// A file of arrays by the names in that file.
protocol WeightSource: Sendable {
  var path: String { get }
  var names: [String] { get }
  func shape(named name: String) throws -> [Int]?
  func array(named name: String) throws -> NDArray?
  func verify() throws
}

extension SafetensorsFile: WeightSource {
  var names: [String] { entries.map(\.name) + foreign.keys.sorted() }
  func shape(named name: String) -> [Int]? { entry(named: name)?.shape }
}

extension TorchCheckpoint: WeightSource {
  var names: [String] { arrays.map(\.name) }
  func verify() {}

  /// Rejects a checkpoint without a single array, and says what it holds instead.
  func requireArrays() throws {
    guard arrays.isEmpty else { return }
    let objects =
      [(key: "", value: root)] + (root.entries ?? []).map { (key: $0.key.string ?? "", value: $0.value) }
    for case (let key, .object(let name)) in objects {
      throw DataError(
        "is a Python object of the class \(name), not a dictionary of arrays", file: path,
        place: key.isEmpty ? nil : "“\(key)”",
        cure: "Save the weights alone: torch.save(model.state_dict(), …)")
    }
    throw DataError(
      "holds no arrays", file: path,
      cure: "Give a file of weights, as torch.save(model.state_dict(), …) makes it")
  }
}
