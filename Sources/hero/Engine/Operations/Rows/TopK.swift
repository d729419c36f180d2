import CCUDA
import HeapModule

/// The `values.columns` largest elements of each row and of `earlier`, the largest first, with
/// their columns.
///
/// Columns count from `firstColumn`; of equals the first comes first. NaNs never count. A row with
/// fewer numbers is filled with −∞ and −1.
public struct TopK: Operation {
  let x: Tensor
  let firstColumn: Int
  /// What earlier calls found in the same rows, in lower columns; not the memory of the result.
  let earlier: (values: Tensor, places: Indices)?
  let values: Tensor
  let places: Indices

  /// - Parameters:
  ///   - firstColumn: the number of the first column of `x`.
  ///   - earlier: what was found in the columns before; nil for the first call.
  ///   - values: receives the largest elements, the largest first.
  ///   - places: receives their columns.
  public init(
    _ x: Tensor, firstColumn: Int = 0, earlier: (values: Tensor, places: Indices)? = nil, values: Tensor,
    places: Indices
  ) {
    (self.x, self.firstColumn, self.earlier) = (x, firstColumn, earlier)
    (self.values, self.places) = (values, places)
  }

  /// Checks that all have the same rows, and each value a place.
  public func check() {
    precondition(values.rows == x.rows && places.count == values.count)
    precondition(earlier.map { $0.values.rows == x.rows && $0.places.count == $0.values.count } ?? true)
  }

  /// The elements and the results of earlier calls.
  public var reads: [(any Operand)?] { [x, earlier?.values, earlier?.places] }
  /// Values and places.
  public var writes: [(any Operand)?] { [values, places] }

  /// Divides the rows among all threads; each keeps a sorted list.
  public func run(on cpu: CPUBackend) {
    let kept = values.columns
    var staged = Staged(cpu)
    defer { staged.finish() }
    let x = staged.reading(x)
    let (from, best, to) = (UnsafePointer(x.pointer), values.pointer, places.pointer)
    let before = earlier.map {
      (values: $0.values.pointer, places: $0.places.pointer, count: $0.values.columns)
    }
    cpu.pool.split(x.rows) { range, _ in
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
        // Both lists begin with the largest; of equals, the earlier one's column is the lower.
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

  /// Finds the largest elements of a row, at most `kept` without `above`, the largest first and
  /// without NaNs.
  /// - Parameter above: if given, the bound above which elements are wanted, usually few.
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
    // The heap's minimum is the smallest element that is kept.
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

  /// Runs a block for each row.
  public func run(on gpu: CUDABackend) {
    var arguments = hero_top_arguments()
    (arguments.x, arguments.values, arguments.places) = (x.view, values.floats, places.numbers)
    (arguments.columns, arguments.stride, arguments.kept) = (
      Int64(x.columns), Int64(x.columns), Int64(values.columns)
    )
    arguments.first_column = Int64(firstColumn)
    arguments.earlier_values = earlier?.values.floats.map { UnsafePointer($0) }
    arguments.earlier_places = earlier?.places.numbers.map { UnsafePointer($0) }
    arguments.earlier = Int64(earlier?.values.columns ?? 0)
    gpu.launch(.top, rows: x.rows, block: 1024, arguments)
  }
}

/// An element of a row; of equals, the one that came first is the larger.
private struct Ranked: Comparable {
  var value: Float
  var place: Int32

  static func < (a: Ranked, b: Ranked) -> Bool {
    a.value != b.value ? a.value < b.value : a.place > b.place
  }
}
