import Formats

/// The arrays of a trained network, by the names of its PyTorch module.
///
/// Read are what PyTorch's `save` wrote (a state dict, or a dictionary with one in it), what `torch.jit.save` wrote, Hugging
/// Face's safetensors, and Caffe2's pickled blobs of SlowFast, whose names are translated.
public struct NetworkWeights {
  /// The path, as the user named it.
  public let path: String
  /// All names, in the file's order.
  public let names: [String]
  private let known: Set<String>
  private let read: (String) throws -> NDArray?

  /// Opens the file at `path`; its arrays are read one by one as they are asked for.
  ///
  /// Throws `DataError` if it is none of these formats, or damaged.
  public init(path: String) throws {
    let kind = try Self.kind(of: path)
    switch kind {
    case .safetensors:
      let file = try SafetensorsFile(path: path)
      self.init(path: path, names: file.entries.map(\.name)) { try file.array(named: $0) }
    case .torch:
      let file = try TorchCheckpoint(path: path)
      let prefix = file.stateName.map { $0 + "." } ?? ""
      let names = file.tensors.map(\.name).filter { $0.hasPrefix(prefix) }
      self.init(path: path, names: names.map { String($0.dropFirst(prefix.count)) }) {
        try file.array(named: prefix + $0)
      }
    case .caffe2:
      let blobs = try Caffe2Blobs(path: path)
      self.init(path: path, names: blobs.names) { blobs[$0] }
    }
  }

  /// Arrays that are in memory already.
  public init(path: String, arrays: [(name: String, array: NDArray)]) {
    let byName = Dictionary(arrays.map { ($0.name, $0.array) }, uniquingKeysWith: { first, _ in first })
    self.init(path: path, names: arrays.map(\.name)) { byName[$0] }
  }

  private init(path: String, names: [String], read: @escaping (String) throws -> NDArray?) {
    self.path = path
    self.names = names
    self.read = read
    known = Set(names)
  }

  public func contains(_ name: String) -> Bool { known.contains(name) }

  /// The array of this name, which must have so many dimensions and at least one element.
  func array(_ name: String, dimensions: Int) throws -> NDArray {
    guard known.contains(name), let array = try read(name) else {
      throw DataError(
        "there is no such array", file: path, place: "parameter “\(name)”",
        cure: "Give the weights of this network; these begin with “\(names.first ?? "")”")
    }
    guard array.shape.count == dimensions, array.count > 0 else {
      throw DataError(
        "has the shape \(array.shape) where \(dimensions) dimensions are needed", file: path,
        place: "parameter “\(name)”")
    }
    return array
  }

  /// The elements of the array of this name, which must be `count`.
  func floats(_ name: String, count: Int) throws -> [Float] {
    let array = try array(name, dimensions: 1)
    guard array.count == count else {
      throw DataError(
        "has \(array.count) elements where \(count) are needed", file: path, place: "parameter “\(name)”")
    }
    return array.floats()
  }

  /// How many of prefix0, prefix1, … there are, each the beginning of a name.
  func blocks(_ prefix: (Int) -> String) -> Int {
    var count = 0
    while names.contains(where: { $0.hasPrefix(prefix(count)) }) { count += 1 }
    return count
  }

  private enum Kind { case safetensors, torch, caffe2 }

  private static func kind(of path: String) throws -> Kind {
    if path.hasSuffix(".safetensors") { return .safetensors }
    let head = try MappedFile(path: path).withBytes { Array($0.prefix(64)) }
    // Zip archives, and the older format's first pickle: a number of ten bytes that PyTorch calls magic.
    if head.starts(with: [0x50, 0x4b]) || head.dropFirst(2).starts(with: [0x8a, 10]) { return .torch }
    guard head.first == 0x80 || head.first == UInt8(ascii: "(") else {
      throw DataError(
        "is no file of weights that is known", file: path, cure: "Give a .pth, .pt, .pkl or .safetensors file"
      )
    }
    return .caffe2
  }
}
