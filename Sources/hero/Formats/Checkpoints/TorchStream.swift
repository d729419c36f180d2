import Foundation

/// The format before PyTorch 1.6: a stream of pickles, followed by the elements.
///
/// The pickles are a magic number, a version, the machine's sizes, the value and the list of
/// storage keys. Then an element count and the elements follow for each key.
final class TorchStream: TorchStorageSource {
  private static let magic: [UInt8] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19]
  private static let version = 1001

  let root: PickleValue
  private let file: MappedFile
  /// The byte range in the file of each key's elements.
  private let ranges: [String: Range<Int>]

  init(file: MappedFile) throws {
    self.file = file
    (root, ranges) = try DataError.locating(file: file.path) { try file.withBytes(Self.parse) }
  }

  func bytes(of storage: TorchStorage) throws -> [UInt8] {
    guard let range = ranges[storage.key] else {
      throw DataError("the checkpoint lacks storage “\(storage.key)”", file: file.path)
    }
    return try file.bytes(at: range.lowerBound, count: range.count)
  }

  /// Returns whether a file begins with a pickle of PyTorch's magic number.
  static func recognizes(_ head: UnsafeRawBufferPointer) -> Bool {
    head.count >= 14 && head[2..<4].elementsEqual([0x8a, 10]) && head[4..<14].elementsEqual(magic)
  }

  private static func parse(_ buffer: UnsafeRawBufferPointer) throws -> (PickleValue, [String: Range<Int>]) {
    var position = 0
    var sizes: [String: Int] = [:]
    func next() throws -> PickleValue {
      let start = position
      do {
        let (value, byteCount, elementSizes) = try Pickle.decode(
          UnsafeRawBufferPointer(rebasing: buffer[position...]), file: nil)
        position += byteCount
        sizes.merge(elementSizes) { $1 }
        return value
      } catch let error as DataError where start > 0 {
        // An inner pickle's error counts bytes from that pickle's own beginning.
        throw DataError(
          error.problem, place: "pickle at byte \(start)" + (error.place.map { ", its \($0)" } ?? ""),
          cure: error.cure)
      }
    }

    guard recognizes(buffer), case .bigInteger(magic)? = try? next() else {
      throw DataError(
        "neither a zip archive nor an older PyTorch checkpoint", place: "byte 0",
        cure: "Give a file that torch.save wrote, or a .safetensors file"
      ).naming(FileKind(head: buffer.prefix(FileKind.headLength)))
    }
    guard try next() == .int(version) else {
      throw DataError("a PyTorch stream of a version other than \(version)", place: "byte 14")
    }
    if case .bool(false)? = try next()["little_endian"] {
      throw DataError(
        "the checkpoint was saved on a big-endian machine", cure: "Save it again on a little-endian one")
    }
    let root = try next()
    guard let keys = try next().elements else {
      throw DataError("the list of storages is not a list", place: "byte \(position)")
    }
    return (root, try ranges(of: keys, sizes: sizes, in: buffer, from: position))
  }

  private static func ranges(
    of keys: [PickleValue], sizes: [String: Int], in buffer: UnsafeRawBufferPointer, from start: Int
  ) throws -> [String: Range<Int>] {
    var cursor = ByteCursor(buffer)
    _ = try cursor.take(start)
    var ranges: [String: Range<Int>] = [:]
    for key in keys {
      guard let key = key.string ?? key.int.map(String.init) else {
        throw DataError("a storage's key is not text", place: "byte \(start)")
      }
      let place = cursor.position
      let count = try cursor.integer(Int64.self)
      // A storage that no tensor uses has no known type, so what follows it cannot be found.
      guard let size = sizes[key] else {
        throw DataError("storage “\(key)” belongs to no tensor", place: "byte \(place)")
      }
      let (byteCount, overflow) = Int(count).multipliedReportingOverflow(by: size)
      guard count >= 0, !overflow, byteCount <= cursor.remaining else {
        throw DataError(
          "storage “\(key)” announces \(count) elements where \(cursor.remaining) bytes are left",
          place: "byte \(place)", cure: "The file is cut short or damaged; get it again")
      }
      ranges[key] = cursor.position..<cursor.position + byteCount
      _ = try cursor.take(byteCount)
    }
    return ranges
  }
}
