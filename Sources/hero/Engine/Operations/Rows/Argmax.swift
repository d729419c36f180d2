import CCUDA

/// places[r] = the column of the first maximum among the first `columns` elements of row r.
public struct Argmax: Operation {
  let x: Tensor
  let columns: Int
  let places: Indices

  /// - Parameters:
  ///   - columns: the number of elements that count in each row, from the first.
  ///   - places: receives one number per row.
  public init(_ x: Tensor, columns: Int, places: Indices) {
    (self.x, self.columns, self.places) = (x, columns, places)
  }

  /// Checks that there is at least one column, and a place for each row.
  public func check() {
    precondition(columns > 0 && columns <= x.columns && places.count == x.rows)
  }

  /// The first `columns` elements of each row.
  public var reads: [(any Operand)?] { [Part(x, count: x.rows * columns)] }
  /// The places.
  public var writes: [(any Operand)?] { [places] }

  /// Divides the rows among all threads.
  public func run(on cpu: CPUBackend) {
    var staged = Staged(cpu)
    defer { staged.finish() }
    let x = staged.reading(x)
    let (from, to) = (UnsafePointer(x.pointer), places.pointer)
    cpu.pool.split(x.rows, grain: 1 + (1 << 14) / columns) { range, _ in
      for r in range {
        let row = UnsafeBufferPointer(start: from + r * x.columns, count: columns)
        let most = Self.largest(row)
        to[r] = Int32(row.firstIndex(of: most) ?? 0)
      }
    }
  }

  private static func largest(_ row: UnsafeBufferPointer<Float>) -> Float {
    let raw = UnsafeRawBufferPointer(row)
    var most = SIMD16<Float>(repeating: -.infinity)
    let blocks = row.count / 16
    for block in 0..<blocks {
      let values = raw.loadUnaligned(fromByteOffset: block * 64, as: SIMD16<Float>.self)
      most.replace(with: values, where: values .> most)
    }
    return row[(blocks * 16)...].reduce(most.max()) { max($0, $1) }
  }

  /// Runs the kernel of ``TopK`` with one place per row.
  public func run(on gpu: CUDABackend) {
    var arguments = hero_top_arguments()
    (arguments.x, arguments.places) = (x.view, places.numbers)
    (arguments.columns, arguments.stride, arguments.kept) = (Int64(columns), Int64(x.columns), 1)
    gpu.launch(.top, rows: x.rows, block: 1024, arguments)
  }
}
