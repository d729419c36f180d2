import CLMDB
import Foundation
import TestSupport
import Testing

@testable import Formats

@Suite struct LMDBTests {
  static func value(_ index: Int, _ size: Int) -> [UInt8] {
    (0..<size).map { UInt8(($0 &* 31 &+ index) & 0xFF) }
  }

  /// Makes a store with `count` entries, in which every eleventh value takes overflow pages.
  static func makeStore(_ path: String, count: Int, commitInterval: Int = 1000) throws -> [String: [UInt8]] {
    let writer = try LMDBWriter(path: path, commitInterval: commitInterval, mapSize: 1 << 20)
    var entries: [String: [UInt8]] = [:]
    for index in 0..<count {
      let key = "key \(index &* 7919 % 1_000_003)"
      let bytes = value(index, index % 11 == 0 ? 4000 + index % 9000 : index % 60)
      try writer.put(key, bytes)
      entries[key] = bytes
    }
    try writer.finish()
    return entries
  }

  @Test(arguments: [(0, 10), (1, 10), (100, 7), (5000, 1000), (20000, 100_000)])
  func treesOfAnyDepthComeBack(_ count: Int, _ commitInterval: Int) throws {
    let folder = try TemporaryFolder()
    let path = folder.path("store")
    let entries = try Self.makeStore(path, count: count, commitInterval: commitInterval)
    #expect(try FileManager.default.contentsOfDirectory(atPath: path) == ["data.mdb"])
    let reader = try LMDBReader(path: path)
    #expect(reader.count == count)
    for (key, value) in entries { #expect(try reader.get(key) == value) }
    #expect(try reader.get("none") == nil && reader.get("") == nil && reader.get("zzz") == nil)
    let listed = try storeEntries(path)
    #expect(listed.count == count && listed.allSatisfy { entries[$0.key] == $0.value })
  }

  /// A file whose entries lie in a named database is refused with the name.
  @Test func namesANamedDatabase() throws {
    let folder = try TemporaryFolder()
    try FileManager.default.createDirectory(atPath: folder.path("s"), withIntermediateDirectories: true)
    var (environment, transaction): (OpaquePointer?, OpaquePointer?)
    #expect(mdb_env_create(&environment) == 0 && mdb_env_set_maxdbs(environment, 2) == 0)
    #expect(mdb_env_open(environment, folder.path("s"), 0, 0o600) == 0)
    #expect(mdb_txn_begin(environment, nil, 0, &transaction) == 0)
    var database = MDB_dbi()
    #expect(mdb_dbi_open(transaction, "frames", UInt32(MDB_CREATE), &database) == 0)
    #expect(mdb_txn_commit(transaction) == 0)
    mdb_env_close(environment)
    let error = try #require(throws: DataError.self) { try LMDBReader(path: folder.path("s")) }
    #expect(error.problem.contains("the named database \"frames\"") && error.cure != nil)
  }

  @Test func valuesLargerThanTheMapMakeItGrow() throws {
    let folder = try TemporaryFolder()
    let writer = try LMDBWriter(path: folder.path("store"), mapSize: 1 << 20)
    for index in 0..<4 { try writer.put("\(index)", Self.value(index, 50_000_000)) }
    try writer.finish()
    let reader = try LMDBReader(path: folder.path("store"))
    #expect(try reader.get("3") == Self.value(3, 50_000_000))
  }

  @Test func refusesUnusableKeysAndRepeatedOnes() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("store")
    let writer = try LMDBWriter(path: path)
    try writer.put("a", [1])
    #expect(throws: DataError.self) { try writer.put("", [1]) }
    #expect(throws: DataError.self) { try writer.put(String(repeating: "x", count: 512), [1]) }
    #expect(throws: DataError.self) { try writer.put("a", [2]) }
    try writer.put("a", [3], replacing: true)
    try writer.finish()
    #expect(throws: DataError.self) { try writer.put("b", [1]) }
    #expect(throws: DataError.self) { try LMDBWriter(path: path) }
    let reader = try LMDBReader(path: path)
    #expect(try reader.count == 1 && reader.get("a") == [3])
  }

