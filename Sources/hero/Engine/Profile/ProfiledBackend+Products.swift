extension ProfiledBackend {
  public var operations: Int { base.operations }
  public func measurePeak() -> Double { base.measurePeak() }

  public func linear(
    _ x: Tensor, weight: Tensor, bias: Tensor?, activation: Activation, pre: Tensor, out: Tensor
  ) {
    let kept = activation == .gelu && pre !== out ? pre.bytes : 0
    measured(
      .linear, bytes: x.bytes + weight.bytes + bias.bytes + out.bytes + kept,
      shape: [x.rows, x.columns, weight.rows]
    ) { base.linear(x, weight: weight, bias: bias, activation: activation, pre: pre, out: out) }
  }

  public func linearBackward(
    _ dy: Tensor, x: Tensor, weight: Tensor, activation: Activation, saved: Tensor, dx: GradientTarget?,
    dWeight: GradientTarget?, dBias: GradientTarget?
  ) {
    let inputs = (dx == nil ? 0 : weight.bytes) + (dWeight == nil ? 0 : x.bytes)
    let slope = activation == .none ? 0 : saved.bytes + dy.bytes
    measured(
      .linearBackward, bytes: dy.bytes + inputs + slope + dx.bytes + dWeight.bytes + dBias.bytes,
      shape: [x.rows, x.columns, weight.rows]
    ) {
      base.linearBackward(
        dy, x: x, weight: weight, activation: activation, saved: saved, dx: dx, dWeight: dWeight,
        dBias: dBias)
    }
  }

  public func geluAgain(_ pre: Tensor, dy: Tensor, out: Tensor) {
    measured(.geluAgain, bytes: pre.bytes + 2 * dy.bytes + out.bytes, shape: pre.shape) {
      base.geluAgain(pre, dy: dy, out: out)
    }
  }
}
