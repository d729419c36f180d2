import Foundation

/// numpy's file format for one array (`.npy`, format versions 1 to 3).
///
/// Source: numpy's "NEP 1 — A simple file format for NumPy arrays". Arrays of Python objects are
/// rejected, because they are pickles. Fortran order and big-endian elements are converted while
/// reading.
public enum NPY {
  /// Decodes one array.
  ///
  /// Throws `DataError`, naming `file`, if the bytes are not a complete `.npy` file with an element
  /// type in `ScalarType`.
  public static func decode(_ bytes: consuming [UInt8], file: String? = nil) throws -> NDArray {
    var elements = bytes
    return try DataError.locating(file: file) {
      let (header, start, remaining) = try elements.withUnsafeBytes {
        var cursor = ByteCursor($0)
        return (try NPYHeader(&cursor), cursor.position, cursor.remaining)
      }
      guard let byteCount = NDArray.byteCount(shape: header.shape, type: header.type) else {
        throw DataError("an array of shape \(header.shape) is impossible", place: "header")
      }
      guard byteCount <= remaining else {
        throw DataError(
          "an array of shape \(header.shape) and type \(header.type) takes \(byteCount) bytes, "
            + "but \(remaining) follow the header",
          cure: "The file is cut short or damaged; get it again")
      }
      // Edit the buffer in place, because an array may take most of the memory.
      elements.removeLast(remaining - byteCount)
      elements.removeFirst(start)
      if header.isBigEndian { ElementOrder.swapBytes(&elements, elementSize: header.type.size) }
      if header.isFortranOrder {
        elements = ElementOrder.rowMajor(
          fromFortran: elements, shape: header.shape, elementSize: header.type.size)
      }
      return NDArray(unchecked: elements, shape: header.shape, type: header.type)
    }
  }

  /// The number of bytes in which any file's header fits.
  static let longestHead = 10_016

  /// Reads the shape from the file's header, without reading the elements.
  public static func shape(path: String) throws -> [Int] {
    guard let file = FileHandle(forReadingAtPath: path) else {
      throw DataError("cannot be opened", file: path, cure: DataError.missingCure(path))
    }
    defer { try? file.close() }
    return try shape(head: [UInt8](try file.read(upToCount: longestHead) ?? Data()), file: path)
  }

  static func shape(head: [UInt8], file: String?) throws -> [Int] {
    try DataError.locating(file: file) {
      try head.withUnsafeBytes {
        var cursor = ByteCursor($0)
        return try NPYHeader(&cursor).shape
      }
    }
  }

  /// Encodes `array` as numpy's `save` does (version 1, header padded to a multiple of 64 bytes).
  ///
  /// Throws `DataError` for `bfloat16`, which numpy has no name for.
  public static func encode(_ array: NDArray) throws -> [UInt8] {
    guard let description = array.type.numpyDescription else {
      throw DataError("numpy files cannot hold \(array.type)", cure: "Convert it to float32 first")
    }
    let dimensions = array.shape.map(String.init)
    let shape = dimensions.count == 1 ? "(\(dimensions[0]),)" : "(\(dimensions.joined(separator: ", ")))"
    var header = "{'descr': '\(description)', 'fortran_order': False, 'shape': \(shape), }"
    // numpy leaves room for the first dimension to grow to 20 digits in place.
    header += String(repeating: " ", count: dimensions.first.map { 21 - $0.utf8.count } ?? 0)
    let preamble = 10
    let padding = 64 - (preamble + header.utf8.count + 1) % 64
    header += String(repeating: " ", count: padding) + "\n"
    guard let length = UInt16(exactly: header.utf8.count) else {
      throw DataError("an array of \(array.shape.count) dimensions does not fit a numpy header")
    }
    var output = NPYHeader.magic + [1, 0, UInt8(length & 0xff), UInt8(length >> 8)]
    output.reserveCapacity(preamble + Int(length) + array.bytes.count)
    output += header.utf8
    output += array.bytes
    return output
  }
}
