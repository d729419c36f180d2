import Foundation

/// numpy's archive of named arrays (`.npz`): a zip of `.npy` files, stored or deflated.
public enum NPZ {
  /// Returns whether `bytes` begin like a zip archive.
  public static func recognizes(_ bytes: [UInt8]) -> Bool {
    bytes.count >= 4 && bytes[0] == 0x50 && bytes[1] == 0x4b
      && (bytes[2] == 3 && bytes[3] == 4 || bytes[2] == 5 && bytes[3] == 6)
  }

  /// Reads the array called `name` from the archive at `path`, and no other entry.
  public static func read(path: String, name: String) throws -> NDArray {
    try one(name, in: ZipReader(path: path))
  }

  /// Reads the array called `name` from the archive at `path`, or its only array under any name.
  ///
  /// Throws `DataError` if the archive has several arrays and none of that name, or if the array's
  /// compression ratio is implausible for features.
  public static func readOnly(path: String, preferring name: String) throws -> (array: NDArray, name: String)
  {
    let zip = try ZipReader(path: path)
    let entry = try plausible(name, in: zip)
    return (try array(entry, in: zip), arrayName(entry))
  }

  /// Reads the shape of that array from its header, without reading its elements.
  public static func shape(path: String, preferring name: String) throws -> [Int] {
    let zip = try ZipReader(path: path)
    return try NPY.shape(head: try zip.head(try plausible(name, in: zip), count: NPY.longestHead), file: path)
  }

  /// The size in bytes up to which an array may have any compression ratio.
  private static let harmlessBytes = 64 << 20
  /// The maximum compression ratio of a larger array: features are noise, which compresses little.
  private static let mostExpansion = 50

  /// Returns the size of that array's entry in bytes, as the archive's directory states it.
  public static func byteCount(path: String, preferring name: String) throws -> Int {
    try chosen(name, in: ZipReader(path: path)).size
  }

  /// Returns that array's entry, and throws if its compression ratio is implausible for features.
  private static func plausible(_ name: String, in zip: ZipReader) throws -> ZipReader.Entry {
    let entry = try chosen(name, in: zip)
    guard entry.size <= harmlessBytes || entry.size / mostExpansion <= entry.compressedSize else {
      throw DataError(
        "claims \(entry.size) bytes packed into \(entry.compressedSize), which no features are",
        file: zip.file,
        place: "array “\(arrayName(entry))”",
        cure: "Get the file again, or save it with numpy.savez if it is meant")
    }
    return entry
  }

  private static func chosen(_ name: String, in zip: ZipReader) throws -> ZipReader.Entry {
    let arrays = zip.entries.filter { $0.name.hasSuffix(".npy") }
    if arrays.count == 1, let sole = arrays.first { return sole }
    return try entry(name, in: zip)
  }

  /// Reads the array called `name` from an archive in memory, and no other entry.
  public static func read(bytes: [UInt8], name: String, file: String? = nil) throws -> NDArray {
    try one(name, in: ZipReader(bytes: bytes, file: file))
  }

  /// Encodes an archive that numpy reads, deflated (as `savez_compressed`) or stored (as `savez`).
  public static func encode(_ arrays: [(name: String, array: NDArray)], compress: Bool) throws -> [UInt8] {
    try ZipWriter.archive(
      arrays.map { (name: "\($0.name).npy", bytes: try NPY.encode($0.array)) }, compress: compress)
  }

  /// Writes such an archive; the file appears only when it is complete.
  public static func write(
    path: String, _ arrays: [(name: String, array: NDArray)], compress: Bool = false
  ) throws {
    try AtomicFile.write(encode(arrays, compress: compress), to: path)
  }

  private static func one(_ name: String, in zip: ZipReader) throws -> NDArray {
    try array(entry(name, in: zip), in: zip)
  }

  private static func entry(_ name: String, in zip: ZipReader) throws -> ZipReader.Entry {
    guard let entry = zip.entries.last(where: { arrayName($0) == name }) else {
      let names = zip.entries.prefix(8).map(arrayName).joined(separator: ", ")
      throw DataError(
        "no array “\(name)” in the archive, which holds " + (names.isEmpty ? "nothing" : names),
        file: zip.file, cure: "Save the array by that name")
    }
    return entry
  }

  private static func arrayName(_ entry: ZipReader.Entry) -> String {
    entry.name.hasSuffix(".npy") ? String(entry.name.dropLast(4)) : entry.name
  }

  private static func array(_ entry: ZipReader.Entry, in zip: ZipReader) throws -> NDArray {
    do {
      return try NPY.decode(try zip.read(entry), file: zip.file)
    } catch let error as DataError {
      let place = "array “\(arrayName(entry))”"
      throw DataError(
        error.problem, file: error.file, place: error.place.map { "\(place), \($0)" } ?? place,
        cure: error.cure)
    }
  }
}
