import CKernels
import Synchronization

/// The content of a word of a packed factor.
enum PackedForm {
  /// A pair of bfloat16 numbers.
  case bf16
  /// A single float32 number.
  case floats

  /// Returns the number of words for a stretch of the inner dimension.
  func words(_ inner: Int) -> Int {
    switch self {
    case .bf16: (inner + 1) / 2
    case .floats: inner
    }
  }
}

/// A factor of a product, before packing; in bf16 its values are of either type, and packing rounds
/// them.
struct PackedFactor {
  let tensor: Tensor
  /// Whether the rows of a left factor, or the columns of a right one, lie along a row of the
  /// tensor, so that the inner dimension goes from row to row.
  let isAcross: Bool

  /// Packs rows or columns and a stretch of the inner dimension, in groups of sixteen, `stride`
  /// words apart.
  func pack(
    _ items: Range<Int>, _ inner: Range<Int>, to words: UnsafeMutablePointer<UInt32>, stride: Int,
    isLeft: Bool, _ form: PackedForm, by kernels: hero_kernels
  ) {
    let (ld, size) = (tensor.columns, tensor.storage.type.size)
    if form == .floats {
      precondition(!isAcross)
      let from = tensor.pointer + items.lowerBound * ld + inner.lowerBound
      return kernels.pack_floats(words, stride, from, ld, items.count, inner.count)
    }
    let loops = (tensor.storage.type == .bfloat16 ? kernels.bf16 : kernels.floats).pointee
    if isAcross {
      let from = tensor.values + (inner.lowerBound * ld + items.lowerBound) * size
      loops.pack_across(words, stride, from, ld, items.count, inner.count, isLeft)
    } else {
      let from = tensor.values + (items.lowerBound * ld + inner.lowerBound) * size
      loops.pack_along(words, stride, from, ld, items.count, inner.count, isLeft)
    }
  }
}

/// A packed right factor: word w of group g is at `words + g·stride + (w − firstWord)·16`.
private struct PackedColumns {
  let words: UnsafeMutablePointer<UInt32>
  let stride: Int
  let firstWord: Int
  let firstColumn: Int
}

/// The division of a product among threads: blocks of rows by parts of the columns.
///
/// Full blocks that divide evenly among the threads take the widest parts. The rest is divided
/// finer, so that no thread waits for another's block.
struct BlockDivision {
  let threads: Int
  let blockRows: Int
  private let rows, columns: Int
  /// The number of full blocks shared equally, the columns of their parts, the parts of each.
  private let whole, wholeWidth, wholeParts: Int
  /// The same for the other blocks.
  private let rest, restWidth, restParts: Int

  /// - Parameter mostColumns: the most columns of a part, a multiple of 16, as is the width of
  ///   every part but a block's last.
  init(rows: Int, columns: Int, blockRows: Int, mostColumns: Int, threads: Int) {
    (self.rows, self.columns, self.blockRows, self.threads) = (rows, columns, blockRows, threads)
    whole = rows / blockRows / threads * threads
    rest = (rows + blockRows - 1) / blockRows - whole
    wholeWidth = min(columns, mostColumns)
    wholeParts = (columns + wholeWidth - 1) / wholeWidth
    let wanted = threads == 1 ? 1 : max(1, 4 * threads / max(1, rest))
    // A thread packs a single block once, but repacks when it takes several in turn.
    let least = rest > 1 ? 192 : 48
    restWidth = min(max(least, (columns / wanted + 15) / 16 * 16), wholeWidth)
    restParts = (columns + restWidth - 1) / restWidth
  }

  /// The number of columns of the widest part.
  var width: Int { whole > 0 ? wholeWidth : restWidth }
  var items: Int { whole * wholeParts + rest * restParts }

  subscript(item: Int) -> (rows: Range<Int>, columns: Range<Int>) {
    let later = item - whole * wholeParts
    // In the rest, the blocks of a part follow one another, since they read the same columns.
    let (block, part, width) =
      later < 0
      ? (item / wholeParts, item % wholeParts, wholeWidth) : (whole + later % rest, later / rest, restWidth)
    return (
      block * blockRows..<min(rows, (block + 1) * blockRows), part * width..<min(columns, (part + 1) * width)
    )
  }
}

