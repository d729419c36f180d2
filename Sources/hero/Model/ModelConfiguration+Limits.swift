import Engine
import Formats

extension ModelConfiguration {
  /// Checks the model's widths against the limits of a backend's kernels.
  /// - Parameter file: the model configuration, to name in errors.
  /// - Throws: `DataError` naming the part that is too wide.
  public func require(_ limits: BackendLimits, file: String) throws {
    func refuse(_ problem: String, most: Int, key: String, cure: String) -> DataError {
      DataError(
        "\(problem); this device's kernels take \(most)", file: file, place: "\"\(key)\"",
        cure: cure + ", or compute on the CPU (--device cpu)")
    }
    let parts = [("f_config", cross), ("c_config", temporal), ("q_config", query)]
    for (key, part) in parts + (decoder.map { [("d_config", $0)] } ?? []) {
      let head = part.hiddenSize / part.heads
      if let most = limits.headColumns, head > most {
        throw refuse(
          "\(part.heads) heads of \"hidden_size\" \(part.hiddenSize) are \(head) wide", most: most, key: key,
          cure: "Give more \"num_attention_heads\"")
      }
      // Prediction heads normalize rows of twice the width.
      if let most = limits.normColumns, 2 * part.hiddenSize > most {
        throw refuse(
          "\"hidden_size\" \(part.hiddenSize) makes layer norms \(2 * part.hiddenSize) wide", most: most,
          key: key,
          cure: "Give a smaller \"hidden_size\"")
      }
    }
    if let most = limits.normColumns, featureWidth > most {
      throw DataError(
        "frames' features are \(featureWidth) wide and normed as they are; this device's kernels take \(most)",
        file: file, cure: "Give features of fewer numbers, or compute on the CPU (--device cpu)")
    }
  }
}
