import CCUDA
import Dispatch

extension Activation {
  /// The kernels' number.
  fileprivate var code: Int32 {
    switch self {
    case .none: 0
    case .relu: 1
    case .gelu: 2
    case .quickGELU: 3
    }
  }
}

extension CUDABackend {
  /// What a product reads of a tensor: itself, or in bf16 a copy in that type, which `kept` holds
  /// as long as it must.
  private func factor(_ tensor: Tensor, transposed: Bool = false, kept: inout [Storage])
    -> CUDAProducts.Factor
  {
    let type = precision.activations
    if tensor.storage.type == type {
      return CUDAProducts.Factor(address: tensor.address, type: type, transposed: transposed)
    }
    let storage = tensor.storage.onDevice
    if type == .bfloat16, let copy = storage.copy {
      if storage.copyIsOld {
        let whole = Tensor(rows: 1, columns: storage.count, storage: storage)
        self.copy(whole, to: Tensor(rows: 1, columns: storage.count, storage: copy))
        storage.copyIsOld = false
      }
      return CUDAProducts.Factor(
        address: copy.address + UInt64(2 * tensor.offset), type: type, transposed: transposed)
    }
    let converted = Tensor(
      rows: tensor.rows, columns: tensor.columns, storage: makeStorage(count: tensor.count, type: type))
    copy(tensor, to: converted)
    kept.append(converted.storage)
    return CUDAProducts.Factor(address: converted.address, type: type, transposed: transposed)
  }

  /// Where a bias can be added by the product itself: the type of the result, and lying where
  /// vectors of it can be read.
  private func fusedBias(_ bias: Tensor?, _ type: ElementType) -> UInt64? {
    guard let bias else { return nil }
    var address = bias.address
    if type == .bfloat16 {
      guard let copy = bias.storage.onDevice.copy, !bias.storage.onDevice.copyIsOld else { return nil }
      address = copy.address + UInt64(2 * bias.offset)
    }
    return address % 16 == 0 ? address : nil
  }

  public func linear(
    _ x: Tensor, weight: Tensor, bias: Tensor?, activation: Activation, pre: Tensor, out: Tensor
  ) {
    let (rows, inner, columns) = (x.rows, x.columns, weight.rows)
    precondition(weight.columns == inner && out.rows == rows && out.columns == columns)
    precondition(bias?.count ?? columns == columns && pre.count == out.count)
    guard out.count > 0 else { return }
    let target = activation == .gelu ? pre : out
    var kept: [Storage] = []
    let factors = (factor(x, kept: &kept), factor(weight, transposed: true, kept: &kept))
    if thinProduct(factors.0, factors.1, inner: inner, bias, activation, pre: target, out: out) { return }
    func multiply(adding bias: UInt64?) -> Bool {
      products.multiply(
        factors.0, factors.1, m: rows, n: columns, k: inner, accumulate: false, bias: bias,
        out: target.address, type: target.storage.type)
    }
    var rest = bias
    if let fused = fusedBias(bias, target.storage.type), multiply(adding: fused) {
      rest = nil
    } else {
      _ = multiply(adding: nil)
    }
    guard rest != nil || activation != .none else { return }
    launch(
      .bias, elements: out.count, each: 4,
      hero_bias_arguments(
        pre: target.view, out: out.view, bias: rest?.floats.map { UnsafePointer($0) }, rows: Int64(rows),
        columns: Int64(columns), activation: activation.code))
  }

  /// A product of few rows, with bias and activation.
  /// - Returns: false where it is none, and nothing was done.
  private func thinProduct(
    _ x: CUDAProducts.Factor, _ weight: CUDAProducts.Factor, inner: Int, _ bias: Tensor?,
    _ activation: Activation,
    pre: Tensor, out: Tensor
  ) -> Bool {
    guard precision == .bf16, out.rows <= HERO_THIN_ROWS, out.columns <= HERO_THIN_COLUMNS, inner % 32 == 0,
      x.address % 16 == 0, weight.address % 16 == 0
    else { return false }
    products.count(2 * out.count * inner)
    launch(
      .thinProduct, grid: ((out.columns + 7) / 8, 1, 1), block: 256,
      hero_thin_arguments(
        x: UnsafePointer(bitPattern: UInt(x.address)),
        weight: UnsafePointer(bitPattern: UInt(weight.address)),
        bias: bias?.floats.map { UnsafePointer($0) }, pre: pre.view, out: out.view, rows: Int64(out.rows),
        columns: Int64(out.columns), inner: Int64(inner), activation: activation.code))
    return true
  }

