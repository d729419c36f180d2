import Formats
import Foundation

/// The output folder of a run, in the reference's layout.
///
///     log/hps.json  log/model_config.json  log/log.txt  log/events.out.tfevents.…
///     ckpt/model_step_N.safetensors        weights, at every validation
///     ckpt/state_step_N.safetensors        what --resume goes on from, the last two
///     results/                             predictions of validations
///     README.md  config.json               what the run is, once it is done (`ModelCard`)
///
/// Folders of the reference can be read too: their checkpoints are `ckpt/model_step_N.pt`.
public struct RunFolder: Equatable, Sendable {
  /// The path, without a trailing slash.
  public let path: String

  /// Makes the value without touching a file; the folder need not exist.
  public init(path: String) {
    self.path = path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
  }

  /// The folder of the options, the model configuration, the log and the TensorBoard events.
  public var logs: String { "\(path)/log" }
  /// The file of the run's options, with the reference's keys.
  public var hyperparameters: String { "\(path)/log/hps.json" }
  /// The file of the model's shape, like the reference's `model_config`.
  public var modelConfiguration: String { "\(path)/log/model_config.json" }
  /// The log file, in the layout of Python's `logging`.
  public var logFile: String { "\(path)/log/log.txt" }
  /// The folder of weights and training states.
  public var checkpoints: String { "\(path)/ckpt" }
  /// The folder of the predictions of every validation.
  public var results: String { "\(path)/results" }
  private var bestRecord: String { "\(path)/log/best.json" }

  /// Returns the folder that `hero eval` writes to for a split.
  func evaluationResults(split: String) -> String { "\(path)/results_\(split)" }

  /// Checks whether results of a split can be written, before any work is done.
  func requireResults(split: String) throws {
    let results = evaluationResults(split: split)
    let exists = FileManager.default.fileExists(atPath: results)
    guard !exists || FileManager.default.isFolder(results) else {
      throw DataError("is no folder", file: results, cure: "Move it, or name the split otherwise")
    }
    guard access(exists ? results : path, W_OK) == 0 else { throw DataError.system("write", file: results) }
  }

  /// Makes a folder of the run if it does not exist.
  func make(_ folder: String) throws {
    try DataError.locating(cure: "Check --output-dir and its permissions") { try OutputFolder.make(folder) }
  }

  /// Returns the path of the weights after an update.
  public func checkpointPath(step: Int) -> String { "\(checkpoints)/model_step_\(step).safetensors" }

  // MARK: Beginning

  /// Makes the run's folder itself if it does not exist.
  func create(_ folders: inout MadeFolders) throws {
    try DataError.locating(cure: "Check --output-dir and its permissions") { try folders.make(path) }
  }

  /// Checks whether a run can write its files, before any work is done.
  func requireWritable() throws {
    for folder in [path, logs, checkpoints, results] where FileManager.default.fileExists(atPath: folder) {
      guard FileManager.default.isFolder(folder) else {
        throw DataError("is no folder", file: folder, cure: "Choose another --output-dir")
      }
      guard access(folder, W_OK) == 0 else {
        throw DataError.system("write", file: folder).located(cure: "Check --output-dir and its permissions")
      }
    }
  }

  /// Whether a run has written here.
  public var holdsRun: Bool {
    FileManager.default.fileExists(atPath: hyperparameters) || !entries(checkpoints).isEmpty
  }

  /// Refuses a folder that holds a run, before any work is done.
  ///
  /// - Throws: `DataError` with the cure.
  public func requireUnused() throws {
    guard !holdsRun else {
      throw DataError(
        "the folder already holds a run", file: path,
        cure: "Go on with that run by --resume, or choose another --output-dir")
    }
    let others =
      [modelConfiguration, bestRecord].filter { FileManager.default.fileExists(atPath: $0) }
      + entries(results).map { "\(results)/\($0)" }
    if let other = others.min() {
      throw DataError(
        "is in the way: a run writes files of that name", file: other,
        cure: "Move it, or choose another --output-dir")
    }
  }

  /// Makes the folders, and writes the run's options and model configuration.
  ///
  /// - Parameters:
  ///   - modelConfiguration: the content of `model_config`, written unchanged.
  ///   - resuming: whether the folder may hold this run already.
  /// - Throws: `DataError` if the folder holds a run and `resuming` is false, or if it cannot be
  ///   written.
  public func create(configuration: RunConfiguration, modelConfiguration model: JSON, resuming: Bool) throws {
    if !resuming { try requireUnused() }
    for folder in [logs, checkpoints, results] { try make(folder) }
    try AtomicFile.write(configuration.json.encoded(style: .pretty), to: hyperparameters)
    try AtomicFile.write(model.encoded(style: .pretty), to: modelConfiguration)
  }

  /// Refuses to resume a run that has weights but no state.
  ///
  /// Such a run is the reference's, whose optimizer state is not read, or its states were removed.
  ///
  /// - Throws: `DataError` with the cure.
  func requireOwnStates() throws {
    guard savedStates().isEmpty else { return }
    let states = ["restore.pt", "restore_backup.pt"].map { "\(path)/\($0)" }
    let weights = savedCheckpoints().last { $0.format == .pt }?.path
    guard let file = states.first(where: { FileManager.default.fileExists(atPath: $0) }) ?? weights else {
      return try requireNoWeights()
    }
    throw DataError(
      "is the reference's; the state of its optimizer is not read, so this run cannot go on from it",
      file: file,
      cure: "Begin another from its weights: --checkpoint \(file) --output-dir ANOTHER, without --resume")
  }

