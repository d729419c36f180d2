import Foundation
import TestSupport
import Testing

@testable import Formats

@Suite struct SafetensorsTests {
  private static func file(_ header: String, _ data: [UInt8] = [], length: UInt64? = nil) -> [UInt8] {
    let length = length ?? UInt64(header.utf8.count)
    return withUnsafeBytes(of: length.littleEndian) { [UInt8]($0) } + Array(header.utf8) + data
  }

  @Test func whatIsWrittenReadsBack() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("model.safetensors")
    let tensors: [(name: String, array: NDArray)] = [
      ("flags", try NDArray(shape: [3], type: .bool, bytes: [1, 0, 1])),
      ("weight", NDArray(floats: [1, 2, 3, 4, 5, 6], shape: [2, 3])),
      ("empty", NDArray(floats: [], shape: [0, 2])),
      ("step", NDArray(int64s: [7], shape: [])),
      ("half", try NDArray(shape: [1], type: .bfloat16, bytes: [0x80, 0x3F])),
    ]
    try Safetensors.write(path: path, tensors: tensors, metadata: ["format": "pt", "note": "“x”"])
    let read = try Safetensors.read(path: path)
    #expect(read.metadata == ["format": "pt", "note": "“x”"])
    let names = read.tensors.map(\.name)
    // Wider elements come first, so that every tensor is aligned.
    #expect(names.first == "step")
    #expect(names.last == "flags")
    for (name, array) in tensors {
      #expect(read.tensors.first { $0.name == name }?.array == array)
      #expect(try SafetensorsFile(path: path).array(named: name) == array)
    }
    for entry in try SafetensorsFile(path: path).entries where !entry.range.isEmpty {
      #expect(entry.range.lowerBound % entry.type.size == 0)
    }
  }

  /// Any changed byte in the header or in the tensors is found, if the file opens at all.
  @Test func damageIsFound() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("model.safetensors")
    let values = (0..<50).map { Float($0) }
    try Safetensors.write(
      path: path, tensors: [("a", NDArray(floats: values, shape: [50]))], metadata: ["format": "pt"])
    try SafetensorsFile(path: path).verify()
    let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
    var opened = 0
    for damaged in Damage.flips(bytes) {
      try Data(damaged).write(to: URL(fileURLWithPath: path))
      guard let file = try? SafetensorsFile(path: path) else { continue }
      // Without the key of the hash there is nothing to compare with.
      guard String(decoding: damaged, as: UTF8.self).contains("content_hash") else { continue }
      opened += 1
      #expect(throws: DataError.self) { try file.verify() }
    }
    #expect(opened > 300)
  }

  @Test func aFailedWriteLeavesWhatStoodBefore() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("model.safetensors")
    try Safetensors.write(path: path, tensors: [("a", NDArray(floats: [1], shape: [1]))])
    let before = try Data(contentsOf: URL(fileURLWithPath: path))
    #expect(throws: DataError.self) {
      try Safetensors.write(path: path, list: [("a", .float32, [2])]) { _ in [0] }
    }
    #expect(throws: DataError.self) {
      try Safetensors.write(
        path: path,
        tensors: [("a", NDArray(floats: [1], shape: [1])), ("a", NDArray(floats: [2], shape: [1]))])
    }
    #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == before)
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.root) == ["model.safetensors"])
  }

  @Test
  func theReferencesFilesRead() throws {
    let folder = SharedData.golden.appendingPathComponent("expected")
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
      .filter { $0.hasSuffix(".safetensors") }
    #expect(!names.isEmpty)
    for name in names {
      let (tensors, _) = try Safetensors.read(path: folder.appendingPathComponent(name).path)
      #expect(!tensors.isEmpty, "\(name)")
    }
  }

  @Test(
    arguments: [
      file(""), file("[]"), file("{}", [0]), file("{}", length: .max), file("{}", length: 3),
      file("{\"a\":1}"),
      file("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}"),
      file("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}", [0, 0, 0, 0]),
      file("{\"a\":{\"dtype\":\"F8_E4M3\",\"shape\":[4],\"data_offsets\":[0,5]}}", [0, 0, 0, 0]),
      file("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}", [0, 0, 0, 0, 0, 0, 0, 0]),
      file("{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[4,0]}}", [0, 0, 0, 0]),
      file(
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904,4],\"data_offsets\":[0,0]}}", [0, 0, 0, 0]),
      file(
        "{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]},"
          + "\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}", [0, 0, 0, 0]),
      file(
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[-9223372036854775808,9223372036854775807]}}"
      ),
    ])
  func headersThatDoNotAccountForTheFileAreRefused(_ bytes: [UInt8]) throws {
    let folder = try TemporaryFolder()
    let path = folder.path("model.safetensors")
    try Data(bytes).write(to: URL(fileURLWithPath: path))
    let error = try #require(throws: DataError.self) { try SafetensorsFile(path: path) }
    #expect(error.file == path)
  }

  /// A tensor of an unsupported type is refused, and the rest of its file is read.
  @Test(arguments: ["U16", "U32", "U64", "F8_E4M3", "F8_E5M2", "C64", "F4", "NEW"])
  func tensorsOfForeignTypesStandBeside(_ code: String) throws {
    let folder = try TemporaryFolder()
    let path = folder.path("model.safetensors")
    let header =
      "{\"rng\":{\"dtype\":\"\(code)\",\"shape\":[4],\"data_offsets\":[0,2]},"
      + "\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[2,6]}}"
    try Data(Self.file(header, [7, 7, 0, 0, 0x80, 0x3f])).write(to: URL(fileURLWithPath: path))
    let file = try SafetensorsFile(path: path)
    #expect(file.entries.map(\.name) == ["a"])
    #expect(try file.array(named: "a")?.floats() == [1])
    let error = try #require(throws: DataError.self) { try file.array(named: "rng") }
    #expect("\(error)".contains("rng") && "\(error)".contains(code))
  }

  @Test func damageIsRefusedOrSurvived() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("model.safetensors")
    try Safetensors.write(
      path: path,
      tensors: [("a", NDArray(floats: [1, 2], shape: [2])), ("b", NDArray(int64s: [3], shape: []))],
      metadata: ["k": "v"])
    let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
    func read(_ bytes: [UInt8]) throws {
      try Data(bytes).write(to: URL(fileURLWithPath: path))
      _ = try Safetensors.read(path: path)
    }
    for cut in Damage.truncations(bytes) { #expect(throws: DataError.self) { try read(cut) } }
    for flip in Damage.flips(bytes) {
      do { try read(flip) } catch { #expect(error is DataError) }
    }
  }
}