  public func linearBackward(
    _ dy: Tensor, x: Tensor, weight: Tensor, activation: Activation, saved: Tensor, dx: GradientTarget?,
    dWeight: GradientTarget?, dBias: GradientTarget?
  ) {
    let (rows, inner, columns) = (x.rows, x.columns, weight.rows)
    if activation != .none {
      launch(
        .slope, elements: dy.count, each: 4,
        hero_slope_arguments(
          dy: dy.view, saved: saved.view, out: hero_view(), count: Int64(dy.count),
          activation: activation.code))
    }
    if let dBias { columnSums(dy, rows: rows, columns: columns, to: dBias) }
    guard dx != nil || dWeight != nil else { return }
    for target in [dx, dWeight] where rows == 0 && target?.accumulate == false {
      if let target { fill(target.tensor, with: 0) }
    }
    guard rows > 0 else { return }
    var kept: [Storage] = []
    var gradient = factor(dy, kept: &kept)
    if let dx {
      let other = factor(weight, kept: &kept)
      products.multiply(
        gradient, other, m: rows, n: inner, k: columns, accumulate: dx.accumulate, out: dx.tensor.address,
        type: dx.tensor.storage.type)
    }
    if let dWeight {
      gradient.transposed = true
      let other = factor(x, kept: &kept)
      products.multiply(
        gradient, other, m: columns, n: inner, k: rows, accumulate: dWeight.accumulate,
        out: dWeight.tensor.address, type: dWeight.tensor.storage.type)
    }
    withExtendedLifetime(kept) {}
  }

  public func geluAgain(_ pre: Tensor, dy: Tensor, out: Tensor) {
    precondition(dy.count == pre.count && out.count == pre.count)
    launch(
      .slope, elements: pre.count, each: 4,
      hero_slope_arguments(
        dy: dy.view, saved: pre.view, out: out.view, count: Int64(pre.count), activation: Activation.gelu.code
      ))
  }

  /// Sums over rows: parts of the rows first, then the parts in their order.
  private func columnSums(_ x: Tensor, rows: Int, columns: Int, to target: GradientTarget) {
    let (parts, each) = Self.divided(rows)
    let sums = scratch(parts * columns)
    launch(
      .columnSums, grid: ((columns + 127) / 128, parts, 1), block: 256,
      hero_columns_arguments(
        x: x.view, parts: sums.floats, rows: Int64(rows), columns: Int64(columns), rows_per_part: Int64(each))
    )
    addParts(sums, count: columns, stride: columns, parts: parts, to: target)
  }

  /// Rows in parts of equal size: as many as keep a large device busy.
  static func divided(_ rows: Int) -> (parts: Int, each: Int) {
    let each = max(64, (rows + 127) / 128)
    return ((rows + each - 1) / each, each)
  }

  /// target (+)= Σ over parts of the first `count` of each part's `stride` numbers, from `offset`
  /// on.
  func addParts(
    _ sums: Tensor, offset: Int = 0, count: Int, stride: Int, parts: Int, to target: GradientTarget
  ) {
    launch(
      .addParts, grid: ((count + 31) / 32, 1, 1), block: 256,
      hero_parts_arguments(
        parts: sums.floats.map { UnsafePointer($0 + offset) }, to: target.tensor.view, count: Int64(count),
        stride: Int64(stride), part_count: Int32(parts), accumulate: target.accumulate ? 1 : 0))
  }

  /// The best of several products of 8,192 by 8,192.
  public func measurePeak() -> Double {
    let side = 8192
    let tensors = (0..<3).map { _ in
      Tensor(
        rows: side, columns: side, storage: makeStorage(count: side * side, type: precision.activations))
    }
    for tensor in tensors { fill(tensor, with: 0.5) }
    var best = 0.0
    for _ in 0..<6 {
      synchronize()
      let before = (operations, DispatchTime.now().uptimeNanoseconds)
      linear(
        tensors[0], weight: tensors[1], bias: nil, activation: .none, pre: tensors[2], out: tensors[2])
      synchronize()
      let seconds = Double(DispatchTime.now().uptimeNanoseconds - before.1) * 1e-9
      best = max(best, Double(operations - before.0) / seconds)
    }
    return best
  }
}
