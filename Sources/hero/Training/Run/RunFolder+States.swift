import Formats
import Foundation

/// A training state on the disk, `ckpt/state_step_N.safetensors`.
///
/// The file holds the tensors, and the rest as JSON in its metadata. One rename makes all of it
/// valid, or leaves the earlier state.
public struct SavedTrainingState: Sendable {
  /// The part of the state that is not tensors.
  public let state: TrainingState
  /// The tensors, read on request, such as `model.…`, `exp_avg.…` and `exp_avg_sq.…`.
  public let tensors: SafetensorsFile

  static let metadataKey = "hero_state"

  /// Finds the parameters that no gradient has moved: Adam's second moments of them are zero.
  /// - Returns: their names, and the number of all parameters.
  /// - Throws: `DataError` if the file cannot be read.
  public func parametersWithoutGradient() throws -> (names: [String], of: Int) {
    let start = "exp_avg_sq."
    let squares = tensors.entries.filter { $0.name.hasPrefix(start) }
    let still = try squares.filter { try tensors.withBytes(of: $0) { $0.allSatisfy { $0 == 0 } } }
    return (still.map { String($0.name.dropFirst(start.count)) }, squares.count)
  }

  /// - Parameter step: the update in the file's name.
  /// - Throws: `DataError` if the file is damaged or is no such state.
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
  /// The number of states to keep: one more than needed, in case the last is damaged.
  private static let statesKept = 2

  /// Returns the states of the run, oldest first.
  func savedStates() -> [(step: Int, path: String)] {
    entries(checkpoints).compactMap { name in
      guard let match = name.wholeMatch(of: /state_step_([0-9]+)\.safetensors/), let step = Int(match.1)
      else {
        return nil
      }
      return (step, "\(checkpoints)/\(name)")
    }.sorted { $0.step < $1.step }
  }

  /// Saves the state of an update, then deletes all but the last two.
  ///
  /// - Parameters:
  ///   - tensors: the names, types and shapes of the tensors.
  ///   - bytes: returns the little-endian elements of tensor number `index`; called once for each,
  ///     so that memory need not hold the state twice.
  /// - Throws: `DataError`; the earlier states then remain.
  public func save(
    _ state: TrainingState, tensors: [(name: String, type: ScalarType, shape: [Int])],
    bytes: (_ index: Int) throws -> [UInt8]
  ) throws {
    try Safetensors.write(
      path: "\(checkpoints)/state_step_\(state.step).safetensors", list: tensors,
      metadata: [SavedTrainingState.metadataKey: state.json.encoded(style: .compact)], bytes: bytes)
    // Later states are left over from before the run resumed from an earlier state.
    let others = savedStates().filter { $0.step != state.step }
    let kept = others.map(\.step).filter { $0 < state.step }.suffix(Self.statesKept - 1)
    for other in others where !kept.contains(other.step) {
      try? FileManager.default.removeItem(atPath: other.path)
    }
  }

  /// Returns the newest state that can be read; nil if the run has saved none.
  ///
  /// - Parameter warn: called with what is wrong with newer states.
  /// - Throws: `DataError` if there are states and none can be read.
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