  /// Refuses to begin anew where that would overwrite checkpoints of updates.
  private func requireNoWeights() throws {
    guard let weights = savedCheckpoints().last(where: { $0.step > 0 })?.path else { return }
    throw DataError(
      "is of a run whose states (state_step_N.safetensors) are gone, so that it cannot be gone on with",
      file: weights,
      cure: "Begin another from its weights: --checkpoint \(weights) --output-dir ANOTHER, without --resume")
  }

  // MARK: Reading a run

  /// Returns the options that the run was trained with.
  ///
  /// - Parameters:
  ///   - task: the task, if the caller knows it.
  ///   - usual: the task if the run names none.
  /// - Throws: `DataError` if the folder holds no run.
  public func configuration(task: RunTask? = nil, usual: RunTask? = nil) throws -> RunConfiguration {
    guard FileManager.default.fileExists(atPath: hyperparameters) else {
      throw DataError(
        "holds no run: there is no log/hps.json", file: path,
        cure: "Give the --output-dir of a finished 'hero finetune' or of the reference")
    }
    return try RunConfiguration.read(hyperparameters: hyperparameters, task: task, usual: usual)
  }

  /// Returns all checkpoints, oldest first; of two with the same step, this program's comes last.
  public func savedCheckpoints() -> [RunCheckpoint] {
    entries(checkpoints).compactMap { RunCheckpoint(fileName: $0, folder: checkpoints) }.sorted {
      ($0.step, $0.format == .safetensors ? 1 : 0, $0.name) < (
        $1.step, $1.format == .safetensors ? 1 : 0, $1.name
      )
    }
  }

  /// Returns the checkpoint that a user names.
  ///
  /// - Parameter name: a file or folder of weights, a step (`5000`, `5000_final`), `latest` or
  ///   `best`.
  /// - Returns: the file's path, and its label in the names of results.
  /// - Throws: `DataError` that lists the checkpoints.
  public func checkpoint(named name: String) throws -> (path: String, label: String) {
    let isFolder = FileManager.default.isFolder(name)
    if FileManager.default.fileExists(atPath: name), !isFolder {
      let file = URL(fileURLWithPath: name).lastPathComponent
      let label = RunCheckpoint(fileName: file, folder: "")?.name ?? (file as NSString).deletingPathExtension
      return (name, label)
    }
    let saved = savedCheckpoints()
    let wanted = name == "best" ? try knownBest().map { String($0.step) } ?? "latest" : name
    let found =
      wanted == "latest"
      ? saved.last : saved.last { $0.name == wanted } ?? saved.last { String($0.step) == wanted }
    if found == nil, isFolder {
      return (try Self.weights(name), URL(fileURLWithPath: name).lastPathComponent)
    }
    guard let found else {
      guard FileManager.default.isFolder(path) else {
        throw DataError("there is no such run's folder", file: path, cure: DataError.missingCure(path))
      }
      // A step may have files in two formats.
      let names = saved.map(\.name)
      let there = names.indices.filter { $0 == 0 || names[$0 - 1] != names[$0] }.map { names[$0] }
        .joined(separator: ", ")
      throw DataError(
        "has no checkpoint \"\(name)\"", file: checkpoints,
        cure: there.isEmpty
          ? "Give --checkpoint a file" : "Give --checkpoint one of \(there), latest, best or a file")
    }
    return (found.path, found.name)
  }

  /// Returns the weights that a path means.
  ///
  /// For a run's folder they are its best, or its last if no best is recorded. Any other path is a
  /// file or the folder of a model, and is returned unchanged.
  static func weights(_ path: String) throws -> String {
    let folder = RunFolder(path: path)
    guard FileManager.default.isFolder(path), folder.holdsRun else { return path }
    return try folder.checkpoint(named: "best").path
  }

  /// Deletes the checkpoints of this program except the newest `count` and the best.
  func prune(keeping count: Int) {
    let own = savedCheckpoints().filter { $0.format == .safetensors }
    let best = best()?.step
    for old in own.dropLast(count) where old.step != best {
      try? FileManager.default.removeItem(atPath: old.path)
    }
  }

  // MARK: The best checkpoint

  /// The best validation so far.
  public struct Best: Equatable, Sendable {
    /// The number of updates done at that validation.
    public let step: Int
    /// The name of the headline figure.
    public let metric: String
    /// The headline figure; a loss is better when lower.
    public let value: Double
  }

  /// Reads `log/best.json`; nil if it is missing or damaged.
  public func best() -> Best? {
    guard let record = try? JSON.read(path: bestRecord), let step = record["step"]?.int,
      let metric = record["metric"]?.string, let value = record["value"]?.double
    else { return nil }
    return Best(step: step, metric: metric, value: value)
  }

  /// Reads `log/best.json`; nil if it is missing, an error if it is damaged.
  private func knownBest() throws -> Best? {
    if let best = best() { return best }
    guard FileManager.default.fileExists(atPath: bestRecord) else { return nil }
    throw DataError(
      "does not say which checkpoint is best: it is damaged", file: bestRecord,
      cure: "Name a step by --checkpoint, or latest")
  }

  /// Records a validation if it is the best so far.
  ///
  /// - Parameter higherIsBetter: false for losses.
  /// - Returns: whether it is the best.
  @discardableResult
  public func record(_ validation: Best, higherIsBetter: Bool = true) throws -> Bool {
    if let best = best(), best.metric == validation.metric {
      guard higherIsBetter ? validation.value > best.value : validation.value < best.value else {
        return false
      }
    }
    guard validation.value.isFinite else { return false }
    let json: JSON = [
      "step": .int(validation.step), "metric": .string(validation.metric), "value": .double(validation.value),
    ]
    try AtomicFile.write(json.encoded(style: .pretty), to: bestRecord)
    return true
  }

  func entries(_ folder: String) -> [String] {
    (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
  }
}
