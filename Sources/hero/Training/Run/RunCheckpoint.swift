/// One file of weights in a run's `ckpt` folder.
public struct RunCheckpoint: Equatable, Sendable {
  /// The format of the file; the raw value is the file's extension.
  public enum Format: String, CaseIterable, Sendable {
    /// PyTorch's format, which the reference saves and its evaluation reads.
    case pt
    case safetensors
  }

  /// The number of updates done when the file was saved.
  public let step: Int
  /// The part of the file's name after `model_step_`: the step, and `_final` after the reference's
  /// last update.
  public let name: String
  /// The path, which begins with the run's folder.
  public let path: String
  /// The format, by the file's extension.
  public let format: Format

  /// Parses a file name such as `model_step_200.safetensors` or `model_step_5000_final.pt`; nil for
  /// other files.
  init?(fileName: String, folder: String) {
    guard
      let match = fileName.wholeMatch(of: /model_step_(([0-9]+)(_final)?)\.(safetensors|pt)/),
      let step = Int(match.2), let format = Format(rawValue: String(match.4))
    else { return nil }
    self.step = step
    self.format = format
    name = String(match.1)
    path = "\(folder)/\(fileName)"
  }
}
