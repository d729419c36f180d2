import HeapModule

/// The largest of a row and where they are.
extension CPUBackend {
  public func argmax(_ x: Tensor, columns: Int, places: Indices) {
    precondition(columns > 0 && columns <= x.columns && places.count == x.rows)
    var staged = Staged(self)
    defer { staged.finish() }
    let x = staged.reading(x)
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
    var staged = Staged(self)
    defer { staged.finish() }
    let x = staged.reading(x)
    let (from, best, to) = (UnsafePointer(x.pointer), values.pointer, places.pointer)
    let before = earlier.map {
      (values: $0.values.pointer, places: $0.places.pointer, count: $0.values.columns)
    }
    pool.split(x.rows) { range, _ in
      var found: [Ranked] = []
      for r in range {
        let row = UnsafeBufferPointer(start: from + r * x.columns, count: x.columns)
        Self.rank(
          row, firstColumn: firstColumn, kept: kept, into: &found,
          above: before.map { before in
            let least = r * before.count + kept - 1
            return before.count >= kept && kept > 0 && before.places[least] >= 0
              ? before.values[least] : -.infinity
          })
        // Both lists have the largest first; of equals the earlier one's column is the lower.
        var (old, new) = (0, 0)
        for k in r * kept..<(r + 1) * kept {
          var earlier: Ranked?
          if let before, old < before.count, before.places[r * before.count + old] >= 0 {
            earlier = Ranked(
              value: before.values[r * before.count + old], place: before.places[r * before.count + old])
          }
          let own = new < found.count ? found[new] : nil
          let takesEarlier = earlier.map { earlier in own.map { $0 < earlier } ?? true } ?? false
          if takesEarlier { old += 1 } else { new += 1 }
          let next = takesEarlier ? earlier : own
          best[k] = next?.value ?? -.infinity
          to[k] = next?.place ?? -1
        }
      }
    }
  }

  /// The largest of a row, at most `kept`, the largest first; values that are not numbers never
  /// count.
  /// - Parameter above: where given, only values above this are wanted, few as a rule.
  private static func rank(
    _ row: UnsafeBufferPointer<Float>, firstColumn: Int, kept: Int, into found: inout [Ranked], above: Float?
  ) {
    found.removeAll(keepingCapacity: true)
    if let above, above > -.infinity {
      for column in row.indices where row[column] > above {
        found.append(Ranked(value: row[column], place: Int32(firstColumn + column)))
      }
      return found.sort(by: >)
    }
    // The smallest that is kept comes first.
    var heap = Heap<Ranked>()
    for (column, value) in row.enumerated() {
      if heap.count < kept {
        if !value.isNaN { heap.insert(Ranked(value: value, place: Int32(firstColumn + column))) }
      } else if let least = heap.min, value > least.value {
        heap.replaceMin(with: Ranked(value: value, place: Int32(firstColumn + column)))
      }
    }
    found.append(contentsOf: heap.unordered)
    found.sort(by: >)
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
