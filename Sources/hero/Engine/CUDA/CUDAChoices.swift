import Foundation

/// cuBLASLt's `cublasLtMatmulAlgo_t`: eight words, which the same version of the library accepts
/// again.
typealias CUDAAlgorithm = [UInt64]

/// The quickest algorithms for classes of products on this kind of device, in a file that all
/// processes share.
///
/// Times differ from run to run, and algorithms sum in different orders. The first choice therefore
/// holds for every process and every later run: a run repeats as long as the file exists.
///
/// The file is text: a title, then a line for each class, which ends with its own hash. Damaged
/// lines are skipped, and their classes are timed again. A write replaces the file atomically, so a
/// reader sees the old file or the new one. A lock file keeps writers apart.
final class CUDAChoices {
  private let file: URL
  private let title: String
  private var known: [CUDAProducts.ShapeClass: CUDAAlgorithm] = [:]
  /// Whether choices can be written; if they cannot, nothing may depend on times.
  private(set) var isKept = true

  /// - Throws: `EngineError` if the driver does not describe the device.
  convenience init(_ stream: CUDAStream, _ precision: Precision, folder: URL) throws {
    let parts = [
      stream.name, "\(try stream.attribute(.multiprocessors)) multiprocessors", precision.rawValue,
      "cuBLASLt \(stream.functions.products_version())",
    ]
    self.init(title: "hero products 1: " + parts.joined(separator: ", "), folder: folder)
  }

  /// - Parameter title: what the choices are for: device, precision, version of the library.
  init(title: String, folder: URL) {
    self.title = title
    file = folder.appending(path: "products-\(CUDAProgram.hash([title])).txt")
    try? FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    read()
    isKept = locked {}
  }

  /// Returns whether `HERO_CUDA_TIMING` asks for timed products: 1 or unset does, 0 does not.
  /// - Throws: `EngineError` for any other value.
  static func areWanted(
    environment: [String: String] = ProcessInfo.processInfo.environment
  ) throws -> Bool {
    switch environment["HERO_CUDA_TIMING"] {
    case nil, "", "1": return true
    case "0": return false
    case let value?:
      throw EngineError(
        "HERO_CUDA_TIMING is \"\(value)\"; it takes 1, or 0 for products that are not timed")
    }
  }

  /// Returns the choice for a class, if this process or another has made one.
  func kept(_ shapes: CUDAProducts.ShapeClass) -> CUDAAlgorithm? {
    if known[shapes] == nil { read() }
    return known[shapes]
  }

  /// Adds a choice for a class that has none.
  /// - Returns: the choice to use, which may be an earlier one of another process; nil if the file
  ///   cannot be written.
  func keep(_ algorithm: CUDAAlgorithm, for shapes: CUDAProducts.ShapeClass) -> CUDAAlgorithm? {
    guard isKept else { return nil }
    isKept = locked {
      let lines = read()
      guard known[shapes] == nil else { return }
      let all = [title] + lines + [Self.line(shapes, algorithm, title), ""]
      try Data(all.joined(separator: "\n").utf8).write(to: file, options: .atomic)
      known[shapes] = algorithm
    }
    return isKept ? known[shapes] : nil
  }

  /// Adds the file's choices to the known ones, which stay: this process has computed with them.
  /// - Returns: the undamaged lines.
  @discardableResult private func read() -> [String] {
    guard let bytes = try? Data(contentsOf: file) else { return [] }
    let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
    guard lines.first == title else { return [] }
    return lines.dropFirst().filter { line in
      guard let (shapes, algorithm) = Self.choice(line, title) else { return false }
      if known[shapes] == nil { known[shapes] = algorithm }
      return true
    }
  }

  /// Runs `body` under a lock that keeps other writers out.
  /// - Returns: whether both the lock and `body` succeeded.
  private func locked(_ body: () throws -> Void) -> Bool {
    let path = file.deletingPathExtension().appendingPathExtension("lock").path
    let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    while flock(descriptor, LOCK_EX) != 0 { guard errno == EINTR else { return false } }
    defer { flock(descriptor, LOCK_UN) }
    return (try? body()) != nil
  }

  /// Returns a line of the file: m, n, k, flags, the algorithm's words and the hash, in
  /// hexadecimal.
  private static func line(
    _ shapes: CUDAProducts.ShapeClass, _ algorithm: CUDAAlgorithm, _ title: String
  ) -> String {
    let shape = shapes.shape
    let numbers = [shape.m, shape.n, shape.k, shape.flags].map { UInt64($0) } + algorithm
    let text = numbers.map { String($0, radix: 16) }.joined(separator: " ")
    return "\(text) \(CUDAProgram.hash([title, text]))"
  }

  private static func choice(
    _ line: String, _ title: String
  ) -> (CUDAProducts.ShapeClass, CUDAAlgorithm)? {
    let numbers = line.split(separator: " ").compactMap { UInt64($0, radix: 16) }
    guard numbers.count == 13, numbers[..<4].allSatisfy({ $0 >> 40 == 0 }) else { return nil }
    let sizes = numbers[..<4].map { Int($0) }
    let shapes = CUDAProducts.ShapeClass(
      CUDAProducts.Shape(m: sizes[0], n: sizes[1], k: sizes[2], flags: sizes[3]))
    let algorithm = CUDAAlgorithm(numbers[4..<12])
    return Self.line(shapes, algorithm, title) == line ? (shapes, algorithm) : nil
  }
}

extension CUDAStream {
  /// Returns the algorithm that takes the device the least time.
  ///
  /// A later one must be 3 % quicker, so that chance does not decide between equals.
  /// - Parameter run: queues the work; returns other than 0 if the algorithm does not fit.
  /// - Returns: nil if none fits.
  func quickest(
    of algorithms: [CUDAAlgorithm], run: (CUDAAlgorithm) -> Int32
  ) -> CUDAAlgorithm? {
    let (start, end) = (makeEvent(timed: true), makeEvent(timed: true))
    defer { for event in [start, end] { _ = functions.event_destroy(event) } }
    var times = [Float](repeating: .infinity, count: algorithms.count)
    // The algorithms take turns, because the device's clock rises and falls meanwhile.
    for _ in 0..<3 {
      for (place, algorithm) in algorithms.enumerated() {
        // The first run keeps the device busy until the others are queued.
        guard run(algorithm) == 0 else { continue }
        record(start)
        for _ in 0..<8 { _ = run(algorithm) }
        record(end)
        synchronize()
        var milliseconds: Float = 0
        check(functions.event_elapsed(&milliseconds, start, end), "time a product")
        times[place] = min(times[place], milliseconds)
      }
    }
    var best: (algorithm: CUDAAlgorithm, time: Float)?
    for (algorithm, time) in zip(algorithms, times) where time < 0.97 * (best?.time ?? .infinity) {
      best = (algorithm, time)
    }
    return best?.algorithm
  }
}
