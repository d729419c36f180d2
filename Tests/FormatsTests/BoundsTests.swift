import Foundation
import TestSupport
import Testing

@testable import Formats

/// Small files that ask for much time or memory, or for numbers that overflow.
@Suite(.serialized) struct BoundsTests {
  /// The bytes that reading a hostile file may add to the process's memory, with a wide margin.
  private static let most = 300 << 20

  /// Runs `body`, which may be refused, and returns the bytes that the process grew by at its peak.
  private func peak(_ body: () throws -> Void) throws -> Int {
    let before = try ResidentMemory.bytes()
    let peak = PeakMemory()
    do { try body() } catch { #expect(error is DataError) }
    return peak.stop() - before
  }

  // MARK: Pickles

  /// Calls that hold the level below twice are refused: 40 levels unfold to 2^40 objects.
  @Test func callsThatDoubleAreCharged() throws {
    for (module, name) in [
      ("builtins", "list"), ("builtins", "tuple"), ("torch", "Size"), ("builtins", "set"),
    ] {
      var pickle: [UInt8] = [0x5d, 0x71, 0]
      for level in UInt8(1)...40 {
        pickle +=
          TorchFile.name(module, name) + [0x28, 0x28, 0x68, level - 1, 0x68, level - 1, 0x74, 0x74, 0x52]
        pickle += [0x71, level]
      }
      let error = try #require(throws: DataError.self) { try Pickle.decode(pickle + [0x2e]) }
      #expect("\(error)".contains("unfolds"))
    }
  }

  /// 30,000 calls are refused that each make bytes of one text of a megabyte.
  @Test(arguments: ["encode", "dtype", "device", "key", "array"])
  func whatCallsMakeIsCharged(_ kind: String) throws {
    let long = TorchFile.text(String(repeating: "a", count: 1 << 20)) + [0x71, 0, 0x30]
    let one: [UInt8] =
      switch kind {
      case "encode":
        TorchFile.name("_codecs", "encode") + [0x28, 0x68, 0] + TorchFile.text("latin1") + [0x74, 0x52]
      case "dtype": TorchFile.name("numpy", "dtype") + [0x68, 0, 0x85, 0x52]
      case "device": TorchFile.name("torch", "device") + [0x28, 0x68, 0, 0x68, 0, 0x74, 0x52]
      case "array":
        TorchFile.call(
          "numpy._core.numeric", "_frombuffer",
          [
            [0x68, 0], TorchFile.call("numpy", "dtype", [TorchFile.text(">f4")]),
            TorchFile.tuple([TorchFile.number(1 << 18)]), TorchFile.text("C"),
          ])
      default: [0x7d, 0x68, 0, 0x4e, 0x73]
      }
    var pickle = long + [0x5d, 0x28]
    for _ in 0..<30_000 { pickle += one }
    pickle += [0x65, 0x2e]
    let took = try peak {
      let error = try #require(throws: DataError.self) { try Pickle.decode(pickle) }
      #expect(kind == "dtype" || "\(error)".contains("unfolds"))
    }
    #expect(took < Self.most, "\(took >> 20) MiB")
  }

  /// Names through deep dictionaries of long keys are refused, since joined they would take
  /// gigabytes.
  @Test func namesOfArraysAreBounded() throws {
    let folder = try TemporaryFolder()
    var root = TorchFile.text(String(repeating: "k", count: 60_000)) + [0x71, 0, 0x30]
    let depth = 100
    for _ in 0..<depth { root += [0x7d, 0x68, 0] }
    root += [0x5d, 0x28] + TorchFile.tensor("0", [1]) + [0x71, 1]
    for _ in 0..<20_000 { root += [0x68, 1] }
    root += [0x65] + [UInt8](repeating: 0x73, count: depth)
    var file = TorchFile(root: root)
    file.storages["0"] = [1]
    try file.write(to: folder.path("m.pt"))
    let took = try peak {
      #expect(throws: DataError.self) { try TorchCheckpoint(path: folder.path("m.pt")) }
    }
    #expect(took < Self.most, "\(took >> 20) MiB")
  }

  // MARK: Views

  @Test(arguments: [
    ([0], [1], Int.max), ([0, 3], [Int.max, Int.max], Int.max), ([1], [Int.max], 0),
    ([1, 2], [Int.max, 1], 0),
    ([2, 1], [1, Int.max], 0), ([1, 1, 2, 1], [Int.max, Int.max, 1, Int.max], 1), ([1 << 59, 0], [1, 1], 0),
    ([2, 1, 2], [1, Int.max, 2], 0),
  ])
  func viewsOfAnyNumbersAreReadOrRefused(_ shape: [Int], _ strides: [Int], _ offset: Int) throws {
    let folder = try TemporaryFolder()
    var file = TorchFile(
      root: TorchFile.dictionary([
        ("a", TorchFile.tensor("0", shape, strides: strides, offset: offset, count: 5))
      ]))
    file.storages["0"] = [0, 1, 2, 3, 4]
    try file.write(to: folder.path("m.pt"))
    let checkpoint = try TorchCheckpoint(path: folder.path("m.pt"))
    let array = try #require(try checkpoint.array(named: "a"))
    #expect(array.shape == shape)
    #expect(array.count == (shape.contains(0) ? 0 : shape.reduce(1, *)))
    #expect(array.asFloat32().floats().count == array.count)
    if shape == [2, 1, 2] { #expect(array.floats() == [0, 2, 1, 3]) }
  }

  @Test func emptyArraysOfHugeShapesAreEmpty() throws {
    for order in ["True", "False"] {
      let text = "{'descr': '<f8', 'fortran_order': \(order), 'shape': (576460752303423488, 0), }\n"
      let bytes = NPYHeader.magic + [1, 0, UInt8(text.utf8.count), 0] + Array(text.utf8)
      let array = try NPY.decode(bytes)
      #expect(array.count == 0 && array.asFloat32().count == 0)
    }
  }

  /// A deflated storage of a thousand views is inflated once.
  @Test func aSharedStorageIsReadOnce() throws {
    let folder = try TemporaryFolder()
    let views = (0..<1000).map { ("a\($0)", TorchFile.tensor("0", [1], offset: $0, count: 1 << 22)) }
    let pickle = [0x80, 2] + TorchFile.dictionary(views) + [0x2e]
    let zip = try ZipWriter.archive(
      [("a/data.pkl", pickle), ("a/data/0", [UInt8](repeating: 0, count: 1 << 24))], compress: true)
    try AtomicFile.write(zip, to: folder.path("m.pt"))
    let checkpoint = try TorchCheckpoint(path: folder.path("m.pt"))
    let clock = ContinuousClock()
    let one = try clock.measure { _ = try checkpoint.array(named: "a0") }
    let all = try clock.measure {
      for (name, _) in checkpoint.arrays { _ = try checkpoint.array(named: name) }
    }
    #expect(all < max(one, .milliseconds(1)) * 100, "\(all) beside \(one)")
  }

  // MARK: MessagePack and compression

  @Test func smallValuesOfMessagePackStaySmall() throws {
    // Nested arrays claim all that is left, and a few kilobytes hold millions of the smallest
    // values.
    let claims =
      (0..<500).flatMap { _ in [0xDD, 0, 0, 0x10, 0] as [UInt8] } + [UInt8](repeating: 0xC0, count: 5000)
    let maps =
      (0..<500).flatMap { _ in [0xDF, 0, 0, 0x10, 0] as [UInt8] } + [UInt8](repeating: 0xC0, count: 9000)
    let many = [0xDD, 0x0F, 0, 0, 0] + [UInt8](repeating: 0x90, count: 0x0F00_0000)
    let bomb = try Compression.zstd.compress(many)
    #expect(bomb.count < 64 << 10)
    for bytes in [claims, maps, bomb] {
      let took = try peak {
        let content = try Compression.decompress(bytes, limit: 1 << 28)
        #expect(throws: DataError.self) { try MessagePack.decode(content) }
      }
      #expect(took < 1 << 30, "\(took >> 20) MiB")
    }
  }

  @Test func whatIsOwedIsCountedOnce() throws {
    let value = MessagePack.array([
      .map([(.string("a"), .array([.int(1), .array([])])), (.string("b"), .nil)]), .array([.nil]),
    ])
    #expect(try MessagePack.decode(value.encode()).encode() == value.encode())
    #expect(throws: DataError.self) { try MessagePack.decode([0x92, 0x92, 1, 2]) }
  }

  /// An entry larger than any video's features is refused before it is inflated.
  @Test func bombsInArchivesAreRefusedByTheirSize() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("bomb.npz")
    try Self.bomb(at: path)
    let took = try peak {
      let error = try #require(throws: DataError.self) { try NPZ.read(path: path, name: "features") }
      #expect(error.file == path && "\(error)".contains("bytes"))
    }
    #expect(took < Self.most, "\(took >> 20) MiB")
  }

  /// Writes an archive whose only entry, deflated zeros, claims 1.5 GiB in its directory.
  private static func bomb(at path: String) throws {
    let zip = try ZipWriter.archive([("features.npy", [UInt8](repeating: 0, count: 4 << 20))], compress: true)
    var bytes = zip
    let (old, new) = (UInt32(4 << 20), UInt32(3 << 29))
    let size = withUnsafeBytes(of: old.littleEndian) { Array($0) }
    let claimed = withUnsafeBytes(of: new.littleEndian) { Array($0) }
    while let place = bytes.firstRange(of: size) { bytes.replaceSubrange(place, with: claimed) }
    try AtomicFile.write(bytes, to: path)
  }

  /// A safetensors header of nothing but numbers is refused in little memory.
  @Test func headersOfSafetensorsAreBounded() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("m.safetensors")
    let list =
      [UInt8](repeating: UInt8(ascii: "0"), count: 1) + [UInt8](repeating: UInt8(ascii: ","), count: 1)
    var header = Array("{\"a\":[".utf8)
    for _ in 0..<25_000_000 { header += list }
    header += Array("0]}".utf8)
    try Data(withUnsafeBytes(of: UInt64(header.count).littleEndian) { Array($0) } + header)
      .write(to: URL(fileURLWithPath: path))
    let took = try peak { #expect(throws: DataError.self) { try SafetensorsFile(path: path) } }
    #expect(took < Self.most, "\(took >> 20) MiB")
  }

  @Test func sparseStoresTakeNoMoreThanTheyHold() throws {
    let error = #expect(throws: DataError.self) {
      let folder = try TemporaryFolder()
      let file = open(folder.path("data.mdb"), O_CREAT | O_RDWR, 0o600)
      defer { close(file) }
      try #require(ftruncate(file, 60 << 30) == 0)
      _ = try LMDBReader(path: folder.root).get("a")
    }
    #expect(error?.problem.contains("zeros") == true)
  }
}

/// A measurement of the process's peak memory, which runs until `stop`.
private final class PeakMemory: @unchecked Sendable {
  private let lock = NSLock()
  private var most = 0
  private var isOver = false
  private let done = DispatchSemaphore(value: 0)

  init() {
    Thread.detachNewThread { [self] in
      while !lock.withLock({ isOver }) {
        let now = (try? ResidentMemory.bytes()) ?? 0
        lock.withLock { most = max(most, now) }
        usleep(2_000)
      }
      done.signal()
    }
  }

  func stop() -> Int {
    lock.withLock { isOver = true }
    done.wait()
    return max(most, (try? ResidentMemory.bytes()) ?? 0)
  }
}
