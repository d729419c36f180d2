import CCUDA

/// How an attention's kernels divide their work.
struct AttentionShape {
  let precision: Precision
  /// Columns that a head has room for.
  let headWidth: Int

  /// Queries or keys of a tile of a long sequence; a warp has 16 of them.
  private var tile: Int { precision == .bf16 ? HERO_BFLOAT_TILE : HERO_FLOAT_TILE }

  /// Shared memory of a block: rows of queries, keys, values and gradients, and of scores.
  /// - Parameter rows: of a block that has a whole sequence.
  private func sharedBytes(_ kernel: CUDAKernel, rows: Int) -> Int {
    let (size, gap) = precision == .bf16 ? (2, 8) : (4, 4)
    // In bf16 a warp keeps its scores in registers.
    let own = precision == .bf16 ? 0 : 1
    let (tensors, scores) =
      switch kernel {
      case .attentionShort, .attentionForward: (3, own)
      case .attentionQueries: (4, own)
      default: (4, 2)
      }
    return size * rows * (tensors * (headWidth + gap) + scores * (rows + gap))
  }

  /// The most queries and keys of a sequence that a block has room for as a whole.
  /// - Parameter room: a block's shared memory.
  func shortRows(room: Int) -> Int {
    stride(from: HERO_SHORT_ROWS, to: 0, by: -16).first {
      sharedBytes(.attentionShortBackward, rows: $0) <= room
    } ?? 0
  }

  /// What a block has of a sequence whose longer side is `longest`: all of it, or a tile.
  func block(_ kernel: CUDAKernel, longest: Int) -> (tiles: Int, threads: Int, sharedBytes: Int) {
    let rows = kernel.hasShortSequences ? max(1, (longest + 15) / 16) * 16 : tile
    return ((longest + rows - 1) / rows, 2 * rows, sharedBytes(kernel, rows: rows))
  }
}

/// The sequences of an attention by the kernels that they are for.
private struct AttentionDivision {
  /// The most queries or keys of a short one.
  var longestShort = 0
  /// The places of the others, and the most queries and keys of these.
  var long: [Int32] = []
  var longest = (queries: 0, keys: 0)

  init(_ input: AttentionInput, shortRows: Int) {
    for (place, (queries, keys)) in zip(input.querySegments.lengths, input.keyRanges.lengths).enumerated() {
      if max(queries, keys) <= shortRows {
        longestShort = max(longestShort, queries, keys)
      } else {
        long.append(Int32(place))
        longest = (max(longest.queries, queries), max(longest.keys, keys))
      }
    }
  }
}

extension CUDABackend {
  /// Sequences of one launch.
  private static let gridDepth = 65_535

  /// Queues one kernel for all short sequences and, one after the other, those for the long ones.
  func launch(
    _ input: AttentionInput, _ arguments: hero_attention_arguments, short: CUDAKernel, long: [CUDAKernel]
  ) {
    guard let width = CUDAProgram.headWidths.first(where: { input.head <= $0 }) else {
      preconditionFailure("heads of \(input.head) columns, which `limits` rules out")
    }
    let shape = AttentionShape(precision: precision, headWidth: width)
    let division = AttentionDivision(input, shortRows: shape.shortRows(room: sharedMemory))
    let count = input.querySegments.count
    func launch(_ kernel: CUDAKernel, longest: Int, sequences: Int, _ arguments: hero_attention_arguments) {
      let block = shape.block(kernel, longest: longest)
      self.launch(
        kernel, headWidth: width, grid: (block.tiles, input.heads, sequences), block: block.threads,
        sharedBytes: block.sharedBytes, arguments)
    }
    func launchAll(_ kernel: CUDAKernel, longest: Int) {
      guard longest > 0 else { return }
      var arguments = arguments
      // A grid is at most 65,535 deep.
      for first in stride(from: 0, to: count, by: Self.gridDepth) {
        launch(kernel, longest: longest, sequences: min(Self.gridDepth, count - first), arguments)
        arguments.query_starts = arguments.query_starts.map { $0 + Self.gridDepth }
        arguments.key_starts = arguments.key_starts.map { $0 + Self.gridDepth }
        arguments.key_ends = arguments.key_ends.map { $0 + Self.gridDepth }
      }
    }
    launchAll(short, longest: division.longestShort)
    for kernel in long {
      let longest = kernel == .attentionKeys ? division.longest.keys : division.longest.queries
      // Where few are long, blocks of the others would cost more than these.
      if division.long.count == count {
        launchAll(kernel, longest: longest)
        continue
      }
      guard longest > 0 else { continue }
      for first in stride(from: 0, to: division.long.count, by: HERO_CHOSEN_SEQUENCES) {
        var arguments = arguments
        let chosen = division.long[first..<min(division.long.count, first + HERO_CHOSEN_SEQUENCES)]
        arguments.chosen_count = Int32(chosen.count)
        withUnsafeMutableBytes(of: &arguments.chosen) { room in
          chosen.withUnsafeBytes { room.copyMemory(from: $0) }
        }
        launch(kernel, longest: longest, sequences: chosen.count, arguments)
      }
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
