import CCUDA

/// The attention of a new row of every sequence to itself and to the rows before it.
///
/// out: [sequences, width]. The cache holds the keys and values of the rows before and receives the
/// new ones.
struct StepAttention: Operation {
  /// [sequences, 3·width]: queries, keys and values of the new rows.
  let rows: Tensor
  /// [sequences·capacity, 2·width]: keys and values, `capacity` rows for each sequence.
  let cache: Tensor
  /// The row of the cache for each new row; an earlier operation may have written these numbers.
  let places: Indices
  let heads: Int
  let out: Tensor

  private var width: Int { out.columns }
  private var capacity: Int { cache.rows / rows.rows }
  private var scale: Float { 1 / Float(width / heads).squareRoot() }

  func check() {
    precondition(places.count == rows.rows && out.rows == rows.rows && width % heads == 0)
    precondition(rows.columns == 3 * width && cache.columns == 2 * width)
    precondition(rows.rows > 0 && cache.rows == capacity * rows.rows && places.areBelow(cache.rows))
    precondition(rows.storage.type == cache.storage.type)
  }

  var reads: [(any Operand)?] { [rows, cache, places] }
  var writes: [(any Operand)?] { [Part(cache, count: 2 * rows.rows * width), out] }

  /// Copies the new rows and runs ``Attention``.
  func run(on cpu: CPUBackend) {
    let (from, to, size) = (rows.values, cache.values, rows.storage.type.size)
    let ranges = (0..<rows.rows).map { sequence in
      let place = Int(places.pointer[sequence])
      precondition((sequence * capacity..<(sequence + 1) * capacity).contains(place))
      (to + place * 2 * width * size).copyMemory(
        from: from + (3 * sequence + 1) * width * size, byteCount: 2 * width * size)
      return sequence * capacity..<place + 1
    }
    cpu.run(
      Attention(
        input: AttentionInput(
          queries: rows, queryColumn: 0, keysValues: cache, keyColumn: 0, valueColumn: width, width: width,
          heads: heads, querySegments: Segments(lengths: ranges.map { _ in 1 }, on: cpu),
          keyRanges: RowRanges(ranges, on: cpu), causal: false, dropout: nil),
        out: out, kept: nil))
  }

  /// Runs one kernel with a warp for each head; the host does not know the lengths, so it counts
  /// the mean over all steps as work.
  func run(on gpu: CUDABackend) {
    gpu.products.count(2 * rows.rows * width * (capacity + 1))
    let arguments = hero_step_attention_arguments(
      rows: rows.view, cache: cache.view, out: out.view, places: places.numbers.map { UnsafePointer($0) },
      sequences: Int64(rows.rows), capacity: Int64(capacity), heads: Int32(heads),
      head: Int32(width / heads), scale: scale)
    gpu.launch(.stepAttention, grid: ((rows.rows * heads + 3) / 4, 1, 1), block: 128, arguments)
  }
}
