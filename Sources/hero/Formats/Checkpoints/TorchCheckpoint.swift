import Foundation
import Synchronization

/// A checkpoint that PyTorch's `save` wrote: a state dict, or anything with tensors in it.
///
/// It reads the zip of version 1.6 on and the older stream of pickles, and runs nothing in them. It
/// reads a zip of `torch.jit.save` as the dictionary of its modules' attributes, and a plain pickle
/// of numpy arrays like one of tensors. Opening reads only the description; a tensor's elements are
/// read on request. Safe to use from several threads, which take turns.
public final class TorchCheckpoint: Sendable {
  /// An array of the checkpoint.
  public enum Held: Equatable, Sendable {
    case tensor(TorchTensor)
    case array(NDArray)
    /// An array of an unsupported kind, described for a message.
    case foreign(String)
  }

  /// The maximum length in bytes of all array names together, beyond that of the largest models.
  private static let longestNames = 1 << 26

  /// The path, as the user named it.
  public let path: String
  /// The saved value, with tensors as descriptions.
  public let root: PickleValue
  /// Every array in the file's order, named by its path through the dictionaries, joined by dots.
  public let arrays: [(name: String, held: Held)]

  private let storages: any TorchStorageSource
  private let places: [String: Int]
  /// The storage read last, if a tensor used only a part of it: the next one often uses another.
  private let shared = Mutex<(storage: String, bytes: [UInt8])?>(nil)

  /// Reads the description of the checkpoint at `path`.
  ///
  /// Throws `DataError` if the file has none of these formats, is damaged, or asks to run anything.
  public init(path: String) throws {
    self.path = path
    let file = try MappedFile(path: path)
    guard file.count > 0 else {
      throw DataError("the checkpoint is empty", file: path, cure: "The file is cut short; get it again")
    }
    let head = try file.bytes(at: 0, count: min(file.count, 14))
    let root: PickleValue
    if head.starts(with: [0x50, 0x4b, 3, 4]) {
      let archive = try TorchArchive(path: path)
      (root, storages) = (try archive.root(), archive)
    } else if head.withUnsafeBytes({ TorchStream.recognizes($0) }) || !Self.mayBePickle(head) {
      let stream = try TorchStream(file: file)
      (root, storages) = (stream.root, stream)
    } else {
      (root, storages) = (try Pickle.read(path: path), NoStorages(path: path))
    }
    var found: [(name: String, held: Held)] = []
    var room = Self.longestNames
    try DataError.locating(file: path) { try Self.collect(root, under: "", into: &found, &room) }
    (self.root, arrays) = (root, found)
    places = Dictionary(found.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { $1 })
  }

  /// Returns whether a plain pickle begins so: with its protocol, or in protocols 0 and 1 with a
  /// dictionary, a list or a class.
  private static func mayBePickle(_ head: [UInt8]) -> Bool {
    if head.first == 0x80 { return true }
    return ["(dp", "(lp", "ccollections\n", "}q", "]q"].contains { head.starts(with: Array($0.utf8)) }
  }

  /// Returns the shape of the array of this name; nil if there is none or its kind is not
  /// supported.
  public func shape(named name: String) -> [Int]? {
    switch places[name].map({ arrays[$0].held }) {
    case .tensor(let tensor)?: tensor.shape
    case .array(let array)?: array.shape
    case .foreign?, nil: nil
    }
  }

  /// Returns the array of this name with its elements; nil if there is none.
  ///
  /// Throws `DataError` if its storage is missing, short or damaged, or if its element type is not
  /// supported.
  public func array(named name: String) throws -> NDArray? {
    guard let place = places[name] else { return nil }
    switch arrays[place].held {
    case .array(let array): return array
    case .tensor(let tensor):
      let bytes = try bytes(of: tensor)
      return try DataError.locating(file: path, place: "parameter “\(name)”") {
        try tensor.array(from: bytes)
      }
    case .foreign(let what):
      throw DataError(
        what, file: path, place: "parameter “\(name)”", cure: "Save it as float32, float16 or bfloat16")
    }
  }

  private func bytes(of tensor: TorchTensor) throws -> [UInt8] {
    try shared.withLock { shared in
      if let shared, shared.storage == tensor.storage.key { return shared.bytes }
      let bytes = try storages.bytes(of: tensor.storage)
      let used = NDArray.byteCount(shape: tensor.shape, type: tensor.storage.type) ?? 0
      shared = used < bytes.count ? (tensor.storage.key, bytes) : nil
      return bytes
    }
  }

  private static func collect(
    _ value: PickleValue, under name: String, into found: inout [(name: String, held: Held)],
    _ room: inout Int
  ) throws {
    func joined(_ key: String) throws -> String {
      room -= min(room, name.utf8.count + key.utf8.count + 1)
      guard room > 0 else {
        throw DataError("the names of its arrays are longer than any model's", cure: "Do not trust this file")
      }
      return name.isEmpty ? key : "\(name).\(key)"
    }
    switch value {
    case .tensor(let tensor): found.append((name, .tensor(tensor)))
    case .array(let array): found.append((name, .array(array)))
    case .foreignArray(let what): found.append((name, .foreign(what)))
    case .dictionary(let entries):
      for entry in entries where entry.value.mayHoldArrays {
        guard let key = entry.key.string ?? entry.key.int.map(String.init) else { continue }
        try collect(entry.value, under: joined(key), into: &found, &room)
      }
    case .list(let elements), .tuple(let elements):
      for (index, element) in elements.enumerated() where element.mayHoldArrays {
        try collect(element, under: joined("\(index)"), into: &found, &room)
      }
    default: break
    }
  }
}

extension PickleValue {
  fileprivate var mayHoldArrays: Bool {
    switch self {
    case .tensor, .array, .foreignArray, .dictionary, .list, .tuple: true
    default: false
    }
  }
}

/// A source of a checkpoint's storages.
protocol TorchStorageSource: Sendable {
  /// Returns all bytes of the storage of this key; a view may use only a part of them.
  func bytes(of storage: TorchStorage) throws -> [UInt8]
}

/// The source of a plain pickle, which has no storages.
private struct NoStorages: TorchStorageSource {
  let path: String

  func bytes(of storage: TorchStorage) throws -> [UInt8] {
    throw DataError(
      "the pickle speaks of storage “\(storage.key)”, which is not in it", file: path,
      cure: "Save the weights by torch.save")
  }
}
