import CUDAEmulation
import Foundation
import TestSupport
import Testing

@testable import Engine

/// The choice of cuBLASLt's algorithms: the quickest one, kept in a file so that runs repeat.
@Suite(.serialized, .enabled(if: TestGPU.isEmulated, "a GPU's own times are not known"))
struct CUDAChoiceTests {
  private let folder: TemporaryFolder
  private var cache: URL { URL(filePath: folder.root) }

  init() throws { folder = try TemporaryFolder() }

  private func open(timesProducts: Bool = true, cache: URL? = nil) throws -> CUDABackend {
    try CUDABackend(
      hero_cuda_emulation().pointee, cache: cache ?? self.cache, timesProducts: timesProducts)
  }

  /// The cache's files of choices.
  private var files: [URL] {
    get throws {
      try FileManager.default.contentsOfDirectory(at: cache, includingPropertiesForKeys: nil).filter {
        $0.lastPathComponent.hasPrefix("products-") && $0.pathExtension == "txt"
      }
    }
  }

  private func text() throws -> String {
    String(decoding: try Data(contentsOf: try #require(try files.first)), as: UTF8.self)
  }

  /// The counts of products by each of the three algorithms, and of waits for the device.
  private struct Calls: Equatable {
    let products: [Int]
    let waits: Int

    init(_ products: [Int], waits: Int = 0) { (self.products, self.waits) = (products, waits) }
  }

  /// Multiplies [rows, 24] by [24, columns] and checks the result.
  /// - Returns: what the product took.
  @discardableResult private func multiply(
    _ backend: CUDABackend, rows: Int = 20, columns: Int = 40, adding: Bool = false
  ) -> Calls {
    let (x, weight) = (Matrix.random(rows, 24, seed: 1), Matrix.random(columns, 24, seed: 2))
    let (left, right) = (leaf(x, on: backend), leaf(weight, on: backend))
    let start = [Float](repeating: adding ? 3 : .nan, count: rows * columns)
    let out = backend.makeTensor(start, rows: rows, columns: columns)
    let before = hero_cuda_emulation_count()
    backend.run(
      Product(
        .init(left), .init(right, transposed: true), to: GradientTarget(tensor: out, accumulate: adding)))
    let after = hero_cuda_emulation_count()
    let values = backend.values(of: out)
    for row in 0..<rows {
      for column in 0..<columns {
        let expected = (0..<24).reduce(adding ? 3.0 : 0) { $0 + x[row, $1] * weight[column, $1] }
        #expect(abs(Double(values[row * columns + column]) - expected) < 1e-4)
      }
    }
    return Calls(
      [
        after.products.0 - before.products.0, after.products.1 - before.products.1,
        after.products.2 - before.products.2,
      ], waits: after.waits - before.waits)
  }

  /// Only the first product of a class is timed, and later processes time none of it.
  @Test(arguments: [false, true]) func theQuickestIsTakenAndKept(adding: Bool) throws {
    hero_cuda_emulation_time_products(1, 0.5, 0.8)
    defer { hero_cuda_emulation_time_products(1, 1, 1) }
    let first = try open()
    let timed = multiply(first, adding: adding)
    #expect(timed.waits > 0 && timed.products.allSatisfy { $0 > 1 })
    #expect(multiply(first, adding: adding) == Calls([0, 1, 0]))
    #expect(multiply(first, rows: 19, adding: adding) == Calls([0, 1, 0]))
    // By these times another algorithm would be the quickest.
    hero_cuda_emulation_time_products(0.5, 1, 1)
    #expect(multiply(try open(), adding: adding) == Calls([0, 1, 0]))
    #expect(multiply(try open(), columns: 80, adding: adding).waits > 0)
    #expect(try files.count == 1)
  }

  /// Algorithms within 3 % of each other count as equal, since chance would decide.
  @Test func equalsAreNotToldApart() throws {
    hero_cuda_emulation_time_products(1, 0.98, 0.99)
    defer { hero_cuda_emulation_time_products(1, 1, 1) }
    let backend = try open()
    multiply(backend)
    #expect(multiply(backend).products == [1, 0, 0])
  }

  /// Processes that time the same class at once take the first one's choice.
  @Test func theFirstChoiceStandsForAll() throws {
    defer { hero_cuda_emulation_time_products(1, 1, 1) }
    let (one, other) = (try open(), try open())
    hero_cuda_emulation_time_products(1, 0.5, 1)
    multiply(one)
    hero_cuda_emulation_time_products(1, 1, 0.5)
    #expect(multiply(other) == Calls([0, 1, 0]))
    // `late` was opened before `early` wrote its choice.
    let shapes = CUDAProducts.ShapeClass(.init(m: 3, n: 4, k: 5, flags: 6))
    let (early, late) = (
      CUDAChoices(title: "a device", folder: cache), CUDAChoices(title: "a device", folder: cache)
    )
    #expect(early.keep([1, 2, 3, 4, 5, 6, 7, 8], for: shapes) == [1, 2, 3, 4, 5, 6, 7, 8])
    #expect(late.keep([8, 7, 6, 5, 4, 3, 2, 1], for: shapes) == [1, 2, 3, 4, 5, 6, 7, 8])
    let another = CUDAChoices(title: "another device", folder: cache)
    #expect(another.kept(shapes) == nil)
  }

  /// A shape that its class's algorithm does not fit takes another, and changes nothing for others.
  @Test func aShapeThatDoesNotFitTakesItsOwn() throws {
    hero_cuda_emulation_time_products(1, 1, 0.5)
    defer { hero_cuda_emulation_time_products(1, 1, 1) }
    let backend = try open()
    multiply(backend)
    let kept = try text()
    #expect(multiply(backend, columns: 39) == Calls([1, 0, 0]))
    #expect(multiply(backend) == Calls([0, 0, 1]))
    #expect(try text() == kept)
  }

  /// A run's results do not depend on which shape of a class comes first, as `--resume` meets
  /// others first.
  @Test func proposalsAreThoseOfTheClass() throws {
    hero_cuda_emulation_propose_last_first(true)
    defer { hero_cuda_emulation_propose_last_first(false) }
    for first in [39, 40] {
      let backend = try open(timesProducts: false)
      multiply(backend, columns: first)
      #expect(multiply(backend, columns: 40) == Calls([0, 0, 1]))
      #expect(multiply(backend, columns: 39) == Calls([0, 1, 0]))
    }
  }

  enum Damage: CaseIterable { case digit, cut, otherTitle, empty, noise }

  /// Damaged choices are timed again, the others stay, and the file is whole again.
  @Test(arguments: Damage.allCases) func aDamagedFileIsMadeAgain(damage: Damage) throws {
    hero_cuda_emulation_time_products(1, 0.5, 1)
    defer { hero_cuda_emulation_time_products(1, 1, 1) }
    let first = try open()
    multiply(first)
    multiply(first, columns: 80)
    let (file, whole) = (try #require(try files.first), try text())
    let lines = whole.split(separator: "\n").map(String.init)
    #expect(lines.count == 3 && lines[0].contains("emulated device") && lines[0].contains("fp32"))
    var bytes = Array(whole.utf8)
    switch damage {
    case .digit: bytes[lines[0].utf8.count + 1 + lines[1].utf8.count - 20] ^= 1
    case .cut: bytes.removeLast(10)
    case .otherTitle: bytes[20] ^= 1
    case .empty: bytes = []
    case .noise: bytes = (0..<1000).map { UInt8(truncatingIfNeeded: $0 * 37) }
    }
    try Data(bytes).write(to: file)
    hero_cuda_emulation_time_products(1, 1, 0.5)
    let second = try open()
    multiply(second)
    multiply(second, columns: 80)
    let (narrow, wide) = (multiply(second).products, multiply(second, columns: 80).products)
    switch damage {
    case .digit: #expect(narrow == [0, 0, 1] && wide == [0, 1, 0])
    case .cut: #expect(narrow == [0, 1, 0] && wide == [0, 0, 1])
    default: #expect(narrow == [0, 0, 1] && wide == [0, 0, 1])
    }
    // A third run finds both choices.
    hero_cuda_emulation_time_products(0.1, 1, 1)
    let third = try open()
    #expect(multiply(third) == Calls(narrow))
    #expect(multiply(third, columns: 80) == Calls(wide))
    #expect(try text().split(separator: "\n").count == 3)
  }

  /// Nothing is timed where no file keeps the choice, since choices would differ from run to run.
  @Test func nothingIsTimedWithoutAFile() throws {
    hero_cuda_emulation_time_products(1, 0.5, 0.5)
    defer { hero_cuda_emulation_time_products(1, 1, 1) }
    #expect(multiply(try open(timesProducts: false)) == Calls([1, 0, 0]))
    #expect(try files == [])
    let nowhere = URL(filePath: try folder.file("file", "")).appending(path: "folder")
    #expect(multiply(try open(cache: nowhere)) == Calls([1, 0, 0]))
    // A choice that others made is read even where none can be written.
    multiply(try open())
    let file = try #require(try files.first)
    let lock = file.deletingPathExtension().appendingPathExtension("lock")
    try FileManager.default.removeItem(at: lock)
    try FileManager.default.createDirectory(at: lock, withIntermediateDirectories: true)
    #expect(multiply(try open()) == Calls([0, 1, 0]))
    #expect(multiply(try open(), columns: 80) == Calls([1, 0, 0]))
    try FileManager.default.removeItem(at: lock)
    // The file becomes unwritable while the process runs.
    let backend = try open()
    try FileManager.default.removeItem(at: file)
    try FileManager.default.createDirectory(at: file, withIntermediateDirectories: true)
    multiply(backend, columns: 80)
    #expect(multiply(backend, columns: 80) == Calls([1, 0, 0]))
    #expect(multiply(backend, columns: 160) == Calls([1, 0, 0]))
  }

  @Test func theVariableIsZeroOrOne() throws {
    #expect(try CUDAChoices.areWanted(environment: [:]))
    #expect(try CUDAChoices.areWanted(environment: ["HERO_CUDA_TIMING": "1"]))
    #expect(try !CUDAChoices.areWanted(environment: ["HERO_CUDA_TIMING": "0"]))
    let error = try #require(throws: EngineError.self) {
      try CUDAChoices.areWanted(environment: ["HERO_CUDA_TIMING": "off"])
    }
    #expect(error.description.contains("\"off\""))
  }
}
