import CUDAEmulation
import Foundation
import TestSupport
import Testing

@testable import Engine

/// The limits of devices, and their handling of NaN.
@Suite(.serialized) struct DeviceLimitTests {
  /// On every device a NaN is the largest of its segment, and the first of several.
  @Test func segmentMaxOfNaN() throws {
    let rows: [[Float]] = [
      [1, .nan, 3, .nan, -.infinity, -.infinity, .nan, 2], [.nan, 1, 2, 3, 4, .nan, .nan, .nan],
      [1, 2, 3, 4, .infinity, .nan, 5, 6],
    ]
    let wanted: [[Int32]] = [[1, 4, -1, 6], [0, 5, -1, 6], [3, 5, -1, 7]]
    func check(_ backend: any Backend) {
      let x = backend.makeTensor(rows.flatMap { $0 }, rows: rows.count, columns: 8)
      let segments = Segments(lengths: [4, 2, 0, 2], on: backend)
      let (places, out) = (backend.makeIndices(count: 12), backend.makeTensor(rows: 3, columns: 4))
      backend.run(SegmentMax(x: x, segments: segments, places: places, out: out))
      #expect(backend.values(of: places) == wanted.flatMap { $0 }, "\(backend.summary)")
      let values = backend.values(of: out)
      for (number, place) in wanted.joined().enumerated() {
        let expected = place < 0 ? 0 : rows[number / 4][Int(place)]
        #expect(values[number].bitPattern == expected.bitPattern || values[number].isNaN && expected.isNaN)
      }
    }
    try Backends.forEach(check)
    check(try TestGPU.open(.bf16))
  }

  /// A hinge loss of NaN is NaN, not 0.
  @Test func hingeOfNaN() throws {
    try Backends.forEach { backend in
      let scores = backend.makeTensor([1, .nan, 0, 1], rows: 2, columns: 2)
      let losses = backend.makeSums(2)
      let input = RankingInput(
        scores: scores, slots: backend.makeIndices([0, 1]), queriesPerSlot: 1, kind: .hinge, margin: 0.1)
      backend.run(RankingLoss(input: input, weights: (1, 1), gradient: nil, losses: losses))
      let found = backend.numbers(of: [losses])
      #expect(found.allSatisfy { $0.isNaN }, "\(backend.summary)")
    }
  }

  /// A grid is 65,535 blocks deep, and more sequences take another grid.
  @Test func moreSequencesThanAGridIsDeep() throws {
    // All sequences but the last ones are empty, and their blocks do nothing.
    let (many, full) = (65_535 + 20, 30)
    let lengths = (0..<many).map { $0 < many - full ? 0 : 3 }
    let x = Matrix.random(3 * full, 3 * 8, seed: 1)
    let results = try [CPUBackend(threads: 1), TestGPU.open()].map { (backend: any Backend) in
      let tape = Tape.training(backend, seed: 1, step: 1)
      let (input, segments) = (leaf(x, on: backend), Segments(lengths: lengths, on: backend))
      let out = tape.attention(
        queries: input, keysValues: input, keyColumn: 8, valueColumn: 16, width: 8, heads: 1,
        querySegments: segments, keySegments: segments, dropout: 0.3)
      let values = backend.values(of: out)
      tape.customLoss([out]) { _ in [Matrix.random(out.rows, out.columns, seed: 7).floats] }
      tape.backward()
      return values + (input.gradient.map { backend.values(of: $0) } ?? [])
    }
    #expect(results[0].count == 3 * full * (8 + 24) && results[0].contains { $0 != 0 })
    for (a, b) in paired(results[1], results[0]) { #expect(abs(a - b) <= 1e-5) }
  }

  @Test func widthsThatKernelsHave() throws {
    #expect(try TestGPU.open().limits == BackendLimits(normColumns: 8192, headColumns: 128))
    let cpu = try CPUBackend(threads: 1)
    #expect(cpu.limits == BackendLimits())
    #expect(
      ProfiledBackend(try TestGPU.open(), limits: .init(peak: 1, bandwidth: 1)).limits.headColumns == 128)
  }

