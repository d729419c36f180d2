import Foundation
import TestSupport
import Testing

@testable import Formats

@Suite struct TorchCheckpointTests {
  @Test(arguments: ["views.zip.pt", "views.legacy.pt"])
  func viewsAndSharedStoragesReadAsTorchWouldShowThem(_ name: String) throws {
    let path = Fixtures.path("Formats/\(name)")
    let checkpoint = try TorchCheckpoint(path: path)
    #expect(checkpoint.root["global_step"] == .int(12))
    #expect(checkpoint.root["best"] == .double(0.25))
    #expect(checkpoint.root["size"] == .tuple([.int(2), .int(3)]))
    let arrays = try WeightFile(path: path).names.map { name in
      (name: name, array: try #require(try checkpoint.array(named: "model_state_dict.\(name)")))
    }
    #expect(
      arrays.map(\.name) == [
        "whole", "transposed", "column", "tail", "half", "brain", "expanded", "integer", "parameter", "empty",
      ])
    let values = arrays.map { $0.array.floats() }
    #expect(values[0] == (0..<12).map(Float.init))
    #expect(values[1] == [0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11])
    #expect(values[2] == [1, 5, 9])
    #expect(values[3] == (4..<12).map(Float.init))
    #expect(values[4] == [1.5, -2])
    #expect(values[5] == [1.5, -2])
    #expect(values[6] == [1, 1, 1, 1, 1, 1])
    #expect(values[7] == [7])
    #expect(values[8] == [3])
    #expect(
      arrays.map(\.array.shape) == [[3, 4], [4, 3], [3], [2, 4], [2], [2], [2, 3], [], [1, 1], [0, 5]])
    #expect(arrays[4].array.type == .float16)
    #expect(try checkpoint.array(named: "model_state_dict.column")?.floats() == [1, 5, 9])
    #expect(try checkpoint.array(named: "column") == nil)
  }

  @Test
  func everyCheckpointOfTheReferenceHasItsNamesShapesAndSums() throws {
    let folder = SharedData.golden.appendingPathComponent("expected")
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).filter {
      $0.hasSuffix(".pt")
    }
    #expect(!names.isEmpty)
    let sums = try FileManager.default.contentsOfDirectory(atPath: folder.path).filter {
      $0.hasSuffix(".sums.json") && names.contains("\($0.dropLast(".sums.json".count)).pt")
    }
    var compared = 0
    defer { #expect(compared == sums.count) }
    for name in names.sorted() {
      let path = folder.appendingPathComponent(name).path
      let arrays = try WeightFile(path: path).arrays()
      #expect(!arrays.isEmpty)
      let sums = folder.appendingPathComponent("\(name.dropLast(3)).sums.json").path
      guard FileManager.default.fileExists(atPath: sums) else { continue }
      compared += 1
      let expected = try #require(try JSON.read(path: sums).object)
      // The reference also saves whether its vocabulary is padded, which is no tensor and has no
      // sum.
      #expect(arrays.map(\.name) == expected.keys.filter { $0 != "vocab_padded" }, "\(name)")
      for (parameter, array) in arrays {
        let entry = expected[parameter]?.array ?? []
        #expect(entry.first?.array?.compactMap(\.int) == array.shape, "\(name) \(parameter)")
        let sum = array.doubles().reduce(0, +)
        let scale = array.doubles().reduce(0) { $0 + abs($1) }
        let wanted = try #require(entry.last?.double)
        #expect(abs(sum - wanted) <= 1e-6 * max(scale, 1e-3), "\(name) \(parameter)")
      }
    }
  }

  @Test(arguments: ["views.zip.pt", "views.legacy.pt"])
  func damageIsRefusedOrSurvived(_ name: String) throws {
    let folder = try TemporaryFolder()
    let path = folder.path("model.pt")
    let bytes = try Fixtures.bytes("Formats/\(name)")
    func read(_ bytes: [UInt8]) throws {
      try Data(bytes).write(to: URL(fileURLWithPath: path))
      let checkpoint = try TorchCheckpoint(path: path)
      for name in try WeightFile(path: path).names {
        _ = try checkpoint.array(named: "model_state_dict.\(name)") ?? checkpoint.array(named: name)
      }
    }
    for cut in Damage.truncations(bytes, most: 600) { #expect(throws: DataError.self) { try read(cut) } }
    for flip in Damage.flips(bytes, most: 600) {
      do { try read(flip) } catch { #expect(error is DataError) }
    }
  }

  /// A changed bit of a weight is noticed.
  @Test func checksums() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("model.pt")
    try TorchFile(state: ["weight"], width: 8).write(to: path)
    let whole = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
    let one = withUnsafeBytes(of: Float(1)) { Array($0) }
    let place = try #require((0..<whole.count - 8).first { whole[$0..<$0 + 8].elementsEqual(one + one) })
    func weight(_ bytes: [UInt8]) throws -> [Float]? {
      try Data(bytes).write(to: URL(fileURLWithPath: path))
      return try TorchCheckpoint(path: path).array(named: "weight")?.floats()
    }
    var changed = whole
    changed[place + 3] ^= 0x40
    let error = try #require(throws: DataError.self) { try weight(changed) }
    #expect("\(error)".contains("CRC"), "\(error)")
  }

  @Test func tensorsOutsideTheirStorageAreRefused() {
    func tensor(_ offset: Int, _ shape: [Int], _ strides: [Int], count: Int) -> TorchTensor {
      TorchTensor(
        storage: TorchStorage(key: "0", type: .float32, count: count, start: 0), offset: offset, shape: shape,
        strides: strides)
    }
    #expect(throws: Never.self) { try tensor(1, [2, 2], [1, 2], count: 5).check() }
    #expect(throws: DataError.self) { try tensor(2, [2, 2], [1, 2], count: 5).check() }
    #expect(throws: DataError.self) { try tensor(-1, [1], [1], count: 5).check() }
    #expect(throws: DataError.self) { try tensor(0, [2], [-1], count: 5).check() }
    #expect(throws: DataError.self) { try tensor(0, [2], [1, 1], count: 5).check() }
    #expect(throws: DataError.self) { try tensor(0, [1 << 40], [0], count: 1).check() }
    #expect(throws: DataError.self) { try tensor(0, [2, 2], [.max, .max], count: 5).check() }
    #expect(throws: DataError.self) { try tensor(0, [.max, .max], [0, 0], count: 5).check() }
  }

  @Test func otherFilesAreRefusedWithACure() throws {
    let folder = try TemporaryFolder()
    for bytes in [[], Array("hello, this is no checkpoint".utf8), try Fixtures.bytes("Formats/stored.npz")] {
      let path = folder.path("model.pt")
      try Data(bytes).write(to: URL(fileURLWithPath: path))
      let error = try #require(throws: DataError.self) { try TorchCheckpoint(path: path) }
      #expect(error.file == path)
      #expect(error.cure != nil)
    }
    #expect(throws: DataError.self) { try TorchCheckpoint(path: folder.path("missing.pt")) }
  }
}
