import CKernels
import Synchronization

/// A factor of a product in bfloat16: values of either type, which are rounded when they are
/// packed.
struct BF16Factor {
  let tensor: Tensor
  /// Whether the rows (of the left) or the columns (of the right) lie along a row of the tensor, so
  /// that the inner dimension goes from row to row.
  let isAcross: Bool

  /// The items and the stretch of the inner dimension, in groups of sixteen items, `stride` words
  /// apart.
  func pack(
    _ items: Range<Int>, _ inner: Range<Int>, to words: UnsafeMutablePointer<UInt32>, stride: Int,
    isLeft: Bool, _ loops: hero_value_loops
  ) {
    let (ld, size) = (tensor.columns, tensor.storage.type.size)
    if isAcross {
      let from = tensor.values + (inner.lowerBound * ld + items.lowerBound) * size
      loops.pack_across(words, stride, from, ld, items.count, inner.count, isLeft)
    } else {
      let from = tensor.values + (items.lowerBound * ld + inner.lowerBound) * size
      loops.pack_along(words, stride, from, ld, items.count, inner.count, isLeft)
    }
  }
}

/// A right factor, packed: group g, pair p at `words + g·stride + (p − firstPair)·16`.
private struct PackedColumns {
  let words: UnsafeMutablePointer<UInt32>
  let stride: Int
  let firstPair: Int
  let firstColumn: Int
}

/// Products in bfloat16 with sums in float32.
///
/// The right factor is packed once, a block of columns at a time, for all threads; then blocks of
/// the left factor's rows are packed and multiplied by whichever thread is free. What an element's
/// sum is made of, and in what order, depends on the shape alone. Weights stay float32: to round
/// them while they are packed costs a hundredth of a product of a batch's rows.
extension CPUBackend {
  /// Rows of a block of the left factor, which stays in a core's second cache with its stretch of
  /// the inner dimension.
  private static var blockRows: Int { 64 }
  /// Columns of a block of the right factor.
  private static var blockColumns: Int { 3072 }
  /// Columns of an item of work where sums are kept between stretches.
  private static var itemColumns: Int { 768 }

  /// out = activation(left·right + bias), or out += left·right. left: [m, k], right: [k, n].
  func bf16Product(
    _ left: BF16Factor, _ right: BF16Factor, m: Int, n: Int, k: Int, _ result: ProductResult
  ) {
    guard m > 0, n > 0 else { return }
    operations += 2 * m * n * k
    let kept = m <= Self.thinRows && !right.isAcross ? keptPacking(of: right.tensor) : nil
    let outer = Self.stretches(0..<k, upTo: 8192, whole: 8192)
    let width = (n + 15) / 16 * 16
    let sums = outer.count > 1 ? scratch(parts: 1, each: (m + 15) / 16 * 16 * width) : nil
    for first in stride(from: 0, to: n, by: Self.blockColumns) {
      let columns = first..<min(n, first + Self.blockColumns)
      for (number, inner) in outer.enumerated() {
        let pairs = (inner.count + 1) / 2
        let room = kept == nil ? scratch(parts: 1, each: (columns.count + 15) / 16 * 16 * max(1, pairs)) : nil
        let packed: PackedColumns
        if let room {
          packed = PackedColumns(
            words: room.words, stride: 16 * pairs, firstPair: inner.lowerBound / 2, firstColumn: first)
          pack(right, columns, inner, to: packed)
        } else if let kept {
          packed = PackedColumns(words: kept.words, stride: (k + 1) / 2 * 16, firstPair: 0, firstColumn: 0)
        } else {
          return
        }
        multiply(
          left, packed, rows: m, columns: columns, inner: inner, result,
          sums: sums.map { (start: $0.pointer + first, stride: width) }, isFirst: number == 0,
          isLast: number == outer.count - 1)
        withExtendedLifetime(room) {}
      }
    }
    withExtendedLifetime((sums, kept)) {}
  }

  /// Parts of equal length that begin at even places; one where `whole` reaches.
  private static func stretches(_ range: Range<Int>, upTo most: Int, whole: Int) -> [Range<Int>] {
    if range.count <= whole { return [range] }
    let count = (range.count + most - 1) / most
    let each = ((range.count + count - 1) / count + 1) / 2 * 2
    return stride(from: range.lowerBound, to: range.upperBound, by: each).map {
      $0..<min($0 + each, range.upperBound)
    }
  }

  private func pack(
    _ right: BF16Factor, _ columns: Range<Int>, _ inner: Range<Int>, to packed: PackedColumns
  ) {
    let loops = loops(right.tensor.storage.type)
    // Of neighbours in memory, as many as make whole lines, and a part for every thread.
    let each = max(32, min(128, (columns.count / pool.threads + 15) / 16 * 16))
    let parts = (columns.count + each - 1) / each
    func pack(_ part: Int) {
      let start = part * each
      right.pack(
        columns.lowerBound + start..<min(columns.upperBound, columns.lowerBound + start + each), inner,
        to: packed.words + start / 16 * packed.stride, stride: packed.stride, isLeft: false,
        loops)
    }
    if columns.count * inner.count < 1 << 14 {
      for part in 0..<parts { pack(part) }
    } else {
      pool.run(parts, pack)
    }
  }

