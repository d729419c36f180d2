import CCUDA
import CKernels

/// The columns of the tensors that an attention reads.
///
/// Queries and keys may come from one product (self-attention's fused q, k, v) or from two
/// (cross-attention, or queries for a few rows only).
struct AttentionInput {
  var queries: Tensor
  var queryColumn: Int
  var keysValues: Tensor
  var keyColumn: Int
  var valueColumn: Int
  var width: Int
  var heads: Int
  var querySegments: Segments
  /// The key and value rows of each sequence; in a backward pass they are disjoint and cover all
  /// rows.
  var keyRanges: RowRanges
  /// Whether query i of a sequence sees keys 0 … i only.
  var causal: Bool
  var dropout: Dropout?

  var head: Int { width / heads }
  /// 1 / √d
  var scale: Float { 1 / Float(head).squareRoot() }

  /// The number of multiplications and additions in a product of all queries with all keys.
  var work: Int {
    zip(querySegments.lengths, keyRanges.ranges).reduce(0) { $0 + $1.0 * $1.1.count } * 2 * width
  }

  func check() {
    precondition(querySegments.count == keyRanges.count && width % heads == 0)
    precondition(
      dropout == nil
        || Dropout.covers(rows: heads * queries.rows, columns: keyRanges.lengths.max() ?? 0))
    precondition(
      querySegments.rows == queries.rows
        && keyRanges.ranges.allSatisfy { $0.isEmpty || $0.isWithin(keysValues.rows) })
    precondition(queryColumn >= 0 && queryColumn + width <= queries.columns)
    precondition(
      min(keyColumn, valueColumn) >= 0 && max(keyColumn, valueColumn) + width <= keysValues.columns)
  }

  /// The columns of queries, keys and values that are read, and the bounds of the sequences.
  var reads: [(any Operand)?] {
    [
      Part(queries, count: queries.rows * width), Part(keysValues, count: 2 * keysValues.rows * width),
      querySegments.starts, keyRanges.starts, keyRanges.ends,
    ]
  }

  /// Allocates what the backward pass reads of the forward pass.
  ///
  /// These are the probabilities before dropout (per sequence, head and query, a row of keys padded
  /// to a multiple of 16), or the log-sum-exps of the scores, [heads, queries].
  func makeKept(on backend: any Backend, out: Tensor) -> Tensor {
    guard backend.keepsProbabilities else {
      return backend.makeTensor(rows: heads, columns: queries.rows)
    }
    let count = zip(querySegments.lengths, keyRanges.ranges).reduce(0) {
      $0 + $1.0 * hero_padded($1.1.count)
    }
    let isWide = [queries, keysValues, out].contains { $0.storage.type != .bfloat16 }
    return Tensor(
      rows: 1, columns: count * heads,
      storage: backend.makeStorage(count: count * heads, type: isWide ? .float32 : .bfloat16))
  }
}

/// out = dropout(softmax(QKᵀ/√d))·V for each head of each sequence, [queries, width]; a sequence
/// without keys gives zeros.
struct Attention: Operation {
  let input: AttentionInput
  let out: Tensor
  /// What the backward pass reads (`AttentionInput.makeKept`); nil if none follows.
  let kept: Tensor?

  func check() {
    input.check()
    precondition(out.rows == input.queries.rows && out.columns == input.width)
  }

  var reads: [(any Operand)?] { input.reads }
  var writes: [(any Operand)?] { [out, kept] }
  var shape: [Int] { out.shape }

  func run(on cpu: CPUBackend) {
    let probabilities = kept ?? input.makeKept(on: cpu, out: out)
    var staged = Staged(cpu, either: input.queries, input.keysValues, out)
    defer { staged.finish() }
    let (input, out) = (staged.reading(input), staged.writing(out))
    cpu.operations += 2 * input.work
    let (loops, size, head) = (cpu.loops(staged.type), staged.type.size, input.head)
    let (q, ldq) = (input.queries.values + input.queryColumn * size, input.queries.columns)
    let (k, ldk) = (input.keysValues.values + input.keyColumn * size, input.keysValues.columns)
    let v = input.keysValues.values + input.valueColumn * size
    let (kept, result) = (probabilities.values, out.values)
    cpu.forEachHead(of: input) { item, queries, keys, drop, scratch in
      let column = item.head * head
      let to = result + (queries.lowerBound * input.width + column) * size
      if keys.isEmpty {
        for r in 0..<queries.count { CPUBackend.zero(to + r * input.width * size, bytes: head * size) }
        return
      }
      let keyAt = (keys.lowerBound * ldk + column) * size
      loops.attention(
        to, input.width, kept + item.probabilities * size, q + (queries.lowerBound * ldq + column) * size,
        ldq, k + keyAt, v + keyAt, ldk, queries.count, keys.count, head, input.scale, input.causal,
        item.firstRow, drop, scratch)
    }
    withExtendedLifetime(probabilities) {}
  }

