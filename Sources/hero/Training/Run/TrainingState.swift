import Formats

/// What a run needs, beside its tensors, to continue exactly.
///
/// Everything random is a function of these values.
public struct TrainingState: Equatable, Sendable {
  /// The number of updates done.
  public var step: Int
  /// The seed of the run's random numbers.
  public var seed: Int
  /// The value of each counter by name, such as `updates.NAME` for a parameter.
  public var counters: [String: Int] = [:]
}

extension TrainingState {
  /// The version; states of versions 1 and 2 cannot continue, because their dropout drew other
  /// numbers.
  private static let version = 3

  var json: JSON {
    var counted = JSONObject()
    for (name, count) in counters.sorted(by: { $0.key < $1.key }) { counted[name] = .int(count) }
    return [
      "version": .int(Self.version), "step": .int(step), "seed": .int(seed),
      "random_counters": .object(counted),
    ]
  }

  /// - Throws: `DataError`, without a file name, if the JSON is not a state.
  init(json: JSON) throws {
    let version = json["version"]?.int
    guard version != 1, version != 2 else {
      throw DataError(
        "the run was begun by a version of hero whose dropout draws other random numbers",
        cure: "Finish it with that version, or begin a new run with --checkpoint from its last checkpoint")
    }
    guard version == Self.version else {
      throw DataError("the training state was written by another version of hero")
    }
    guard let step = json["step"]?.int, step >= 0, let seed = json["seed"]?.int,
      let counted = json["random_counters"]?.object
    else { throw DataError("the training state is malformed") }
    self.init(step: step, seed: seed)
    for (name, count) in counted {
      guard let count = count.int, count >= 0, count <= step else {
        throw DataError("the training state is malformed")
      }
      counters[name] = count
    }
  }
}
