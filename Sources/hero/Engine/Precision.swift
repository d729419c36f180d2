/// How exactly a device computes.
///
/// Weights, their gradients, moments, sums, statistics and losses are float32 or wider in all of
/// them.
public enum Precision: String, Sendable, CaseIterable {
  /// Everything in float32.
  case fp32
  /// Factors of products rounded to 10 bits of fraction, sums in float32.
  case tf32
  /// Results of layers kept in bfloat16 and multiplied with weights rounded to it, sums in float32.
  case bf16

  /// What results of layers and their gradients are kept in.
  public var activations: ElementType { self == .bf16 ? .bfloat16 : .float32 }
}
