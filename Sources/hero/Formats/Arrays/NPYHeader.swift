import Foundation

/// The header of a `.npy` file, which holds the text of a Python dictionary.
struct NPYHeader: Equatable {
  static let magic: [UInt8] = [0x93] + Array("NUMPY".utf8)
  /// The maximum length of the dictionary in bytes, above which numpy rejects a header too.
  private static let longestText = 10_000

  var type: ScalarType
  var isBigEndian: Bool
  var isFortranOrder: Bool
  var shape: [Int]

  /// Reads magic, version, length and dictionary from `cursor`.
  init(_ cursor: inout ByteCursor) throws {
    guard try cursor.take(Self.magic.count).elementsEqual(Self.magic) else {
      throw DataError("not a numpy file: it does not begin with \\x93NUMPY", place: "byte 0")
    }
    let major = try cursor.byte()
    _ = try cursor.byte()
    let length: Int
    switch major {
    case 1: length = Int(try cursor.integer(UInt16.self))
    case 2, 3: length = Int(try cursor.integer(UInt32.self))
    default: throw DataError("numpy file format version \(major) is unknown", place: "byte 6")
    }
    guard length <= Self.longestText else {
      throw DataError("a header of \(length) bytes, longer than numpy accepts", place: "byte 8")
    }
    let place = "header at byte \(cursor.position)"
    let text = String(decoding: try cursor.take(length), as: UTF8.self)
    // `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }` is an example. The keys may
    // come in any order, and Python 2 wrote long integers as 3L.
    guard let description = text.firstMatch(of: /['"]descr['"]\s*:\s*['"]([^'"]*)['"]/)?.1,
      let order = text.firstMatch(of: /['"]fortran_order['"]\s*:\s*(True|False)/)?.1,
      let sizes = text.firstMatch(of: /['"]shape['"]\s*:\s*\(((?:\s*\d+L?\s*,)*(?:\s*\d+L?)?)\s*\)/)?.1
    else {
      throw DataError(
        "a header without descr, fortran_order and shape as numpy writes them", place: place,
        cure: "Save each field of records as an array of its own")
    }
    guard let (type, isBigEndian) = ScalarType.numpy(String(description)) else {
      throw DataError(
        "elements of numpy type “\(description)”", place: place,
        cure: "Save the array as one of float16, float32, float64, int8 … int64, uint8 or bool")
    }
    let digits = sizes.matches(of: /\d+/)
    shape = digits.compactMap { Int($0.output) }
    guard shape.count == digits.count, shape.count <= 32 else {
      throw DataError("the impossible shape (\(sizes))", place: place)
    }
    (self.type, self.isBigEndian, isFortranOrder) = (type, isBigEndian, order == "True")
  }
}
