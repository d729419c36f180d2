import CCUDA

/// How an attention's kernels divide their work.
struct AttentionShape {
  let precision: Precision
  /// Columns that a head has room for.
  let headWidth: Int

  /// Queries or keys of a tile; a warp has 16 of them.
  var tile: Int { precision == .bf16 ? HERO_BFLOAT_TILE : HERO_FLOAT_TILE }
  var block: Int { tile / 16 * 32 }

  /// Shared memory of a block: tiles of rows, and tiles of scores.
  func sharedBytes(_ kernel: CUDAKernel) -> Int {
    let (size, gap) = precision == .bf16 ? (2, 8) : (4, 4)
    let (rows, scores) =
      switch kernel {
      // In bf16 a warp keeps its scores in registers.
      case .attentionForward: (3, precision == .bf16 ? 0 : 1)
      case .attentionQueries: (4, precision == .bf16 ? 0 : 1)
      default: (4, 2)
      }
    return size * tile * (rows * (headWidth + gap) + scores * (tile + gap))
  }
}

extension CUDABackend {
  /// Sequences of one launch.
  private static let gridDepth = 65_535

  /// - Parameter longest: the most queries or keys that a sequence has, divided into tiles.
  private func launch(
    _ kernel: CUDAKernel, _ input: AttentionInput, longest: Int, _ arguments: hero_attention_arguments
  ) {
    let head = input.width / input.heads
    guard let width = CUDAProgram.headWidths.first(where: { head <= $0 }) else {
      preconditionFailure("heads of \(head) columns, which `limits` rules out")
    }
    let shape = AttentionShape(precision: precision, headWidth: width)
    let (sequences, tiles) = (input.querySegments.count, (longest + shape.tile - 1) / shape.tile)
    var arguments = arguments
    // A grid is at most 65,535 deep.
    for first in stride(from: 0, to: sequences, by: Self.gridDepth) {
      launch(
        kernel, suffix: CUDAProgram.suffix(precision, headWidth: width),
        grid: (tiles, input.heads, min(Self.gridDepth, sequences - first)), block: shape.block,
        sharedBytes: shape.sharedBytes(kernel), arguments)
      arguments.query_starts = arguments.query_starts.map { $0 + Self.gridDepth }
      arguments.key_starts = arguments.key_starts.map { $0 + Self.gridDepth }
      arguments.key_ends = arguments.key_ends.map { $0 + Self.gridDepth }
    }
  }

  private func arguments(_ input: AttentionInput, out: Tensor) -> hero_attention_arguments {
    var arguments = hero_attention_arguments()
    arguments.queries = input.queries.view(fromColumn: input.queryColumn)
    arguments.keys = input.keysValues.view(fromColumn: input.keyColumn)
    arguments.values = input.keysValues.view(fromColumn: input.valueColumn)
    arguments.out = out.view
    arguments.query_starts = input.querySegments.starts.numbers.map { UnsafePointer($0) }
    arguments.key_starts = input.keyRanges.starts.numbers.map { UnsafePointer($0) }
    arguments.key_ends = input.keyRanges.ends.numbers.map { UnsafePointer($0) }
    (arguments.ld_queries, arguments.ld_keys) = (
      Int64(input.queries.columns), Int64(input.keysValues.columns)
    )
    (arguments.ld_out, arguments.query_rows) = (Int64(out.columns), Int64(out.rows))
    let head = input.width / input.heads
    (arguments.heads, arguments.head) = (Int32(input.heads), Int32(head))
    (arguments.causal, arguments.scale) = (input.causal ? 1 : 0, 1 / Float(head).squareRoot())
    arguments.drop = hero_drop(input.dropout)
    return arguments
  }

  /// Multiplications and additions of one product of all queries with all keys.
  private func work(_ input: AttentionInput) -> Int {
    zip(input.querySegments.lengths, input.keyRanges.ranges).reduce(0) { $0 + $1.0 * $1.1.count } * 2
      * input.width
  }

  /// Keeps the logarithms of the sums of exponentials: [heads, queries].
  public func attention(_ input: AttentionInput, keepsForBackward: Bool, out: Tensor) -> [Tensor] {
    products.count(2 * work(input))
    var arguments = arguments(input, out: out)
    let kept = keepsForBackward ? [makeTensor(rows: input.heads, columns: out.rows)] : []
    arguments.log_sums = kept.first?.floats
    launch(.attentionForward, input, longest: input.querySegments.lengths.max() ?? 0, arguments)
    return kept
  }

  public func attentionBackward(
    _ dy: Tensor, _ input: AttentionInput, out: Tensor, kept: [Tensor], dQueries: Tensor, dKeysValues: Tensor
  ) {
    products.count(5 * work(input))
    let deltas = scratch(input.heads * out.rows)
    var arguments = arguments(input, out: out)
    arguments.dy = dy.view
    arguments.d_queries = dQueries.view(fromColumn: input.queryColumn)
    arguments.d_keys = dKeysValues.view(fromColumn: input.keyColumn)
    arguments.d_values = dKeysValues.view(fromColumn: input.valueColumn)
    (arguments.log_sums, arguments.deltas) = (kept[0].floats, deltas.floats)
    launch(.attentionDeltas, grid: ((input.heads * out.rows + 15) / 16, 1, 1), block: 128, arguments)
    launch(.attentionQueries, input, longest: input.querySegments.lengths.max() ?? 0, arguments)
    launch(.attentionKeys, input, longest: input.keyRanges.lengths.max() ?? 0, arguments)
  }
}

extension Tensor {
  /// The elements from a column of the first row on.
  fileprivate func view(fromColumn column: Int) -> hero_view {
    var view = view
    view.data = view.data.map { $0 + column * storage.type.size }
    return view
  }
}
