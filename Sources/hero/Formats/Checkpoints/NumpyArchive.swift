import Synchronization

/// Weights in an archive that numpy's `savez` wrote, with one `.npy` file for each array.
final class NumpyArchive: WeightSource {
  let path: String
  let names: [String]
  private let entries: [String: ZipReader.Entry]
  private let zip: Mutex<ZipReader>

  /// Opens the archive; nil if it holds anything else, as PyTorch's archives do.
  init?(path: String) throws {
    self.path = path
    let reader = try ZipReader(path: path)
    guard !reader.entries.isEmpty, reader.entries.allSatisfy({ $0.name.hasSuffix(".npy") }) else {
      return nil
    }
    let found = reader.entries.map { (String($0.name.dropLast(4)), $0) }
    names = found.map(\.0)
    entries = Dictionary(found, uniquingKeysWith: { first, _ in first })
    zip = Mutex(reader)
  }

  func shape(named name: String) throws -> [Int]? { try array(named: name)?.shape }

  func array(named name: String) throws -> NDArray? {
    guard let entry = entries[name] else { return nil }
    return try DataError.locating(file: path, place: "array “\(name)”") {
      try NPY.decode(try zip.withLock { try $0.read(entry) })
    }
  }

  func verify() {}
}
