/// Returns whether the reference's optimizer decays a parameter.
///
/// It does unless the name contains `bias`, `LayerNorm.bias` or `LayerNorm.weight`.
/// `feat_regress.net.2.weight`, a layer norm, therefore decays.
public func decaysWeight(_ name: String) -> Bool {
  !name.contains("bias") && !name.contains("LayerNorm.weight")
}

/// Returns whether a parameter lies outside the video encoder.
///
/// QA, VIOLIN and TVC train such parameters at the learning rate times `lr_mul`.
public func isTaskHead(_ name: String) -> Bool { !name.contains("v_encoder") }