  /// Cached kernels that do not load are compiled again and overwritten.
  @Test(
    .enabled(if: TestGPU.isEmulated, "a driver of the tests' own"),
    arguments: ["", "something else", "kernels of the emulatio"])
  func damagedKernels(kept: String) throws {
    let folder = try TemporaryFolder()
    let cache = URL(fileURLWithPath: folder.path("cache"))
    let functions = hero_cuda_emulation().pointee
    func open() throws -> [String: Data] {
      let backend = try CUDABackend(functions, cache: cache)
      #expect(backend.values(of: backend.makeTensor([1, 2], rows: 1, columns: 2)) == [1, 2])
      // The choices of products have files of their own.
      let names = try FileManager.default.contentsOfDirectory(atPath: cache.path)
        .filter { !$0.hasPrefix("products-") }
      return try Dictionary(
        uniqueKeysWithValues: names.map { ($0, try Data(contentsOf: cache.appending(path: $0))) })
    }
    let whole = try open()
    let name = try #require(whole.keys.first)
    #expect(whole.count == 1 && whole[name]?.isEmpty == false)
    try (Data(kept.utf8) + [0]).write(to: cache.appending(path: name))
    #expect(try open() == whole)
    #expect(try open() == whole)
  }

  /// The host checks the row numbers that it uploaded to a device.
  @Test func rowNumbersThatTablesHave() throws {
    for backend in try [CPUBackend(threads: 1), TestGPU.open()] as [any Backend] {
      let numbers = backend.makeIndices([Int32(-1), 3, 0, 7])
      #expect(numbers.areBelow(8) && !numbers.areBelow(7))
      #expect(numbers.view(0..<3).areBelow(4) && !numbers.view(0..<3).areBelow(3))
      #expect(backend.makeIndices([Int32]()).areBelow(0) && backend.makeIndices(count: 4).areBelow(0))
    }
  }

  /// A row number past a table's end ends the program on the host, before a device reads it.
  @Test func rowNumbersThatTablesHaveNot() async {
    await #expect(processExitsWith: .failure) { try DeviceLimitTests.gather(3) }
    await #expect(processExitsWith: .success) { try DeviceLimitTests.gather(2) }
    await #expect(processExitsWith: .failure) { try DeviceLimitTests.target(2) }
    await #expect(processExitsWith: .success) { try DeviceLimitTests.target(1) }
  }

  private static func gather(_ row: Int32) throws {
    let backend = try TestGPU.open()
    let (table, out) = (backend.makeTensor(rows: 3, columns: 4), backend.makeTensor(rows: 1, columns: 4))
    backend.run(GatherSum(terms: [(table, backend.makeIndices([row]))], out: out))
    backend.synchronize()
  }

  /// Runs a loss whose second target is `place`, in a segment of two logits.
  private static func target(_ place: Int32) throws {
    let backend = try TestGPU.open()
    let logits = backend.makeTensor([1, 2, 3, 4, 5], rows: 1, columns: 5)
    backend.run(
      SegmentCrossEntropy(
        x: logits, segments: Segments(lengths: [3, 2], on: backend),
        targets: backend.makeIndices([2, place]), gradientScale: nil,
        losses: backend.makeTensor(rows: 1, columns: 2)))
    backend.synchronize()
  }

  /// The emulated driver ends the program if an event is destroyed before its mark is passed.
  @Test func eventsThatAreQueuedStay() async {
    await #expect(processExitsWith: .failure) { DeviceLimitTests.destroyEvent(afterWaiting: false) }
    await #expect(processExitsWith: .success) { DeviceLimitTests.destroyEvent(afterWaiting: true) }
  }

  private static func destroyEvent(afterWaiting waits: Bool) {
    let driver = hero_cuda_emulation().pointee
    var (context, stream): (UnsafeMutableRawPointer?, UnsafeMutableRawPointer?)
    var event: UnsafeMutableRawPointer?
    _ = (driver.retain_context(&context, 0), driver.set_context(context))
    _ = (driver.stream_create(&stream, 0), driver.event_create(&event, 0), driver.event_record(event, stream))
    if waits { _ = driver.stream_synchronize(stream) }
    _ = driver.event_destroy(event)
  }
}