  /// The products of all rows with a block of columns over a stretch of the inner dimension.
  private func multiply(
    _ left: BF16Factor, _ right: PackedColumns, rows m: Int, columns: Range<Int>, inner: Range<Int>,
    _ result: ProductResult, sums global: (start: UnsafeMutablePointer<Float>, stride: Int)?, isFirst: Bool,
    isLast: Bool
  ) {
    let stretches = Self.stretches(inner, upTo: 1024, whole: 1536)
    let (leftLoops, resultLoops) = (
      loops(left.tensor.storage.type), loops(result.out.storage.type)
    )
    // Items: blocks of rows by parts of the columns, enough of them to keep all threads busy to the
    // end.
    let rowBlocks = (m + Self.blockRows - 1) / Self.blockRows
    let isSmall = m * columns.count * inner.count < 1 << 17
    let wanted = isSmall ? 1 : max(1, 4 * pool.threads / rowBlocks)
    let keepsSums = global == nil && stretches.count > 1
    let least = m <= 2 * Self.thinRows ? 48 : 192
    var width = max(least, (columns.count / wanted + 47) / 48 * 48)
    if keepsSums { width = min(width, Self.itemColumns) }
    let parts = (columns.count + width - 1) / width
    let items = rowBlocks * parts
    let lanes = isSmall ? 1 : min(pool.threads, items)
    let blockRows = min(m, Self.blockRows)
    let pairs = stretches.reduce(0) { max($0, ($1.count + 1) / 2) }
    let groupedRows = (blockRows + 15) / 16 * 16
    let packedWords = groupedRows * pairs
    let each = packedWords + (keepsSums ? groupedRows * (width + 16) : 0)
    let storage = scratch(parts: lanes, each: max(16, each))
    let next = Atomic<Int>(0)
    pool.run(lanes) { (lane: Int) -> Void in
      // Packed words, then sums.
      let room = storage.bytes + 4 * lane * each
      let words = room.bindMemory(to: UInt32.self, capacity: packedWords)
      let sums = (room + 4 * packedWords).bindMemory(to: Float.self, capacity: each - packedWords)
      while true {
        let item: Int = next.add(1, ordering: .relaxed).oldValue
        guard item < items else { return }
        let firstRow = item / parts * Self.blockRows
        let firstColumn = item % parts * width
        let rows = firstRow..<min(m, firstRow + Self.blockRows)
        let some = min(width, columns.count - firstColumn)
        let target = result.at(row: firstRow, column: columns.lowerBound + firstColumn)
        for (number, stretch) in stretches.enumerated() {
          let ownPairs = (stretch.count + 1) / 2
          left.pack(rows, stretch, to: words, stride: 16 * ownPairs, isLeft: true, leftLoops)
          var product = hero_bf16_product()
          product.left = UnsafePointer(words)
          product.left_stride = 16 * ownPairs
          let strip = (columns.lowerBound + firstColumn - right.firstColumn) / 16
          let pair = stretch.lowerBound / 2 - right.firstPair
          product.right = UnsafePointer(right.words + strip * right.stride + pair * 16)
          product.right_stride = right.stride
          product.pairs = ownPairs
          if let global {
            product.sums = global.start + firstRow * global.stride + firstColumn
            product.sums_stride = global.stride
          } else if keepsSums {
            product.sums = sums
            product.sums_stride = width + 16
          }
          product.is_first = isFirst && number == 0
          product.is_last = isLast && number == stretches.count - 1
          product.result = target
          resultLoops.bf16_product(&product, rows.count, some)
        }
      }
    }
    withExtendedLifetime(storage) {}
  }

  /// Weights as they are packed, kept until they change, of which a few rows have been multiplied
  /// with before: then most of the time goes by reading them.
  private func keptPacking(of weight: Tensor) -> HostStorage? {
    guard let packings = weight.storage.onHost.packings else { return nil }
    let place = WeightPackings.Place(offset: weight.offset, rows: weight.rows, columns: weight.columns)
    if let known = packings.kept[place] { return known }
    // The first time may be the only one, as in a step that ends with new weights.
    guard packings.seen.remove(place) != nil else {
      packings.seen.insert(place)
      return nil
    }
    let pairs = (weight.columns + 1) / 2
    let storage = scratch(parts: 1, each: (weight.rows + 15) / 16 * 16 * pairs)
    pack(
      BF16Factor(tensor: weight, isAcross: false), 0..<weight.rows, 0..<weight.columns,
      to: PackedColumns(words: storage.words, stride: 16 * pairs, firstPair: 0, firstColumn: 0))
    packings.kept[place] = storage
    return storage
  }
}

/// Weights that are kept packed.
final class WeightPackings {
  struct Place: Hashable {
    let offset, rows, columns: Int
  }

  /// Multiplied with once since they changed.
  var seen: Set<Place> = []
  var kept: [Place: HostStorage] = [:]

  func forget() {
    if !seen.isEmpty { seen.removeAll(keepingCapacity: true) }
    if !kept.isEmpty { kept.removeAll(keepingCapacity: true) }
  }
}

extension HostStorage {
  /// The memory as words, which the kernels alone read and write.
  var words: UnsafeMutablePointer<UInt32> {
    bytes.bindMemory(to: UInt32.self, capacity: count)
  }
}
