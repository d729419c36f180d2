/// The activation of the feed-forward layers in CLIP's transformers.
///
/// OpenAI trained with QuickGELU, LAION and others with GELU, and the weights do not tell which.
/// With the wrong one everything still works, a little worse.
public enum CLIPActivation: String, CaseIterable, Sendable {
  /// x·Φ(x), exact (erf).
  case gelu
  /// x·σ(1.702x).
  case quickGELU = "quick_gelu"
}
