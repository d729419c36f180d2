/// What follows the wide layer of CLIP's transformers.
///
/// OpenAI trained with the one, LAION and others with the other, and the weights do not say which:
/// with the wrong one everything still works, a little worse.
public enum CLIPActivation: String, CaseIterable, Sendable {
  /// x·Φ(x), exact (erf).
  case gelu
  /// x·σ(1.702x).
  case quickGELU = "quick_gelu"
}
