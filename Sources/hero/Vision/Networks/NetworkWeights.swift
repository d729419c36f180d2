import Formats
import Foundation

/// The arrays of a trained network, by the names of its PyTorch module.
///
/// The formats are PyTorch's `save` (a state dict, or a dictionary that holds one),
/// `torch.jit.save`, Hugging Face's safetensors, and SlowFast's pickled Caffe2 blobs, whose names
/// are translated.
public struct NetworkWeights {
  /// The path as the user gave it.
  public let path: String
  /// All names, in the file's order.
  public let names: [String]
  /// Notices for the user about how the file was read, a line each.
  public let notes: [String]
  private let known: Set<String>
  private let read: (String) throws -> NDArray?

  /// Opens the file at `path`; arrays are read one by one on request.
  ///
  /// Throws `DataError` if it has none of these formats, or is damaged.
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

  /// Creates weights from arrays in memory.
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

  /// Returns whether there is an array of this name, readable or not.
  public func contains(_ name: String) -> Bool { known.contains(name) }

  /// Returns the array of this name; it must have this number of dimensions and at least one
  /// element.
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

  /// Returns the elements of the one-dimensional array of this name, which must be `count`.
  func floats(_ name: String, count: Int) throws -> [Float] {
    let array = try array(name, dimensions: 1)
    guard array.count == count else {
      throw DataError(
        "has \(array.count) elements where \(count) are needed", file: path, place: "parameter “\(name)”")
    }
    return array.floats()
  }

  /// Returns how many of prefix0, prefix1, … some name begins with.
  ///
  /// - Throws: `DataError` if one is missing between others.
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

  /// The number of blocks to look for behind the last; no stage of a known network has more.
  private static let mostMissing = 64

  /// Returns whether the file begins like a pickle, but not like PyTorch's older files.
  ///
  /// Those begin with a pickle of a ten-byte number.
  private static func isPlainPickle(_ path: String) throws -> Bool {
    if FileManager.default.isFolder(path) { return false }
    let head = try MappedFile(path: path).withBytes { Array($0.prefix(4)) }
    return (head.first == 0x80 || head.first == UInt8(ascii: "("))
      && !head.dropFirst(2).starts(with: [0x8a, 10])
  }
}
