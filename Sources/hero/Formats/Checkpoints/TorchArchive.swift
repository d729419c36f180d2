import Foundation
import Synchronization

/// The zip format of PyTorch 1.6 and later: `NAME/data.pkl`, and one entry `NAME/data/KEY` per
/// storage.
final class TorchArchive: TorchStorageSource {
  private static let largestPickle = 1 << 26
  /// The maximum size of a decompressed storage in bytes; torch itself never compresses.
  private static let largestStorage = 1 << 32

  private let path: String
  private let entries: [String: ZipReader.Entry]
  private let zip: Mutex<ZipReader>
  /// The folder of the archive's entries, with its slash; torch names it after the file.
  private let folder: String

  init(path: String) throws {
    self.path = path
    let reader = try ZipReader(path: path)
    guard
      let description = reader.entries.first(where: {
        $0.name.hasSuffix("/data.pkl") || $0.name == "data.pkl"
      })
    else {
      throw DataError(
        "a zip archive without data.pkl, so not a PyTorch checkpoint", file: path,
        cure: "Give a file that torch.save wrote")
    }
    folder = String(description.name.dropLast("data.pkl".count))
    entries = Dictionary(reader.entries.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    zip = Mutex(reader)
  }

  func root() throws -> PickleValue {
    if entries[folder + "byteorder"] != nil {
      guard try read("byteorder").elementsEqual("little".utf8) else {
        throw DataError(
          "the checkpoint was saved on a big-endian machine", file: path,
          cure: "Save it again on a little-endian one")
      }
    }
    return try Pickle.decode(read("data.pkl", limit: Self.largestPickle), file: "\(path) (data.pkl)")
  }

  func bytes(of storage: TorchStorage) throws -> [UInt8] {
    try read("data/\(storage.key)")
  }

  private func read(_ name: String, limit: Int = largestStorage) throws -> [UInt8] {
    guard let entry = entries[folder + name] else {
      throw DataError(
        "the archive lacks “\(folder)\(name)”", file: path,
        cure: "The file is damaged; get it again")
    }
    return try zip.withLock { try $0.read(entry, limit: limit) }
  }
}