/// Products in bfloat16 with sums in float32, and those in float32 that are not OpenBLAS's.
///
/// The threads pack the right factor once, a block of columns at a time. Then whichever thread is
/// free packs and multiplies a block of the left factor's rows. The terms of an element's sum and
/// their order depend on the shape alone. Weights stay float32. Rounding them during packing costs
/// a hundredth of a product of a training batch's rows; outside training they are kept packed.
extension CPUBackend {
  /// The number of rows in a block of the left factor, which stays in a core's L2 cache with its
  /// stretch of the inner dimension.
  private static var blockRows: Int { 64 }
  /// The most rows of a product, such as a text's, that make a single block.
  private static var soleBlockRows: Int { 96 }
  /// The number of columns in a block of the right factor.
  private static var blockColumns: Int { 3072 }
  /// The most columns of an item of work whose sums are kept between stretches.
  private static var itemColumns: Int { 768 }

  /// Returns whether hero's own kernels multiply by this weight in float32: outside training, where
  /// it may stay packed, and on processors with the kernels.
  func packsFloats(_ weight: Tensor) -> Bool {
    precision == .fp32 && kernels.float_product != nil && weight.storage.onHost.packings != nil
      && weight.rows >= Self.fewestFloatColumns
  }

  /// The columns of a packed group, which fewer would not fill.
  private static var fewestFloatColumns: Int { 16 }

  /// Computes out = activation(left·right + bias), or out += left·right; [m, k]·[k, n].
  /// - Parameter keepsRight: whether the right factor, a weight, stays packed until it changes.
  func packedProduct(
    _ left: PackedFactor, _ right: PackedFactor, m: Int, n: Int, k: Int, as form: PackedForm = .bf16,
    keepsRight: Bool = false, _ result: ProductResult
  ) {
    guard m > 0, n > 0 else { return }
    operations += 2 * m * n * k
    let kept =
      !right.isAcross && (keepsRight || m <= Self.thinRows) ? keptPacking(of: right.tensor, form) : nil
    let outer = Self.stretches(0..<k, upTo: 8192, whole: 8192)
    let width = (n + 15) / 16 * 16
    let sums = outer.count > 1 ? scratch(parts: 1, each: (m + 15) / 16 * 16 * width) : nil
    for first in stride(from: 0, to: n, by: Self.blockColumns) {
      let columns = first..<min(n, first + Self.blockColumns)
      for (number, inner) in outer.enumerated() {
        let words = form.words(inner.count)
        let room = kept == nil ? scratch(parts: 1, each: (columns.count + 15) / 16 * 16 * max(1, words)) : nil
        let packed: PackedColumns
        if let room {
          packed = PackedColumns(
            words: room.words, stride: 16 * words, firstWord: form.words(inner.lowerBound), firstColumn: first
          )
          pack(right, columns, inner, form, to: packed)
        } else if let kept {
          packed = PackedColumns(words: kept.words, stride: form.words(k) * 16, firstWord: 0, firstColumn: 0)
        } else {
          return
        }
        multiply(
          left, packed, form, rows: m, columns: columns, inner: inner, result,
          sums: sums.map { (start: $0.pointer + first, stride: width) }, isFirst: number == 0,
          isLast: number == outer.count - 1)
        withExtendedLifetime(room) {}
      }
    }
    withExtendedLifetime((sums, kept)) {}
  }

  /// Returns parts of equal length that begin at even places; a range up to `whole` stays one part.
  private static func stretches(_ range: Range<Int>, upTo most: Int, whole: Int) -> [Range<Int>] {
    if range.count <= whole { return [range] }
    let count = (range.count + most - 1) / most
    let each = ((range.count + count - 1) / count + 1) / 2 * 2
    return stride(from: range.lowerBound, to: range.upperBound, by: each).map {
      $0..<min($0 + each, range.upperBound)
    }
  }

  private func pack(
    _ right: PackedFactor, _ columns: Range<Int>, _ inner: Range<Int>, _ form: PackedForm,
    to packed: PackedColumns
  ) {
    // A part for every thread, with enough neighbouring columns for whole cache lines.
    let each = max(32, min(128, (columns.count / pool.threads + 15) / 16 * 16))
    let parts = (columns.count + each - 1) / each
    func pack(_ part: Int) {
      let start = part * each
      right.pack(
        columns.lowerBound + start..<min(columns.upperBound, columns.lowerBound + start + each), inner,
        to: packed.words + start / 16 * packed.stride, stride: packed.stride, isLeft: false,
        form, by: kernels)
    }
    if columns.count * inner.count < 1 << 14 {
      for part in 0..<parts { pack(part) }
    } else {
      pool.run(parts, pack)
    }
  }

