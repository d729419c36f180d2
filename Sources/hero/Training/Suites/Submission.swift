import Formats
import Foundation

/// Predictions as those take them who score hidden splits.
public struct Submission: Sendable {
  /// Whose form it is.
  public enum Form: String, CaseIterable, Sendable {
    /// That of the task's own authors: TVR's, TVQA's, TVC's, QVHighlights'.
    case task
    /// That of VALUE's EvaluationTools: moments as `[video, start, end]`, videos as their numbers.
    case value
  }

  /// The file; or a folder, whose name ends in `/` or which is there, that gets VALUE's layout.
  public var path: String
  /// The authors' own form by default.
  public var form: Form

  /// - Parameter path: a file, or a folder for VALUE's layout.
  public init(_ path: String, form: Form = .task) { (self.path, self.form) = (path, form) }

  private var isFolder: Bool { path.hasSuffix("/") || FileManager.default.isFolder(path) }

  /// The file to write: `results_TASK_SPLIT/results_CHECKPOINT_all.json` in a folder.
  func path(task: RunTask, split: String, checkpoint: String) -> String {
    guard isFolder else { return path }
    let folder = path.hasSuffix("/") ? String(path.dropLast()) : path
    return "\(folder)/results_\(task.rawValue)_\(split)/results_\(checkpoint)_all.\(task.resultEnding)"
  }

  /// Checks whether the file can be written, before any work is done. The layout's folder need not
  /// be there.
  func require(_ file: String, overwrites: Bool) throws {
    let folder = URL(fileURLWithPath: file).deletingLastPathComponent().path
    guard !isFolder || FileManager.default.fileExists(atPath: folder) else { return }
    try OutputFile.require(file, overwrites: overwrites)
  }

  /// Writes the predictions, and into a folder the figures beside them where the truth is known.
  func write(_ report: SplitReport, to file: String, checkpoint: String) throws {
    guard isFolder else { return try report.write(file, form: form) }
    let folder = URL(fileURLWithPath: file).deletingLastPathComponent().path
    do {
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    } catch {
      throw DataError("the folder cannot be made: \(error.localizedDescription)", file: folder)
    }
    try report.write(file, form: form)
    guard !report.scalars.isEmpty else { return }
    try AtomicFile.write(
      JSON(figures: report.scalars).encoded(style: .python), to: "\(folder)/scores_\(checkpoint).json")
  }
}
