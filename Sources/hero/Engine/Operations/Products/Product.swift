import CCUDA
import COpenBLAS

/// The function that follows a product, fused with it; kernels know it by its number.
public enum Activation: Int32, Sendable {
  case none, relu
  /// x·Φ(x), exact (erf).
  case gelu
  /// x·σ(1.702x), for networks that were trained elsewhere; no gradient goes back through it.
  case quickGELU
}

/// out = activation(left·right + bias), or out += left·right; left: [m, k], right: [k, n], each as
/// it lies or transposed.
struct Product: Operation {
  /// A matrix as it lies, or transposed.
  struct Factor {
    let tensor: Tensor
    let isTransposed: Bool

    init(_ tensor: Tensor, transposed: Bool = false) { (self.tensor, isTransposed) = (tensor, transposed) }

    var rows: Int { isTransposed ? tensor.columns : tensor.rows }
    var columns: Int { isTransposed ? tensor.rows : tensor.columns }
  }

  let left: Factor
  let right: Factor
  /// n elements, or nil.
  let bias: Tensor?
  let activation: Activation
  /// The destination of a GELU's argument, for its slope; may be `out` if nothing needs it.
  let pre: Tensor
  let out: GradientTarget
  /// Whether to keep the right factor, a weight, packed: outside training the next batch meets it
  /// unchanged.
  let keepsWeight: Bool

  /// Makes the product x·weightᵀ with what follows it.
  init(
    _ x: Tensor, weight: Tensor, bias: Tensor? = nil, activation: Activation = .none, pre: Tensor? = nil,
    keepsWeight: Bool = false, out: Tensor
  ) {
    self.keepsWeight = keepsWeight
    (left, right) = (Factor(x), Factor(weight, transposed: true))
    (self.bias, self.activation, self.pre) = (bias, activation, pre ?? out)
    self.out = GradientTarget(tensor: out, accumulate: false)
  }

  init(_ left: Factor, _ right: Factor, to out: GradientTarget) {
    (self.left, self.right, self.out, pre) = (left, right, out, out.tensor)
    (bias, activation, keepsWeight) = (nil, .none, false)
  }

  /// Whether the rows of both factors lie along memory; special kernels multiply few such rows.
  private var isOfRows: Bool { !left.isTransposed && right.isTransposed && !out.accumulate }
  /// The destination of the sums, with the bias.
  private var target: Tensor { activation == .gelu ? pre : out.tensor }

  func check() {
    precondition(left.columns == right.rows)
    precondition(out.tensor.rows == left.rows && out.tensor.columns == right.columns)
    precondition(bias?.count ?? right.columns == right.columns && pre.count == out.tensor.count)
    precondition(!out.accumulate || bias == nil && activation == .none)
    precondition(activation != .gelu || pre.storage.type == out.tensor.storage.type)
  }

  var reads: [(any Operand)?] { [left.tensor, right.tensor, bias] }
  var writes: [(any Operand)?] { [out, activation == .gelu && pre !== out.tensor ? pre : nil] }
  var shape: [Int] { [left.rows, left.columns, right.columns] }

  private var packedResult: ProductResult {
    ProductResult(out: out.tensor, accumulate: out.accumulate, bias: bias, activation: activation, pre: pre)
  }

  func run(on cpu: CPUBackend) {
    let (rows, inner, columns) = (left.rows, left.columns, right.columns)
    if isOfRows, keepsWeight, cpu.packsFloats(right.tensor) {
      return cpu.packedProduct(
        PackedFactor(tensor: left.tensor, isAcross: false),
        PackedFactor(tensor: right.tensor, isAcross: false), m: rows, n: columns, k: inner, as: .floats,
        keepsRight: true, packedResult)
    }
    if cpu.precision.activations == .bfloat16 {
      if isOfRows, cpu.quantises(right.tensor) {
        return cpu.int8Product(left.tensor, right.tensor, packedResult)
      }
      return cpu.packedProduct(
        PackedFactor(tensor: left.tensor, isAcross: left.isTransposed),
        PackedFactor(tensor: right.tensor, isAcross: !right.isTransposed), m: rows, n: columns, k: inner,
        keepsRight: keepsWeight, packedResult)
    }
    if isOfRows, rows <= CPUBackend.thinRows, columns >= 64 {
      cpu.thinProduct(left.tensor, right.tensor, into: target)
    } else {
      cpu.product(
        left.tensor.pointer, transposed: left.isTransposed, lda: left.tensor.columns, right.tensor.pointer,
        transposed: right.isTransposed, ldb: right.tensor.columns, m: rows, n: columns, k: inner,
        accumulate: out.accumulate, c: target.pointer, ldc: columns)
    }
    if activation == .none && bias == nil { return }
    let (argument, result, shift) = (target.pointer, out.tensor.pointer, bias?.pointer)
    let kernels = cpu.kernels
    cpu.pool.split(rows, grain: 1 + (1 << 13) / max(1, columns)) { range, _ in
      let start = range.lowerBound * columns
      switch activation {
      case .none: kernels.bias(result + start, shift, range.count, columns)
      case .relu: kernels.bias_relu(result + start, shift, range.count, columns)
      case .gelu: kernels.bias_gelu(argument + start, result + start, shift, range.count, columns)
      case .quickGELU: kernels.bias_quick_gelu(result + start, shift, range.count, columns)
      }
    }
  }

  func run(on gpu: CUDABackend) {
    let (rows, inner, columns) = (left.rows, left.columns, right.columns)
    guard rows > 0, columns > 0 else { return }
    // A sum of no terms is 0.
    guard inner > 0 else { return out.accumulate ? () : gpu.run(Fill(out.tensor, with: 0)) }
    var kept: [Storage] = []
    let factors = (
      gpu.factor(left.tensor, transposed: left.isTransposed, kept: &kept),
      gpu.factor(right.tensor, transposed: right.isTransposed, kept: &kept)
    )
    defer { withExtendedLifetime(kept) {} }
    if isOfRows,
      gpu.thinProduct(
        factors.0, factors.1, inner: inner, bias, activation, pre: target, out: out.tensor)
    {
      return
    }
    func multiply(adding bias: UInt64?) -> Bool {
      gpu.products.multiply(
        factors.0, factors.1, m: rows, n: columns, k: inner, accumulate: out.accumulate, bias: bias,
        out: target.address, type: target.storage.type)
    }
    var rest = bias
    if let fused = gpu.fusedBias(bias, target.storage.type), multiply(adding: fused) {
      rest = nil
    } else {
      _ = multiply(adding: nil)
    }
    guard rest != nil || activation != .none else { return }
    gpu.launch(
      .bias, elements: out.tensor.count, each: 4,
      hero_bias_arguments(
        pre: target.view, out: out.tensor.view, bias: rest?.floats.map { UnsafePointer($0) },
        rows: Int64(rows), columns: Int64(columns), activation: activation.rawValue))
  }
}
