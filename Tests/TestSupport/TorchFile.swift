import Foundation

import Formats

/// A checkpoint as PyTorch's `save` writes it, from a pickle that a test puts together.
public struct TorchFile {
  /// The pickle of what was saved, without `STOP`.
  public var root: [UInt8]
  /// The elements of the storages, by their keys.
  public var storages: [String: [Float]] = [:]

  /// Writes the zip of PyTorch 1.6 and later.
  public func write(to path: String) throws {
    var entries: [(name: String, bytes: [UInt8])] = [("archive/data.pkl", [0x80, 2] + root + [0x2e])]
    for (key, values) in storages.sorted(by: { $0.key < $1.key }) {
      entries.append(("archive/data/\(key)", NDArray(floats: values, shape: [values.count]).bytes))
    }
    try AtomicFile.write(ZipWriter.archive(entries, compress: false), to: path)
  }

  /// Makes a state dict whose array number n is full of n + 1, and its storages.
  public init(state names: [String], width: Int = 2) {
    let values = names.enumerated().map { (key: $1, value: Self.tensor("\($0)", [width])) }
    root = Self.dictionary(values)
    for number in names.indices {
      storages["\(number)"] = [Float](repeating: Float(number + 1), count: width)
    }
  }

  /// - Parameter root: the pickled root object.
  public init(root: [UInt8]) { self.root = root }

  // MARK: Pickles

  /// Returns a pickled text.
  public static func text(_ text: String) -> [UInt8] {
    let bytes = Array(text.utf8)
    return [0x58] + withUnsafeBytes(of: UInt32(bytes.count).littleEndian) { Array($0) } + bytes
  }

  /// Returns a pickled whole number.
  public static func number(_ number: Int) -> [UInt8] { Array("I\(number)\n".utf8) }

  /// Returns a pickled tuple of pickled items.
  public static func tuple(_ items: [[UInt8]]) -> [UInt8] { [0x28] + items.flatMap { $0 } + [0x74] }

  /// Returns a pickled dictionary of pickled values.
  public static func dictionary(_ entries: [(key: String, value: [UInt8])]) -> [UInt8] {
    [0x7d, 0x28] + entries.flatMap { text($0.key) + $0.value } + [0x75]
  }

  /// Returns a pickled reference to a global of a module.
  public static func name(_ module: String, _ name: String) -> [UInt8] { Array("c\(module)\n\(name)\n".utf8) }

  /// Returns a pickled call of a global with pickled arguments.
  public static func call(_ module: String, _ function: String, _ arguments: [[UInt8]]) -> [UInt8] {
    name(module, function) + tuple(arguments) + [0x52]
  }

  /// Returns a pickled persistent reference to a storage in the archive.
  public static func storage(_ key: String, _ type: String, count: Int) -> [UInt8] {
    tuple([text("storage"), name("torch", type), text(key), text("cpu"), number(count)]) + [0x51]
  }

  /// - Parameters:
  ///   - strides: those of a row-major array if nil.
  ///   - count: the storage's elements; the shape's if nil.
  public static func tensor(
    _ key: String, _ shape: [Int], strides: [Int]? = nil, offset: Int = 0, count: Int? = nil,
    storage type: String = "FloatStorage"
  ) -> [UInt8] {
    var (rowMajor, inner) = ([Int](), 1)
    for size in shape.reversed() {
      rowMajor.insert(inner, at: 0)
      inner = inner &* size
    }
    return call(
      "torch._utils", "_rebuild_tensor_v2", arguments(key, shape, strides ?? rowMajor, offset, count, type))
  }

  private static func arguments(
    _ key: String, _ shape: [Int], _ strides: [Int], _ offset: Int, _ count: Int?, _ type: String
  ) -> [[UInt8]] {
    [
      storage(key, type, count: count ?? shape.reduce(1, *)), number(offset), tuple(shape.map(number)),
      tuple(strides.map(number)), [0x89], call("collections", "OrderedDict", []),
    ]
  }

  /// Returns a pickled tensor of a class of its own, as torch writes it.
  public static func typed(_ key: String, _ shape: [Int]) -> [UInt8] {
    call(
      "torch._tensor", "_rebuild_from_type_v2",
      [
        name("torch._utils", "_rebuild_tensor_v2"), name("torch.nn.parameter", "Buffer"),
        tuple(arguments(key, shape, shape.map { _ in 1 }, 0, nil, "FloatStorage")), [0x7d],
      ])
  }
}
