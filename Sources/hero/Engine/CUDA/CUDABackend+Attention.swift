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
  func launch(
    _ kernel: CUDAKernel, _ input: AttentionInput, longest: Int, _ arguments: hero_attention_arguments
  ) {
    guard let width = CUDAProgram.headWidths.first(where: { input.head <= $0 }) else {
      preconditionFailure("heads of \(input.head) columns, which `limits` rules out")
    }
    let shape = AttentionShape(precision: precision, headWidth: width)
    let (sequences, tiles) = (input.querySegments.count, (longest + shape.tile - 1) / shape.tile)
    var arguments = arguments
    // A grid is at most 65,535 deep.
    for first in stride(from: 0, to: sequences, by: Self.gridDepth) {
      launch(
        kernel, headWidth: width,
        grid: (tiles, input.heads, min(Self.gridDepth, sequences - first)), block: shape.block,
        sharedBytes: shape.sharedBytes(kernel), arguments)
      arguments.query_starts = arguments.query_starts.map { $0 + Self.gridDepth }
      arguments.key_starts = arguments.key_starts.map { $0 + Self.gridDepth }
      arguments.key_ends = arguments.key_ends.map { $0 + Self.gridDepth }
    }
  }
}

extension hero_attention_arguments {
  init(_ input: AttentionInput, out: Tensor) {
    self.init()
    queries = input.queries.view(fromColumn: input.queryColumn)
    keys = input.keysValues.view(fromColumn: input.keyColumn)
    values = input.keysValues.view(fromColumn: input.valueColumn)
    self.out = out.view
    query_starts = input.querySegments.numbers
    key_starts = input.keyRanges.starts.numbers.map { UnsafePointer($0) }
    key_ends = input.keyRanges.ends.numbers.map { UnsafePointer($0) }
    (ld_queries, ld_keys) = (Int64(input.queries.columns), Int64(input.keysValues.columns))
    (ld_out, query_rows) = (Int64(out.columns), Int64(out.rows))
    (heads, head) = (Int32(input.heads), Int32(input.head))
    (causal, scale) = (input.causal ? 1 : 0, input.scale)
    drop = hero_dropout(input.dropout)
  }
}

extension Tensor {
  /// The elements from a column of the first row on.
  func view(fromColumn column: Int) -> hero_view {
    var view = view
    view.data = view.data.map { $0 + column * storage.type.size }
    return view
  }
}
