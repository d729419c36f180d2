/// Whether the reference's optimizer decays a parameter: not where its name contains `bias`,
/// `LayerNorm.bias` or `LayerNorm.weight` (so `feat_regress.net.2.weight`, a layer norm, does
/// decay).
public func decaysWeight(_ name: String) -> Bool {
  !name.contains("bias") && !name.contains("LayerNorm.weight")
}

/// Whether a parameter trains at the rate times `lr_mul` in the tasks that use it (QA, VIOLIN,
/// TVC): those outside the video encoder.
public func isTaskHead(_ name: String) -> Bool { !name.contains("v_encoder") }
