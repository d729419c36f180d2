import Foundation

/// A safetensors file, mapped into memory.
///
/// Opening reads only the header; each tensor is read on request. Safe to use from several threads.
/// Source: the format's description (8 bytes of length, a JSON header, the tensors' bytes without
/// holes).
public final class SafetensorsFile: Sendable {
  /// The header's description of one tensor.
  public struct Entry: Equatable, Sendable {
    /// The name in the header.
    public var name: String
    /// `dtype` of the header.
    public var type: ScalarType
    /// `shape` of the header, row-major; empty for a scalar.
    public var shape: [Int]
    /// The byte range of the elements in the file.
    var range: Range<Int>
  }

  /// The maximum length of the header in bytes, less than the format's own readers accept.
  ///
  /// Reading a header takes about thirty times its length in memory, and the headers of the largest
  /// models are a tenth as long as this.
  private static let longestHeader = 1 << 25

  /// The path, as the user named it.
  public let path: String
  /// The tensors in the order of their bytes in the file.
  public let entries: [Entry]
  /// The names of tensors with unsupported element types, and the format's codes of those types.
  public let foreign: [String: String]
  /// The other metadata in the header.
  public let metadata: [String: String]

  private let file: MappedFile
  private let headerLength: Int
  /// The content hash in the header's metadata.
  private let hash: String?
  private let places: [String: Int]

  /// Reads the header of the file at `path`.
  ///
  /// Throws `DataError` if the header is malformed, or does not account for every byte of the file.
  public init(path: String) throws {
    self.path = path
    let file = try MappedFile(path: path)
    self.file = file
    let length = try file.integer(at: 0, as: UInt64.self)
    guard length <= Self.longestHeader, length <= file.count - 8 else {
      throw DataError(
        "a header of \(length) bytes in a file of \(file.count)", file: path, place: "byte 0",
        cure: "The file is cut short or no safetensors file")
    }
    headerLength = Int(length)
    let start = 8 + headerLength
    let header = try file.withBytes(at: 8, count: Int(length)) { try JSON.parse($0, file: path) }
    var notes: [String: String]
    (entries, foreign, notes) = try Self.parse(header, file: path, start: start, end: file.count)
    hash = notes.removeValue(forKey: Safetensors.hashNote)
    metadata = notes
    places = Dictionary(entries.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { $1 })
  }

  /// Reads the whole file and compares it with the hash in its header.
  ///
  /// Throws `DataError` if they differ. A file without a hash passes.
  public func verify() throws {
    guard let noted = self.hash else { return }
    var header = try file.withBytes(at: 8, count: headerLength) { Array($0) }
    guard let place = Safetensors.placeOfHash(in: header) else { return }
    header.replaceSubrange(place..<place + 16, with: Safetensors.noHash.utf8)
    var hash = ContentHash()
    hash.update(header)
    let start = 8 + headerLength
    try file.withBytes(at: start, count: file.count - start) { hash.update($0) }
    guard hash.text == noted else {
      throw DataError(
        "its bytes are not those that were written (hash \(hash.text), noted \(noted))", file: path,
        cure: "The file is damaged: take another checkpoint, or a copy")
    }
  }

  /// Returns the tensor of this name; nil if there is none.
  ///
  /// Throws `DataError` if its element type is not supported.
  public func array(named name: String) throws -> NDArray? {
    guard let entry = entry(named: name) else {
      guard let code = foreign[name] else { return nil }
      throw DataError(
        "elements of type \(code)", file: path, place: "tensor “\(name)”",
        cure: "Save the tensor as F32, F16 or BF16")
    }
    return try array(entry)
  }

  /// Returns a copy of the tensor of an entry of this file.
  public func array(_ entry: Entry) throws -> NDArray {
    try withBytes(of: entry) { try NDArray(shape: entry.shape, type: entry.type, bytes: [UInt8]($0)) }
  }

  /// Returns the header's description of a tensor; nil if there is none with a supported type.
  public func entry(named name: String) -> Entry? {
    places[name].map { entries[$0] }
  }

  /// Runs `body` on a tensor's little-endian bytes in the mapped file, which may be unaligned.
  public func withBytes<Result>(
    of entry: Entry, _ body: (UnsafeRawBufferPointer) throws -> Result
  ) throws -> Result {
    try file.withBytes(at: entry.range.lowerBound, count: entry.range.count, body)
  }

  /// The header's description of any tensor; the type is nil if it is not supported.
  private typealias Described = (
    name: String, code: String, type: ScalarType?, shape: [Int], range: Range<Int>
  )

  private static func parse(
    _ header: JSON, file: String, start: Int, end: Int
  ) throws -> ([Entry], foreign: [String: String], [String: String]) {
    guard let members = header.object else { throw DataError("the header is not a JSON object", file: file) }
    var metadata: [String: String] = [:]
    var described: [Described] = []
    for (name, value) in members {
      if name == "__metadata__" {
        for (key, note) in value.object ?? [:] { metadata[key] = note.string }
      } else {
        try DataError.locating(file: file, place: "tensor “\(name)”") {
          described.append(try describe(name, value, start: start, end: end))
        }
      }
    }
    // Tensors follow one another from the header to the end. Empty ones may stand between any two.
    described.sort { ($0.range.lowerBound, $0.range.upperBound) < ($1.range.lowerBound, $1.range.upperBound) }
    var position = start
    for entry in described {
      guard entry.range.lowerBound == position else {
        throw DataError(
          "the bytes of the tensor overlap others or leave a hole", file: file,
          place: "tensor “\(entry.name)”",
          cure: "The file is damaged; get it again")
      }
      position = entry.range.upperBound
    }
    guard position == end else {
      throw DataError(
        "\(end - position) bytes belong to no tensor", file: file, place: "byte \(position)",
        cure: "The file is damaged; get it again")
    }
    let entries = described.compactMap { entry in
      entry.type.map { Entry(name: entry.name, type: $0, shape: entry.shape, range: entry.range) }
    }
    let foreign = described.filter { $0.type == nil }.map { ($0.name, $0.code) }
    return (entries, Dictionary(foreign, uniquingKeysWith: { $1 }), metadata)
  }

  private static func describe(_ name: String, _ value: JSON, start: Int, end: Int) throws -> Described {
    guard let code = value["dtype"]?.string, let sizes = value["shape"]?.array,
      let offsets = value["data_offsets"]?.array, offsets.count == 2, let lower = offsets[0].int,
      let upper = offsets[1].int
    else { throw DataError("the header lacks one of dtype, shape and data_offsets") }
    let type = Safetensors.types.first { $0.code == code }?.type
    let shape = sizes.compactMap(\.int)
    // For an unknown type the shape does not tell the size: an element may be less than a byte.
    guard shape.count == sizes.count, let byteCount = NDArray.byteCount(shape: shape, type: type ?? .uint8)
    else {
      throw DataError("an impossible shape")
    }
    guard 0 <= lower, lower <= upper, upper <= end - start else {
      throw DataError(
        "bytes \(lower) to \(upper) of \(end - start)", cure: "The file is cut short or damaged; get it again"
      )
    }
    guard type == nil || upper - lower == byteCount else {
      throw DataError("\(upper - lower) bytes for shape \(shape) of \(code), which takes \(byteCount)")
    }
    return (name, String(code.prefix(40)), type, shape, start + lower..<start + upper)
  }
}
