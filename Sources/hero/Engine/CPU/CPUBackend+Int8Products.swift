import CKernels
import Synchronization

/// Products of rows with weights in int8, with sums in int32.
///
/// Each row of either factor has a scale of its own, its largest magnitude / 127. Every product
/// rounds its rows; weights are rounded once and kept until they change. Sums of whole numbers are
/// exact, so neither threads nor kernels change a bit of them.
extension CPUBackend {
  /// The number of rows rounded and multiplied together, which stay in a core's L2 cache.
  private static var blockRows: Int { 128 }
  /// The longest rows whose sums of products of bytes stay below 2³¹.
  private static var longestRow: Int { 1 << 16 }
  /// The fewest columns in int8; a prediction's few are compared with one another and take no time.
  private static var fewestColumns: Int { 8 }

  /// Returns whether products with this weight are in int8: those of layers in that precision.
  func quantises(_ weight: Tensor) -> Bool {
    precision == .int8 && weight.storage.onHost.packings != nil && weight.rows >= Self.fewestColumns
      && weight.columns <= Self.longestRow
  }

  /// Computes out = activation(x·weightᵀ + bias).
  func int8Product(_ x: Tensor, _ weight: Tensor, _ result: ProductResult) {
    let (m, n, k) = (x.rows, weight.rows, x.columns)
    guard m > 0, n > 0 else { return }
    operations += 2 * m * n * k
    let columns = keptInt8(of: weight)
    let quads = (k + 3) / 4
    // Items of work are blocks of rows by parts of the columns, enough to keep all threads busy to
    // the end.
    let rowBlocks = (m + Self.blockRows - 1) / Self.blockRows
    let isSmall = m * n * k < 1 << 18
    let wanted = isSmall ? 1 : max(1, 4 * pool.threads / rowBlocks)
    let width = max(m <= 2 * Self.thinRows ? 48 : 192, (n / wanted + 47) / 48 * 48)
    let parts = (n + width - 1) / width
    let items = rowBlocks * parts
    let lanes = isSmall ? 1 : min(pool.threads, items)
    let groupedRows = (min(m, Self.blockRows) + 15) / 16 * 16
    let each = groupedRows * (quads + 1)
    let storage = scratch(parts: lanes, each: each)
    let (from, size) = (x.values, x.storage.type.size)
    let (leftLoops, resultLoops) = (loops(x.storage.type), loops(result.out.storage.type))
    let next = Atomic<Int>(0)
    pool.run(lanes) { (lane: Int) -> Void in
      // Packed words, then scales.
      let room = storage.bytes + 4 * lane * each
      let words = room.bindMemory(to: UInt32.self, capacity: groupedRows * quads)
      let scales = (room + 4 * groupedRows * quads).bindMemory(to: Float.self, capacity: groupedRows)
      var packedRow: Int?
      while true {
        let item: Int = next.add(1, ordering: .relaxed).oldValue
        guard item < items else { return }
        let (firstRow, firstColumn) = (item / parts * Self.blockRows, item % parts * width)
        let rows = min(Self.blockRows, m - firstRow)
        if packedRow != firstRow {
          leftLoops.pack_int8(words, 16 * quads, scales, nil, from + firstRow * k * size, k, rows, k)
          packedRow = firstRow
        }
        var product = hero_int8_product()
        product.left = UnsafePointer(words)
        product.left_stride = 16 * quads
        product.right = UnsafePointer(columns.words + firstColumn * quads)
        product.right_stride = 16 * quads
        product.quads = quads
        product.row_scales = UnsafePointer(scales)
        product.column_scales = UnsafePointer(columns.scales + firstColumn)
        product.starts = UnsafePointer(columns.starts + firstColumn)
        product.result = result.at(row: firstRow, column: firstColumn)
        resultLoops.int8_product(&product, rows, min(width, n - firstColumn))
      }
    }
    withExtendedLifetime((storage, columns.storage)) {}
  }

  /// Returns a weight in int8 as the kernels read it, kept until it changes.
  private func keptInt8(of weight: Tensor) -> Int8Columns {
    guard let packings = weight.storage.onHost.packings else { preconditionFailure("not a weight") }
    let (n, k) = (weight.rows, weight.columns)
    let place = WeightPackings.Place(offset: weight.offset, rows: n, columns: k)
    if let known = packings.kept[place] { return Int8Columns(known, columns: n, inner: k) }
    let storage = scratch(parts: 1, each: Int8Columns.size(columns: n, inner: k))
    let packed = Int8Columns(storage, columns: n, inner: k)
    let (from, quads, loops) = (weight.pointer, (k + 3) / 4, loops(.float32))
    pool.split((n + 15) / 16, grain: 8) { groups, _ in
      let first = 16 * groups.lowerBound
      loops.pack_int8(
        packed.words + first * quads, 16 * quads, packed.scales + first, packed.starts + first,
        from + first * k, k, min(n, 16 * groups.upperBound) - first, k)
    }
    packings.kept[place] = storage
    return packed
  }
}

/// A packed weight in int8: its words, and for each column a scale and the start of its sums.
private struct Int8Columns {
  let storage: HostStorage
  let words: UnsafeMutablePointer<UInt32>
  let scales: UnsafeMutablePointer<Float>
  let starts: UnsafeMutablePointer<Int32>

  /// Returns the size in words of four bytes.
  static func size(columns: Int, inner: Int) -> Int { (columns + 15) / 16 * 16 * ((inner + 3) / 4 + 2) }

  init(_ storage: HostStorage, columns: Int, inner: Int) {
    let grouped = (columns + 15) / 16 * 16
    let count = grouped * ((inner + 3) / 4)
    self.storage = storage
    words = storage.bytes.bindMemory(to: UInt32.self, capacity: count)
    scales = (storage.bytes + 4 * count).bindMemory(to: Float.self, capacity: grouped)
    starts = (storage.bytes + 4 * (count + grouped)).bindMemory(to: Int32.self, capacity: grouped)
  }
}