  func run(on gpu: CUDABackend) {
    gpu.products.count(2 * input.work)
    var arguments = hero_attention_arguments(input, out: out)
    arguments.log_sums = kept?.floats
    gpu.launch(input, arguments, short: .attentionShort, long: [.attentionForward])
  }
}

/// The gradients dq, dk and dv, written (not added) to the columns of the inputs' gradients.
struct AttentionBackward: Operation {
  let dy: Tensor
  let input: AttentionInput
  /// The result of the forward pass.
  let out: Tensor
  let kept: Tensor
  let dQueries: Tensor
  let dKeysValues: Tensor

  func check() {
    input.check()
    precondition(dy.count == out.count && dQueries.count == input.queries.count)
    precondition(dKeysValues.count == input.keysValues.count)
  }

  var reads: [(any Operand)?] { [dy, kept, out] + input.reads }
  var writes: [(any Operand)?] {
    [
      Part(dQueries, count: input.queries.rows * input.width),
      Part(dKeysValues, count: 2 * input.keysValues.rows * input.width),
    ]
  }

  func run(on cpu: CPUBackend) {
    var staged = Staged(cpu, either: dy, input.queries, input.keysValues, kept, dQueries, dKeysValues)
    defer { staged.finish() }
    let (dy, input, probabilities) = (staged.reading(dy), staged.reading(input), staged.reading(kept))
    let isSelf = dQueries === dKeysValues
    let dQueries = staged.writing(dQueries)
    let dKeysValues = isSelf ? dQueries : staged.writing(dKeysValues)
    cpu.operations += 4 * input.work
    let (loops, size, head) = (cpu.loops(staged.type), staged.type.size, input.head)
    let (q, ldq) = (input.queries.values + input.queryColumn * size, input.queries.columns)
    let (k, ldk) = (input.keysValues.values + input.keyColumn * size, input.keysValues.columns)
    let v = input.keysValues.values + input.valueColumn * size
    let dq = dQueries.values + input.queryColumn * size
    let dk = dKeysValues.values + input.keyColumn * size
    let dv = dKeysValues.values + input.valueColumn * size
    let (gradient, kept) = (dy.values, probabilities.values)
    for (s, keys) in input.keyRanges.ranges.enumerated() where input.querySegments[s].isEmpty || keys.isEmpty
    {
      for r in keys {
        CPUBackend.zero(dk + r * ldk * size, bytes: input.width * size)
        CPUBackend.zero(dv + r * ldk * size, bytes: input.width * size)
      }
      for r in input.querySegments[s] { CPUBackend.zero(dq + r * ldq * size, bytes: input.width * size) }
    }
    cpu.forEachHead(of: input) { item, queries, keys, drop, scratch in
      if keys.isEmpty { return }
      let column = item.head * head
      let queryAt = (queries.lowerBound * ldq + column) * size
      let keyAt = (keys.lowerBound * ldk + column) * size
      loops.attention_backward(
        dq + queryAt, ldq, dk + keyAt, dv + keyAt, ldk,
        gradient + (queries.lowerBound * input.width + column) * size, input.width,
        kept + item.probabilities * size, q + queryAt, ldq, k + keyAt, v + keyAt, ldk, queries.count,
        keys.count, head, input.scale, item.firstRow, drop, scratch)
    }
  }

  func run(on gpu: CUDABackend) {
    gpu.products.count(5 * input.work)
    let deltas = gpu.scratch(input.heads * out.rows)
    var arguments = hero_attention_arguments(input, out: out)
    arguments.dy = dy.view
    arguments.d_queries = dQueries.view(fromColumn: input.queryColumn)
    arguments.d_keys = dKeysValues.view(fromColumn: input.keyColumn)
    arguments.d_values = dKeysValues.view(fromColumn: input.valueColumn)
    (arguments.log_sums, arguments.deltas) = (kept.floats, deltas.floats)
    gpu.launch(
      input, arguments, short: .attentionShortBackward, long: [.attentionQueries, .attentionKeys])
  }
}

extension Staged {
  fileprivate mutating func reading(_ input: AttentionInput) -> AttentionInput {
    var input = input
    let isSelf = input.queries === input.keysValues
    input.queries = reading(input.queries)
    input.keysValues = isSelf ? input.queries : reading(input.keysValues)
    return input
  }
}
