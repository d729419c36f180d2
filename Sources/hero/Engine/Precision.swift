/// The precision in which a device computes.
///
/// Weights, their gradients, statistics and losses are float32 or wider in all of them. So are
/// moments unless `MomentsPrecision` says otherwise.
public enum Precision: String, Sendable, CaseIterable {
  /// Everything in float32.
  case fp32
  /// Factors of products rounded to 10 bits of fraction; sums in float32.
  case tf32
  /// Activations in bfloat16, multiplied with weights rounded to bfloat16; sums in float32.
  case bf16
  /// As bf16, but with the rows and weights of a layer's product rounded to 8 bits and sums in
  /// int32; it has no backward pass, so it encodes and does not train.
  case int8

  /// The type of activations and their gradients.
  public var activations: ElementType { self == .bf16 || self == .int8 ? .bfloat16 : .float32 }
  /// Whether a model can train in this precision.
  public var trains: Bool { self != .int8 }
}
