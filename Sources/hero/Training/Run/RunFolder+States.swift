import Formats
import Foundation

/// A training state on the disk, `ckpt/state_step_N.safetensors`: tensors, and the rest as JSON in
/// the file's metadata. One rename makes the whole of it valid, or leaves the one before.
public struct SavedTrainingState: Sendable {
  /// Everything of the state that is no tensor.
  public let state: TrainingState
  /// The tensors, such as `model.…`, `exp_avg.…`, `exp_avg_sq.…`, each read on request.
  public let tensors: SafetensorsFile

  static let metadataKey = "hero_state"

  /// The parameters that no gradient has moved: what Adam keeps of their squares is zero.
  /// - Returns: their names, and how many arrays there are in all.
  /// - Throws: `DataError` where the file cannot be read.
  public func parametersWithoutGradient() throws -> (names: [String], of: Int) {
    let start = "exp_avg_sq."
    let squares = tensors.entries.filter { $0.name.hasPrefix(start) }
    let still = try squares.filter { try tensors.withBytes(of: $0) { $0.allSatisfy { $0 == 0 } } }
    return (still.map { String($0.name.dropFirst(start.count)) }, squares.count)
  }

  /// - Parameter step: the update that the file's name says.
  /// - Throws: `DataError` where the file is damaged or is no such state.
  init(path: String, step: Int) throws {
    tensors = try SafetensorsFile(path: path)
    try tensors.verify()
    guard let text = tensors.metadata[Self.metadataKey] else {
      throw DataError("holds no training state", file: path)
    }
    state = try DataError.locating(file: path, cure: "Delete the file to go on from the state before it") {
      let state = try TrainingState(json: JSON.parse(text, file: path))
      guard state.step == step else { throw DataError("is the state after update \(state.step)") }
      return state
    }
  }
}

extension RunFolder {
  /// How many states are kept: one more than needed, in case the last is damaged.
  private static let statesKept = 2

  /// The states of the run, oldest first.
  func savedStates() -> [(step: Int, path: String)] {
    entries(checkpoints).compactMap { name in
      guard let match = name.wholeMatch(of: /state_step_([0-9]+)\.safetensors/), let step = Int(match.1)
      else {
        return nil
      }
      return (step, "\(checkpoints)/\(name)")
    }.sorted { $0.step < $1.step }
  }

  /// Saves the state of an update, then drops all but the last two.
  ///
  /// - Parameters:
  ///   - tensors: names and shapes.
  ///   - bytes: the little-endian elements of tensor number `index`, asked for once each, so that
  ///     the state need not be in memory twice.
  /// - Throws: `DataError`; the earlier states still stand then.
  public func save(
    _ state: TrainingState, tensors: [(name: String, type: ScalarType, shape: [Int])],
    bytes: (_ index: Int) throws -> [UInt8]
  ) throws {
    try Safetensors.write(
      path: "\(checkpoints)/state_step_\(state.step).safetensors", list: tensors,
      metadata: [SavedTrainingState.metadataKey: state.json.encoded(style: .compact)], bytes: bytes)
    // States past this one belong to a run that was resumed from before them.
    let others = savedStates().filter { $0.step != state.step }
    let kept = others.map(\.step).filter { $0 < state.step }.suffix(Self.statesKept - 1)
    for other in others where !kept.contains(other.step) {
      try? FileManager.default.removeItem(atPath: other.path)
    }
  }

  /// The newest state that can be read, or nil where the run has saved none.
  ///
  /// - Parameter warn: takes what is wrong with newer ones.
  /// - Throws: `DataError` where there are states and none can be read.
  public func latestState(warn: (String) -> Void) throws -> SavedTrainingState? {
    var failure: (any Error)?
    for (step, path) in savedStates().reversed() {
      do {
        return try SavedTrainingState(path: path, step: step)
      } catch {
        warn("\(error)")
        failure = error
      }
    }
    if let failure { throw failure }
    return nil
  }
}
