/// How exactly a device computes.
///
/// Weights, their gradients, statistics and losses are float32 or wider in all of them, and so are
/// moments unless `MomentsPrecision` says otherwise.
public enum Precision: String, Sendable, CaseIterable {
  /// Everything in float32.
  case fp32
  /// Factors of products rounded to 10 bits of fraction, sums in float32.
  case tf32
  /// Results of layers kept in bfloat16 and multiplied with weights rounded to it, sums in float32.
  case bf16
  /// As bf16, but rows and weights of a layer's product rounded to 8 bits, sums in int32. Without a
  /// way back: it encodes and does not train.
  case int8

  /// What results of layers and their gradients are kept in.
  public var activations: ElementType { self == .bf16 || self == .int8 ? .bfloat16 : .float32 }
  /// Whether a model can be trained in it.
  public var trains: Bool { self != .int8 }
}