  @Test func readsFromManyThreadsAndReadOnlyFolders() async throws {
    let folder = try TemporaryFolder()
    let path = folder.path("store")
    let entries = try Self.makeStore(path, count: 2000)
    chmod(path + "/data.mdb", 0o444)
    chmod(path, 0o555)
    defer { chmod(path, 0o755) }
    let reader = try LMDBReader(path: path)
    try await withThrowingTaskGroup(of: Void.self) { group in
      for part in 0..<4 {
        group.addTask {
          for (place, entry) in entries.enumerated() where place % 4 == part {
            let value = try reader.get(entry.key)
            #expect(value == entry.value)
          }
        }
      }
      try await group.waitForAll()
    }
  }

  @Test func truncatedFilesAreNamed() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("store")
    _ = try Self.makeStore(path, count: 300)
    let bytes = try FileBytes.read(path: path + "/data.mdb")
    let cut = folder.path("cut.mdb")
    for length in Array(0..<300) + Array(stride(from: 300, to: bytes.count, by: 1013)) {
      try AtomicFile.write(Array(bytes[..<length]), to: cut)
      let error = try #require(throws: DataError.self) { try LMDBReader(path: cut) }
      #expect(error.file == cut && error.cure != nil)
    }
    #expect(throws: DataError.self) { try LMDBReader(path: folder.path("none")) }
    #expect(throws: DataError.self) { try LMDBReader(path: folder.root) }
  }

  @Test func flippedBitsNeverTrap() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("store")
    let entries = try Self.makeStore(path, count: 150)
    let bytes = try FileBytes.read(path: path + "/data.mdb")
    let keys = Array(entries.keys.prefix(20))
    let damaged = folder.path("damaged.mdb")
    try Data(bytes).write(to: URL(fileURLWithPath: damaged))
    let file = try FileHandle(forUpdating: URL(fileURLWithPath: damaged))
    // The damage hits headers, offsets and nodes at the start of every page, not the values.
    for page in 0..<bytes.count / 4096 {
      for place in stride(from: 0, to: page < 2 ? 160 : 120, by: 1) {
        let offset = page * 4096 + place
        for flip in [UInt8(0x01), 0x80, 0xFF] {
          try file.seek(toOffset: UInt64(offset))
          try file.write(contentsOf: [bytes[offset] ^ flip])
          if let reader = try? LMDBReader(path: damaged) {
            for key in keys { _ = try? reader.get(key) }
          }
        }
        try file.seek(toOffset: UInt64(offset))
        try file.write(contentsOf: [bytes[offset]])
      }
    }
    #expect(try LMDBReader(path: damaged).get(keys[0]) == entries[keys[0]])
  }

  @Test
  func storesOfTheReferenceAreReadAndMadeAgainEntryByEntry() throws {
    let root = SharedData.golden.appendingPathComponent("db").path
    let names = try #require(FileManager.default.enumerator(atPath: root)).compactMap { $0 as? String }
    let stores = names.filter { $0.hasSuffix("/data.mdb") }.map {
      root + "/" + $0.dropLast("/data.mdb".count)
    }
    #expect(stores.contains { $0.contains("txt_db") })
    let folder = try TemporaryFolder()
    var texts = 0
    defer { #expect(texts > 0) }
    for (number, store) in stores.enumerated() {
      let reader = try LMDBReader(path: store)
      let again = try LMDBWriter(path: folder.path("\(number)"))
      let entries = try storeEntries(store)
      for (key, value) in entries {
        #expect(try reader.get(key) == value)
        try again.put(key, value)
        guard store.contains("txt_db") else { continue }
        texts += 1
        let content = try Compression.decompress(value)
        #expect(try Compression.lz4.compress(content) == value)
        #expect(try MessagePack.decode(content).encode() == content)
      }
      #expect(entries.count == reader.count && !entries.isEmpty)
      try again.finish()
      #expect(try LMDBReader(path: folder.path("\(number)")).count == entries.count)
    }
  }

  /// A full disk is called full, though liblmdb calls a partial write an input/output error.
  @Test func aFullDiskIsCalledFull() {
    #expect(LMDBWriter.cause(EIO, free: 4096) == ENOSPC)
    #expect(LMDBWriter.cause(EIO, free: 1 << 40) == EIO && LMDBWriter.cause(EIO, free: nil) == EIO)
    #expect(LMDBWriter.cause(EACCES, free: 0) == EACCES)
    #expect(LMDBWriter.cause(ENOSPC, free: 1 << 40, room: 4096) == EFBIG)
    #expect(LMDBWriter.cause(EIO, free: 4096, room: 4096) == ENOSPC)
    #expect(LMDBWriter.cause(EIO, free: nil, room: 1 << 40) == EIO)
  }
}
