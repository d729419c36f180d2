/// One file of weights in a run's `ckpt` folder.
public struct RunCheckpoint: Equatable, Sendable {
  /// The raw value is the file's extension.
  public enum Format: String, CaseIterable, Sendable {
    /// PyTorch's, as the reference saves and its evaluation reads.
    case pt
    case safetensors
  }

  /// Updates done when it was saved.
  public let step: Int
  /// What its name says after `model_step_`: the step, and `_final` after the reference's last
  /// update.
  public let name: String
  /// With the run's folder in front.
  public let path: String
  /// By the file's extension.
  public let format: Format

  /// From a file's name, `model_step_200.safetensors`, `model_step_5000_final.pt`; nil for other
  /// files.
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
