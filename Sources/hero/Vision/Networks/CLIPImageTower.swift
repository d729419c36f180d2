import Formats

/// The image tower of a CLIP's files, whichever of the two kinds it is.
public enum CLIPImageTower {
  /// Throws `DataError` if the weights are no such tower's, or oneDNN is not installed.
  public static func network(
    _ files: CLIPFiles, precision: NetworkPrecision
  ) throws -> any FeatureNetwork {
    let weights = try NetworkWeights(path: files.weights)
    return files.imageNetwork == CLIPFiles.transformer
      ? try CLIPImageEncoder(weights, files.image, precision: precision)
      : try CLIPResNet(weights, files.image, name: files.imageNetwork, precision: precision)
  }
}
