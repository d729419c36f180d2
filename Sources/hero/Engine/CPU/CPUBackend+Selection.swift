/// The largest of a row and where they are.
extension CPUBackend {
  public func argmax(_ x: Tensor, columns: Int, places: Indices) {
    precondition(columns > 0 && columns <= x.columns && places.count == x.rows)
    let (from, to) = (UnsafePointer(x.pointer), places.pointer)
    pool.split(x.rows, grain: 1 + (1 << 14) / columns) { range, _ in
      for r in range {
        let row = UnsafeBufferPointer(start: from + r * x.columns, count: columns)
        let most = Self.largest(row)
        to[r] = Int32(row.firstIndex(of: most) ?? 0)
      }
    }
  }

  public func topK(_ x: Tensor, values: Tensor, places: Indices) {
    let kept = values.columns
    precondition(values.rows == x.rows && places.count == values.count)
    let (from, best, to) = (UnsafePointer(x.pointer), values.pointer, places.pointer)
    pool.split(x.rows) { range, _ in
      for r in range {
        let row = UnsafeBufferPointer(start: from + r * x.columns, count: x.columns)
        var list = TopList(capacity: kept)
        for (column, value) in row.enumerated() { list.insert(value, Int32(column)) }
        let sorted = list.sorted()
        for k in 0..<kept {
          best[r * kept + k] = k < sorted.count ? sorted[k].value : -.infinity
          to[r * kept + k] = k < sorted.count ? sorted[k].place : -1
        }
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
}

/// The `capacity` largest of any number of values: a binary heap with the smallest kept one on top. Of equals the one
/// that came first is the larger.
private struct TopList {
  let capacity: Int
  private var heap: [(value: Float, place: Int32)] = []

  init(capacity: Int) {
    self.capacity = capacity
    heap.reserveCapacity(capacity)
  }

  /// A value that is not a number never gets in.
  mutating func insert(_ value: Float, _ place: Int32) {
    if heap.count < capacity {
      guard !value.isNaN else { return }
      heap.append((value, place))
      var child = heap.count - 1
      while child > 0, Self.isSmaller(heap[child], heap[(child - 1) / 2]) {
        heap.swapAt(child, (child - 1) / 2)
        child = (child - 1) / 2
      }
    } else if capacity > 0, value > heap[0].value {
      heap[0] = (value, place)
      var parent = 0
      while true {
        var least = parent
        for child in [2 * parent + 1, 2 * parent + 2]
        where child < heap.count && Self.isSmaller(heap[child], heap[least]) { least = child }
        guard least != parent else { return }
        heap.swapAt(parent, least)
        parent = least
      }
    }
  }

  /// The largest first.
  func sorted() -> [(value: Float, place: Int32)] { heap.sorted { Self.isSmaller($1, $0) } }

  private static func isSmaller(_ a: (value: Float, place: Int32), _ b: (value: Float, place: Int32)) -> Bool
  {
    a.value != b.value ? a.value < b.value : a.place > b.place
  }
}
