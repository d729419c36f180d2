import Formats
import Foundation

/// The arrays of a trained network, by the names of its PyTorch module.
///
/// Reads what PyTorch's `save` wrote (a state dict, or a dictionary with one in it), what
/// `torch.jit.save` wrote, Hugging Face's safetensors, and Caffe2's pickled blobs of SlowFast,
/// whose names it translates.
public struct NetworkWeights {
  /// The path, as the user named it.
  public let path: String
  /// All names, in the file's order.
  public let names: [String]
  /// What a user should know of how the file was read, a line each.
  public let notes: [String]
  private let known: Set<String>
  private let read: (String) throws -> NDArray?

  /// Opens the file at `path`; its arrays are read one by one on request.
  ///
  /// Throws `DataError` if it is none of these formats, or damaged.
  public init(path: String) throws {
    if try Self.isPlainPickle(path), let blobs = try Caffe2Blobs(path: path) {
      self.init(path: path, names: blobs.names) { name in
        try blobs[name]?.requireFinite(file: path, parameter: name)
        return blobs[name]
      }
    } else {
      let file = try WeightFile(path: path)
      self.init(path: path, names: file.names, notes: file.notes) { try file.array($0) }
    }
  }

  /// Arrays that are in memory already.
  public init(path: String, arrays: [(name: String, array: NDArray)]) {
    let byName = Dictionary(arrays.map { ($0.name, $0.array) }, uniquingKeysWith: { first, _ in first })
    self.init(path: path, names: arrays.map(\.name)) { byName[$0] }
  }

  private init(
    path: String, names: [String], notes: [String] = [], read: @escaping (String) throws -> NDArray?
  ) {
    self.path = path
    self.names = names
    self.notes = notes
    self.read = read
    known = Set(names)
  }

  /// Whether there is an array of this name, readable or not.
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
  /// - Throws: `DataError` where one is missing between others.
  func blocks(_ prefix: (Int) -> String) throws -> Int {
    func holds(_ number: Int) -> Bool {
      let start = prefix(number).utf8
      return names.contains { $0.utf8.starts(with: start) }
    }
    var count = 0
    while holds(count) { count += 1 }
    if let later = (count + 1..<count + Self.mostMissing).first(where: holds) {
      throw DataError(
        "has “\(prefix(later))…” and no “\(prefix(count))…”", file: path,
        cure: "The weights are not whole: get them again")
    }
    return count
  }

  /// Blocks that are looked for behind the last; no stage of a known network has more.
  private static let mostMissing = 64

  /// Whether it begins like a pickle, and not like the older files of PyTorch, whose first pickle
  /// is a number of ten bytes.
  private static func isPlainPickle(_ path: String) throws -> Bool {
    if FileManager.default.isFolder(path) { return false }
    let head = try MappedFile(path: path).withBytes { Array($0.prefix(4)) }
    return (head.first == 0x80 || head.first == UInt8(ascii: "("))
      && !head.dropFirst(2).starts(with: [0x8a, 10])
  }
}
