import Formats
import Foundation

/// Predictions in the form that the scorers of hidden splits take.
public struct Submission: Sendable {
  /// The form of the predictions.
  public enum Form: String, CaseIterable, Sendable {
    /// The form of the task's own authors: TVR's, TVQA's, TVC's, QVHighlights'.
    case task
    /// The form of VALUE's EvaluationTools: moments as `[video, start, end]`, videos as their
    /// numbers.
    case value
  }

  /// The path of a file, or of a folder for VALUE's layout, which exists or whose name ends in `/`.
  public var path: String
  /// The form of the predictions; by default the authors' own.
  public var form: Form

  /// - Parameter path: a file, or a folder for VALUE's layout.
  public init(_ path: String, form: Form = .task) { (self.path, self.form) = (path, form) }

  private var isFolder: Bool { path.hasSuffix("/") || FileManager.default.isFolder(path) }

  /// Returns the file to write: `results_TASK_SPLIT/results_CHECKPOINT_all.json` in a folder.
  func path(task: RunTask, split: String, checkpoint: String) -> String {
    guard isFolder else { return path }
    let folder = path.hasSuffix("/") ? String(path.dropLast()) : path
    return "\(folder)/results_\(task.rawValue)_\(split)/results_\(checkpoint)_all.\(task.resultEnding)"
  }

  /// Checks whether the file can be written, before any work is done.
  ///
  /// The folder of VALUE's layout need not exist.
  func require(_ file: String, overwrites: Bool) throws {
    let folder = URL(fileURLWithPath: file).deletingLastPathComponent().path
    guard !isFolder || FileManager.default.fileExists(atPath: folder) else { return }
    try OutputFile.require(file, overwrites: overwrites)
  }

  /// Writes the predictions, and in a folder also their figures if the truth is known.
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
