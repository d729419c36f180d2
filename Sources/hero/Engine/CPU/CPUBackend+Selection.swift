import HeapModule

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

  public func topK(
    _ x: Tensor, firstColumn: Int, earlier: (values: Tensor, places: Indices)?, values: Tensor,
    places: Indices
  ) {
    let kept = values.columns
    precondition(values.rows == x.rows && places.count == values.count)
    precondition(earlier.map { $0.values.rows == x.rows && $0.places.count == $0.values.count } ?? true)
    let (from, best, to) = (UnsafePointer(x.pointer), values.pointer, places.pointer)
    let before = earlier.map {
      (values: $0.values.pointer, places: $0.places.pointer, count: $0.values.columns)
    }
    pool.split(x.rows) { range, _ in
      for r in range {
        // The smallest that is kept comes first. A value that is not a number never gets in.
        var heap = Heap<Ranked>()
        if let before {
          for k in r * before.count..<(r + 1) * before.count where before.places[k] >= 0 && heap.count < kept
          {
            heap.insert(Ranked(value: before.values[k], place: before.places[k]))
          }
        }
        let row = from + r * x.columns
        var column = 0
        while heap.count < kept, column < x.columns {
          if !row[column].isNaN {
            heap.insert(Ranked(value: row[column], place: Int32(firstColumn + column)))
          }
          column += 1
        }
        var least = heap.min?.value ?? .infinity
        while column < x.columns {
          if row[column] > least {
            heap.replaceMin(with: Ranked(value: row[column], place: Int32(firstColumn + column)))
            least = heap.min?.value ?? .infinity
          }
          column += 1
        }
        let sorted = heap.unordered.sorted(by: >)
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

/// A value of a row. Of equals the one that came first is the larger.
private struct Ranked: Comparable {
  var value: Float
  var place: Int32

  static func < (a: Ranked, b: Ranked) -> Bool {
    a.value != b.value ? a.value < b.value : a.place > b.place
  }
}
