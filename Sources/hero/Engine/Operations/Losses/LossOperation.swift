/// A loss, which stays on the device until an update is over.
///
/// Each writes its losses to `losses` and, if a gradient scale is given, scale·∂loss/∂x over x.
protocol LossOperation: Operation {
  var x: Tensor { get }
  var gradientScale: Float? { get }
  var losses: Tensor { get }
}

extension LossOperation {
  var writes: [(any Operand)?] { [gradientScale == nil ? nil : x, losses] }
  /// Whether to compute the gradient, as a number for kernels.
  var hasGradient: Int32 { gradientScale == nil ? 0 : 1 }
}
