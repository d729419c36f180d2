import Formats

/// The image tower of CLIP's files, of either kind.
public enum CLIPImageTower {
  /// Creates the tower; throws `DataError` if the weights are not its own, or oneDNN is not
  /// installed.
  public static func network(
    _ files: CLIPFiles, precision: NetworkPrecision
  ) throws -> any FeatureNetwork {
    let weights = try NetworkWeights(path: files.weights)
    return files.imageNetwork == CLIPFiles.transformer
      ? try CLIPImageEncoder(weights, files.image, precision: precision)
      : try CLIPResNet(weights, files.image, name: files.imageNetwork, precision: precision)
  }
}
