import Foundation
import TestSupport
import Testing

@testable import Formats

@Suite struct ArrayTests {
  /// Reads all arrays of an archive, in its order.
  private func arrays(_ bytes: [UInt8]) throws -> [(name: String, array: NDArray)] {
    let zip = try ZipReader(bytes: bytes, file: nil)
    return try zip.entries.map { (String($0.name.dropLast(".npy".count)), try NPY.decode(zip.read($0))) }
  }

  @Test func everyHalfConvertsExactly() throws {
    let halves = (0...UInt16.max).map { $0 }
    let array = try NDArray(
      shape: [halves.count], type: .float16, bytes: halves.withUnsafeBytes { [UInt8]($0) })
    let wrong = paired(halves, array.floats()).filter { bits, value in
      let expected = Float(Float16(bitPattern: bits))
      return expected.isNaN ? !value.isNaN : value != expected || HalfPrecision.half(value) != bits
    }
    #expect(wrong.map(\.0).isEmpty)
  }

  @Test func floatsRoundToTheNearestHalf() {
    var bits: UInt32 = 1
    var wrong: [Float] = []
    for _ in 0..<200_000 {
      bits = bits &* 1_664_525 &+ 1_013_904_223
      let value = Float(bitPattern: bits & 0x8fff_ffff | 0x3000_0000)
      if HalfPrecision.half(value) != Float16(value).bitPattern { wrong.append(value) }
    }
    #expect(wrong.isEmpty)
    #expect(HalfPrecision.half(65519) == 0x7bff)
    #expect(HalfPrecision.half(65520) == 0x7c00)
  }

  @Test func elementsConvertByType() throws {
    let int8 = try NDArray(shape: [2], type: .int8, bytes: [0xff, 2])
    #expect(int8.floats() == [-1, 2])
    #expect(try int8.int64s() == [-1, 2])
    let brain = try NDArray(shape: [1], type: .bfloat16, bytes: [0xc0, 0x3f])
    #expect(brain.floats() == [1.5])
    #expect(throws: DataError.self) { try brain.int64s() }
    #expect(NDArray(floats: [1.5, -2], shape: [2]).asFloat16().floats() == [1.5, -2])
    #expect(NDArray(floats: [1.5], shape: [1]).asFloat64().doubles() == [1.5])
  }

  @Test func rowsAreSlicesOfTheFirstDimension() throws {
    let array = NDArray(floats: [0, 1, 2, 3, 4, 5], shape: [3, 2])
    #expect(try array.rows(1..<3) == NDArray(floats: [2, 3, 4, 5], shape: [2, 2]))
    #expect(throws: DataError.self) { try array.rows(1..<4) }
    #expect(throws: DataError.self) { try NDArray(shape: [.max, 3], type: .float32, bytes: []) }
    #expect(throws: DataError.self) { try NDArray(shape: [-1], type: .float32, bytes: []) }
  }

  @Test func arraysOfPythonAreReadWhateverTheirOrder() throws {
    for name in ["Formats/stored.npz", "Formats/deflated.npz"] {
      let arrays = try arrays(Fixtures.bytes(name))
      #expect(arrays.map(\.name) == ["f4", "big", "fortran", "half", "scalar"])
      #expect(arrays[0].array == NDArray(floats: [0, 1, 2, 3, 4, 5], shape: [2, 3]))
      #expect(try arrays[1].array.int64s() == [0, 1, 2])
      #expect(arrays[1].array.type == .int16)
      #expect(arrays[2].array == NDArray(int64s: [0, 1, 2, 3, 4, 5], shape: [2, 3]))
      #expect(arrays[3].array.floats() == [0, 1, 2])
      #expect(arrays[4].array.shape == [])
      #expect(arrays[4].array.doubles() == [2.5])
      #expect(try NPZ.read(bytes: Fixtures.bytes(name), name: "f4") == arrays[0].array)
      #expect(try NPZ.read(path: Fixtures.path(name), name: "f4") == arrays[0].array)
    }
    #expect(try NPY.decode(Fixtures.bytes("Formats/version2.npy")).floats() == [0, 1, 2, 3, 4, 5])
  }

  @Test func arraysOfObjectsAreRefused() {
    #expect(throws: DataError.self) { try NPY.decode(Fixtures.bytes("Formats/objects.npy")) }
  }

  @Test func writtenArraysReadBack() throws {
    let arrays = [
      ("features", NDArray(floats: [1, 2, 3, 4, 5, 6], shape: [3, 2])),
      ("none", NDArray(floats: [], shape: [0, 4])),
      ("one", NDArray(int64s: [7], shape: [])),
    ]
    for compress in [false, true] {
      let bytes = try NPZ.encode(arrays, compress: compress)
      #expect(NPZ.recognizes(bytes))
      let read = try self.arrays(bytes)
      #expect(read.map(\.name) == arrays.map(\.0))
      #expect(read.map(\.array) == arrays.map(\.1))
      #expect(try bytes == NPZ.encode(arrays, compress: compress))
    }
    #expect(try self.arrays(NPZ.encode([], compress: true)).isEmpty)
  }

  /// Encoded arrays equal numpy's byte for byte, including the padding of the header.
  @Test func encodingIsNumpysByteForByte() throws {
    let zip = try ZipReader(path: Fixtures.path("Formats/stored.npz"))
    for name in ["f4.npy", "half.npy", "scalar.npy"] {
      let entry = try #require(zip.entries.first { $0.name == name })
      let bytes = try zip.read(entry)
      #expect(try NPY.encode(NPY.decode(bytes)) == bytes)
    }
  }

  @Test(arguments: ["Formats/stored.npz", "Formats/deflated.npz", "Formats/version2.npy"])
  func damageIsRefusedOrSurvived(_ name: String) throws {
    let bytes = try Fixtures.bytes(name)
    func read(_ bytes: [UInt8]) throws {
      if name.hasSuffix("npz") { _ = try arrays(bytes) } else { _ = try NPY.decode(bytes) }
    }
    for cut in Damage.truncations(bytes) { #expect(throws: DataError.self) { try read(cut) } }
    for flip in Damage.flips(bytes) {
      do { try read(flip) } catch { #expect(error is DataError) }
    }
  }

  @Test func headersThatPromiseTooMuchAreRefused() throws {
    for shape in [
      "(1000000000000,)", "(4294967296, 4294967296, 4294967296)", "(-1,)", "(1", "((1,),)", "(1,,)",
    ] {
      let text = "{'descr': '<f4', 'fortran_order': False, 'shape': \(shape), }\n"
      let bytes = NPYHeader.magic + [1, 0, UInt8(text.utf8.count), 0] + Array(text.utf8)
      #expect(throws: DataError.self) { try NPY.decode(bytes) }
    }
  }
}
