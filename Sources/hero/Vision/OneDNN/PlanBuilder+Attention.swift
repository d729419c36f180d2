/// Attention of several items side by side.
extension PlanBuilder {
  /// Returns softmax(queries · keysᵀ) · values for each item and head.
  ///
  /// - Parameters:
  ///   - queries: [items · askers, width], already divided by √(a head's width).
  ///   - keysValues: [items · tokens, 2 · width], keys beside values.
  /// - Returns: [items · askers, width].
  func attention(_ queries: Value, keysValues: Value, heads: Int, items: Int) throws -> Value {
    let width = queries.shape[1]
    let (head, askers) = (width / heads, queries.shape[0] / items)
    let tokens = keysValues.shape[0] / items
    let shape = [items, heads, askers, head]
    let strides = [askers * width, head, width, 1]
    let asked = try queries.view(shape: shape, strides: strides)
    let keys = try keysValues.view(
      shape: [items, heads, head, tokens], strides: [tokens * 2 * width, head, 1, 2 * width])
    let values = try keysValues.view(
      shape: [items, heads, tokens, head], strides: [tokens * 2 * width, head, 2 * width, 1], offset: width)
    let scores = try value([items, heads, askers, tokens])
    try product(asked, keys, into: scores)
    try softmax(scores)
    let result = try value([items * askers, width])
    try product(scores, values, into: result.view(shape: shape, strides: strides))
    return result
  }
}
