import Foundation

/// A checkpoint that PyTorch's `save` wrote: a state dict, or a dictionary with one in it.
///
/// Both formats are read, the zip of version 1.6 on and the older stream of pickles, and nothing in them is run. A zip that
/// `torch.jit.save` wrote is read as the dictionary of its modules' attributes.
/// Opening reads the description only; a tensor's elements are read when they are asked for. Safe to use from
/// several threads, which take turns.
public final class TorchCheckpoint: Sendable {
  /// The path, as the user named it.
  public let path: String
  /// What was saved, with tensors as descriptions.
  public let root: PickleValue
  /// Every tensor, in the file's order, by its path through the dictionaries, joined by dots.
  public let tensors: [(name: String, tensor: TorchTensor)]

  private let storages: any TorchStorageSource
  private let places: [String: Int]

  /// Reads the description of the checkpoint at `path`.
  ///
  /// Throws `DataError` if the file is neither format, is damaged, or holds anything but data.
  public init(path: String) throws {
    self.path = path
    let file = try MappedFile(path: path)
    guard file.count > 0 else {
      throw DataError("the checkpoint is empty", file: path, cure: "The file is cut short; get it again")
    }
    let isZip = try file.withBytes(at: 0, count: min(file.count, 4)) { $0.elementsEqual([0x50, 0x4b, 3, 4]) }
    if isZip {
      let archive = try TorchArchive(path: path)
      (root, storages) = (try archive.root(), archive)
    } else {
      let stream = try TorchStream(file: file)
      (root, storages) = (stream.root, stream)
    }
    var found: [(name: String, tensor: TorchTensor)] = []
    Self.collect(root, under: "", into: &found)
    tensors = found
    places = Dictionary(found.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { $1 })
  }

  /// The dictionary that holds the model where it is not the whole checkpoint: `model_state_dict` (as the reference's
  /// restore files have it), `model_state` (SlowFast), `state_dict` or `model`. Nil where the checkpoint is a state dict itself.
  public var stateName: String? {
    ["model_state_dict", "model_state", "state_dict", "model"].first { root[$0]?.entries != nil }
  }

  /// The tensor of this name with its elements; nil if there is none.
  ///
  /// Throws `DataError` if its storage is missing, short or damaged.
  public func array(named name: String) throws -> NDArray? {
    guard let place = places[name] else { return nil }
    let tensor = tensors[place].tensor
    return try array(tensor, named: name, from: storages.bytes(of: tensor.storage))
  }

  private func array(_ tensor: TorchTensor, named name: String, from bytes: [UInt8]) throws -> NDArray {
    try DataError.locating(file: path, place: "parameter “\(name)”") { try tensor.array(from: bytes) }
  }

  private static func collect(
    _ value: PickleValue, under name: String, into found: inout [(name: String, tensor: TorchTensor)]
  ) {
    switch value {
    case .tensor(let tensor): found.append((name: name, tensor: tensor))
    case .dictionary(let entries):
      for entry in entries {
        guard let key = entry.key.string ?? entry.key.int.map(String.init) else { continue }
        collect(entry.value, under: name.isEmpty ? key : "\(name).\(key)", into: &found)
      }
    case .list(let elements), .tuple(let elements):
      for (index, element) in elements.enumerated() {
        collect(element, under: name.isEmpty ? "\(index)" : "\(name).\(index)", into: &found)
      }
    default: break
    }
  }
}

/// Where a checkpoint's storages are read from.
protocol TorchStorageSource: Sendable {
  /// All bytes of the storage of this key, of which views may use a part.
  func bytes(of storage: TorchStorage) throws -> [UInt8]
}
