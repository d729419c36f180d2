/// A linear layer's arrays: weight [m, k] and bias, m elements.
public typealias LinearArrays = (weight: Tensor, bias: Tensor?)

extension Tape {
  /// Returns down(gelu(up(x))), the feed-forward half of a transformer layer, as one operation.
  ///
  /// The CPU does not keep the results of the GELU, the widest of a layer. The backward pass
  /// recomputes them from their arguments, which it reads anyway. At full size they would be an
  /// eighth of what a training step keeps.
  /// - Parameters:
  ///   - x: [n, k]
  ///   - up: the layer to [n, m]
  ///   - down: the layer from [n, m]
  public func feedForward(_ x: Tensor, up: LinearArrays, down: LinearArrays) -> Tensor {
    let out = output(
      rows: x.rows, columns: down.weight.rows, from: [x, up.weight, up.bias, down.weight, down.bias])
    let pre = output(rows: x.rows, columns: up.weight.rows, from: [])
    let kept: Tensor?
    do {
      let inner = out.needsGradient ? makeTensor(like: pre) : pre
      kept = backend.keepsGELU ? inner : nil
      backend.run(
        Product(
          x, weight: up.weight, bias: up.bias, activation: .gelu, pre: pre, keepsWeight: !isTraining,
          out: inner
        ))
      backend.run(
        Product(inner, weight: down.weight, bias: down.bias, keepsWeight: !isTraining, out: out))
    }
    let pending = PendingBias(down.bias)
    out.pendingBias = pending
    record(out) { [unowned self] dy in
      let (inner, dInner) = (kept ?? makeTensor(like: pre), makeTensor(like: pre))
      if let dBias = target(pending.take()) { backend.run(ColumnSums(x: dy, out: dBias)) }
      backend.run(
        Product(.init(dy), .init(down.weight), to: GradientTarget(tensor: dInner, accumulate: false)))
      backend.run(
        Slope(
          dy: dInner, argument: pre, activation: .gelu, again: kept == nil ? inner : nil,
          bias: target(up.bias)))
      if let dWeight = target(down.weight) {
        backend.run(Product(.init(dy, transposed: true), .init(inner), to: dWeight))
      }
      backward(dInner, x, up.weight, nil)
    }
    return out
  }
}