  /// Multiplies all rows by a block of columns over a stretch of the inner dimension.
  private func multiply(
    _ left: PackedFactor, _ right: PackedColumns, _ form: PackedForm, rows m: Int, columns: Range<Int>,
    inner: Range<Int>, _ result: ProductResult,
    sums global: (start: UnsafeMutablePointer<Float>, stride: Int)?, isFirst: Bool, isLast: Bool
  ) {
    let stretches = Self.stretches(inner, upTo: 1024, whole: 1536)
    let resultLoops = loops(result.out.storage.type)
    let keepsSums = global == nil && stretches.count > 1
    let work = BlockDivision(
      rows: m, columns: columns.count, blockRows: m <= Self.soleBlockRows ? m : Self.blockRows,
      mostColumns: keepsSums ? Self.itemColumns : .max,
      threads: m * columns.count * inner.count < 1 << 17 ? 1 : pool.threads)
    let width = work.width
    let lanes = min(work.threads, work.items)
    let groupedRows = (work.blockRows + 15) / 16 * 16
    let packedWords = groupedRows * form.words(inner.count)
    let each = packedWords + (keepsSums ? groupedRows * (width + 16) : 0)
    let storage = scratch(parts: lanes, each: max(16, each))
    let next = Atomic<Int>(0)
    pool.run(lanes) { (lane: Int) -> Void in
      // The packed words come first, then the sums.
      let room = storage.bytes + 4 * lane * each
      let words = room.bindMemory(to: UInt32.self, capacity: packedWords)
      let sums = (room + 4 * packedWords).bindMemory(to: Float.self, capacity: each - packedWords)
      var packedRow: Int?
      while true {
        let item: Int = next.add(1, ordering: .relaxed).oldValue
        guard item < work.items else { return }
        let (rows, part) = work[item]
        let (firstRow, firstColumn, some) = (rows.lowerBound, part.lowerBound, part.count)
        let target = result.at(row: firstRow, column: columns.lowerBound + firstColumn)
        // A thread packs a block of rows once for all of its parts.
        let isPacked = packedRow == firstRow
        packedRow = firstRow
        for (number, stretch) in stretches.enumerated() {
          let ownWords = form.words(stretch.count)
          let words = words + groupedRows * form.words(stretch.lowerBound - inner.lowerBound)
          if !isPacked {
            left.pack(rows, stretch, to: words, stride: 16 * ownWords, isLeft: true, form, by: kernels)
          }
          var product = hero_packed_product()
          product.left = UnsafePointer(words)
          product.left_stride = 16 * ownWords
          let strip = (columns.lowerBound + firstColumn - right.firstColumn) / 16
          let word = form.words(stretch.lowerBound) - right.firstWord
          product.right = UnsafePointer(right.words + strip * right.stride + word * 16)
          product.right_stride = right.stride
          product.words = ownWords
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
          switch form {
          case .bf16: resultLoops.bf16_product(&product, rows.count, some)
          case .floats: kernels.float_product(&product, rows.count, some)
          }
        }
      }
    }
    withExtendedLifetime(storage) {}
  }

  /// Returns a packed weight, kept until it changes; nil for the first product with it.
  ///
  /// A product of few rows spends most of its time on reading the weight; one of a batch's rows
  /// spends a twentieth on packing.
  private func keptPacking(of weight: Tensor, _ form: PackedForm) -> HostStorage? {
    guard let packings = weight.storage.onHost.packings else { return nil }
    let place = WeightPackings.Place(offset: weight.offset, rows: weight.rows, columns: weight.columns)
    if let known = packings.kept[place] { return known }
    // The first product may be the only one, as in a step that ends with new weights.
    guard packings.seen.remove(place) != nil else {
      packings.seen.insert(place)
      return nil
    }
    let words = form.words(weight.columns)
    let storage = scratch(parts: 1, each: (weight.rows + 15) / 16 * 16 * words)
    pack(
      PackedFactor(tensor: weight, isAcross: false), 0..<weight.rows, 0..<weight.columns, form,
      to: PackedColumns(words: storage.words, stride: 16 * words, firstWord: 0, firstColumn: 0))
    packings.kept[place] = storage
    return storage
  }
}

/// The packed copies of a storage's weights.
final class WeightPackings {
  struct Place: Hashable {
    let offset, rows, columns: Int
  }

  /// The weights multiplied by once since they changed.
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
