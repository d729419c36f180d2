import Formats
import Foundation

/// A file of one part of a video's features: `.npz` with an array `features`, or `.npy`.
///
/// Its content tells which.
package struct FeatureFile {
  /// The features, [frames, width].
  package private(set) var array: NDArray
  /// A clause about what was read in another way than its maker may expect; nil if nothing was.
  package private(set) var note: String?

  /// Reads the file.
  ///
  /// The shapes [frames, 1, width] and [frames, width, 1, 1], as pooled maps are saved, count as
  /// [frames, width]. So does [1, frames, width], a batch of one video. [width] is one frame. An
  /// archive's only array may have any name.
  /// - Throws: `DataError` naming the file.
  package init(path: String) throws {
    let read: NDArray
    if try Self.isArray(path) {
      read = try NPY.decode(try FileBytes.read(path: path, limit: ZipReader.defaultLimit), file: path)
    } else {
      let (array, name) = try NPZ.readOnly(path: path, preferring: "features")
      read = array
      if name != "features" { note = "the only array of \(path), “\(name)”, is taken for its features" }
    }
    guard let shape = Self.matrixShape(read.shape), read.type.isFloatingPoint else {
      throw DataError(
        "“features” is \(read.type) of shape \(read.shape), not floats [frames, width]", file: path,
        cure: "Save a row of float32 or float16 for each frame")
    }
    array = shape == read.shape ? read : try NDArray(shape: shape, type: read.type, bytes: read.bytes)
    if read.shape.count == 1 { note = "\(path) is one row of \(read.shape[0]) numbers, taken for one frame" }
  }

  /// Reads the number of frames and of features per frame from the file's header.
  /// - Returns: nil if the file is too large to be read, or its array is not frames × width.
  /// - Throws: `DataError` if there is no such header.
  package static func shape(path: String) throws -> (rows: Int, width: Int)? {
    let isArray = try Self.isArray(path)
    guard try !isArray || PlainFile.size(path) <= ZipReader.defaultLimit else { return nil }
    let shape =
      try isArray
      ? NPY.shape(path: path) : NPZ.shape(path: path, preferring: "features")
    return matrixShape(shape).map { ($0[0], $0[1]) }
  }

  /// Returns the bytes of the array in memory, by the file's size or the archive's directory, or 0.
  static func byteCount(path: String) -> Int {
    guard let isArray = try? isArray(path) else { return 0 }
    return (isArray ? try? PlainFile.size(path) : try? NPZ.byteCount(path: path, preferring: "features")) ?? 0
  }

  private static func isArray(_ path: String) throws -> Bool {
    try PlainFile.size(path)
    guard let file = FileHandle(forReadingAtPath: path) else { return false }
    defer { try? file.close() }
    let head = try file.read(upToCount: 6) ?? Data()
    return head.elementsEqual([0x93] + Array("NUMPY".utf8))
  }

  private static func matrixShape(_ shape: [Int]) -> [Int]? {
    switch shape.count {
    case 1: return [1, shape[0]]
    case 2: return shape
    case 3...:
      let rest = shape.dropFirst().filter { $0 != 1 }
      if rest.count == 2, shape[0] == 1 { return rest }
      return rest.count <= 1 ? [shape[0], rest.first ?? 1] : nil
    default: return nil
    }
  }
}
