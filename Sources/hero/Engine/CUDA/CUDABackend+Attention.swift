import CCUDA

/// How an attention's kernels divide their work.
struct AttentionShape {
  let precision: Precision
  /// The columns per head that the kernels are compiled for, at least the head's own.
  let headWidth: Int

  /// The number of queries or keys in a tile of a long sequence; a warp takes 16 of them.
  private var tile: Int { precision == .bf16 ? HERO_BFLOAT_TILE : HERO_FLOAT_TILE }

  /// Returns a block's shared bytes: rows of queries, keys, values, gradients and scores.
  /// - Parameter rows: the queries or keys that the block holds.
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

  /// Returns the most queries and keys of a sequence that one block can hold whole.
  /// - Parameter room: the shared memory of a block, in bytes.
  func shortRows(room: Int) -> Int {
    stride(from: HERO_SHORT_ROWS, to: 0, by: -16).first {
      sharedBytes(.attentionShortBackward, rows: $0) <= room
    } ?? 0
  }

  /// Returns the number of tiles of a sequence whose longer side is `longest`, and the threads and
  /// shared bytes of a block.
  func block(_ kernel: CUDAKernel, longest: Int) -> (tiles: Int, threads: Int, sharedBytes: Int) {
    let rows = kernel.hasShortSequences ? max(1, (longest + 15) / 16) * 16 : tile
    return ((longest + rows - 1) / rows, 2 * rows, sharedBytes(kernel, rows: rows))
  }
}

/// The sequences of an attention, divided between the kernels for short and for long ones.
private struct AttentionDivision {
  /// The most queries or keys of a short sequence; 0 if there is none.
  var longestShort = 0
  /// The places of the long sequences, and the most queries and keys of any of them.
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
  /// The most sequences of one launch.
  private static let gridDepth = 65_535

  /// Queues the kernel for all short sequences, then each kernel for the long ones.
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
      // Where only some sequences are long, a launch over all would waste blocks on the short ones.
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
  /// Returns a view of the elements that starts at a column of the first row.
  func view(fromColumn column: Int) -> hero_view {
    var view = view
    view.data = view.data.map { $0 + column * storage.type.size }
    return view
  }
}
